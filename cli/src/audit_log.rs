//! `posthouse audit-log`: who changed what in the whole instance, and the lines that this tool leaves there itself.

use std::process::ExitCode;

use chrono::{TimeDelta, Utc};
use posthouse_schema::{
    QueryError,
    audit_log::{Audience, AuditEntry, AuditFilter, Confirmation, snapshot},
    ids::{AuditEntryId, AuditedId, OrganisationId, ProjectId, UserId},
    organisation,
    page::{Direction, PageRequest, Sort},
    pool::PooledConnection,
    words::{ActorKind, AuditedKind, AuditedWay, Role},
};
use posthouse_service::settings::DatabaseSettings;
use serde::Serialize;
use serde_json::{Value, json};

use crate::output::{answer, connect};

const EXAMPLES: &str = "Examples:
  posthouse audit-log --days 1
  posthouse audit-log --project 01JD… --action endpoint.update --action endpoint.delete
  posthouse audit-log --actor 01JE… --json";

/// Lists who changed what, the newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct AuditLog {
    /// Only what was done in this project.
    #[arg(long, conflicts_with = "organisation")]
    project: Option<ProjectId>,
    /// Only what was done in this organisation and its projects.
    #[arg(long)]
    organisation: Option<OrganisationId>,
    /// Only what this user, key or portal link did. Repeatable.
    #[arg(long, value_name = "ID")]
    actor: Vec<AuditedId>,
    /// Only what was done by this name, such as endpoint.update. Repeatable.
    #[arg(long, value_name = "NAME")]
    action: Vec<String>,
    /// Only what was done to this. Repeatable.
    #[arg(long, value_name = "ID")]
    resource: Vec<AuditedId>,
    /// How many days are looked back.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=3_650))]
    days: u16,
    /// Most lines.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

impl AuditLog {
    /// Runs the command.
    pub async fn run(&self, database: &DatabaseSettings, is_json: bool) -> anyhow::Result<ExitCode> {
        let mut conn = connect(database).await?;
        let audience = match (self.project, self.organisation) {
            (Some(project), _) => Audience::Project(project),
            (None, Some(organisation)) => Audience::Organisation(organisation),
            (None, None) => Audience::Instance,
        };
        let filter = AuditFilter {
            actor_ids: self.actor.clone(),
            actions: self.action.clone(),
            resource_ids: self.resource.clone(),
            from: Some(Utc::now() - TimeDelta::days(self.days.into())),
            to: None,
        };
        let page =
            PageRequest { per_page: self.limit, sort: Sort::Descending, direction: Direction::Next, cursor: None };
        let found = AuditEntry::list(&mut conn, audience, &filter, &page).await?;
        let rows: Vec<Value> = found.rows.iter().map(shown).collect();
        let lines: Vec<String> = found.rows.iter().map(line).collect();
        let text = if lines.is_empty() { "no changes".into() } else { lines.join("\n") };
        answer(is_json, &json!({"changes": rows, "has_more": found.next.is_some()}), &text);
        Ok(ExitCode::SUCCESS)
    }
}

fn shown(row: &AuditEntry) -> Value {
    json!({
        "id": row.id.to_string(), "at": row.id.created_at(), "actor_kind": row.actor_kind,
        "actor_id": row.actor_id.map(|id| id.to_string()), "api_key_id": row.api_key_id,
        "action": row.action, "resource_kind": row.resource_kind,
        "resource_id": row.resource_id.map(|id| id.to_string()), "organisation_id": row.organisation_id,
        "project_id": row.project_id, "is_confirmed": row.is_confirmed, "changes": row.changes,
        "request_id": row.request_id, "source_address": row.source_address, "user_agent": row.user_agent,
        "way": row.way,
    })
}

fn line(row: &AuditEntry) -> String {
    let id = |id: Option<AuditedId>| id.map_or_else(|| "–".into(), |id| id.to_string());
    let fields: Vec<&str> = row.changes.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let doubt = if row.is_confirmed { "" } else { "  (not known to be done)" };
    format!(
        "{}  {} {}  {}  {}  {}{doubt}",
        row.id.created_at().format("%Y-%m-%d %H:%M:%S"),
        row.actor_kind,
        id(row.actor_id),
        row.action,
        id(row.resource_id),
        fields.join(", ")
    )
}

/// Something that this tool does by itself, in the database.
#[derive(Debug)]
pub struct Deed(AuditEntry);

impl Deed {
    /// It is called this, and is done to something of this kind: to all of it without an id.
    #[must_use]
    pub fn new(action: &str, kind: AuditedKind, id: Option<u128>) -> Self {
        Self(AuditEntry {
            id: AuditEntryId::generate(),
            organisation_id: None,
            project_id: None,
            actor_kind: ActorKind::Tool,
            actor_id: None,
            api_key_id: None,
            action: action.into(),
            resource_kind: kind,
            resource_id: id.map(AuditedId::from_bits),
            is_confirmed: true,
            changes: json!({}),
            request_id: String::new(),
            source_address: String::new(),
            user_agent: concat!("posthouse/", env!("CARGO_PKG_VERSION")).into(),
            way: AuditedWay::Tool,
        })
    }

    /// Whose own it is done to.
    #[must_use]
    pub fn of(self, organisation_id: Option<OrganisationId>, project_id: Option<ProjectId>) -> Self {
        Self(AuditEntry { organisation_id, project_id, ..self.0 })
    }

    /// What a field was and what it is now.
    #[must_use]
    pub fn changing(mut self, field: &str, before: impl Serialize, after: impl Serialize) -> Self {
        if let Value::Object(fields) = &mut self.0.changes {
            fields.insert(field.into(), json!({"before": before, "after": after}));
        }
        self
    }

    /// Notes it, when it is done.
    ///
    /// # Errors
    /// The database fails. What was done is done.
    pub async fn note(&self, conn: &mut PooledConnection) -> Result<(), QueryError> {
        self.0.insert(conn).await
    }

    /// Notes it before it is done, where that takes long and may end in between.
    ///
    /// # Errors
    /// The database fails. Nothing was done.
    pub async fn begin(mut self, conn: &mut PooledConnection) -> Result<Self, QueryError> {
        self.0.is_confirmed = false;
        self.note(conn).await?;
        Ok(self)
    }

    /// Notes that what was begun is done.
    ///
    /// # Errors
    /// As of [`Self::note`].
    pub async fn confirm(&self, conn: &mut PooledConnection) -> Result<(), QueryError> {
        let done = Confirmation {
            resource_id: None,
            organisation_id: None,
            project_id: None,
            changes: self.0.changes.clone(),
        };
        self.0.confirm(conn, &done).await
    }
}

/// Notes that this tool made, or ended, something.
///
/// # Errors
/// As of [`Deed::note`].
pub async fn note(
    conn: &mut PooledConnection,
    action: &str,
    (kind, id): (AuditedKind, u128),
    (organisation, project): (Option<OrganisationId>, Option<ProjectId>),
) -> Result<(), QueryError> {
    Deed::new(action, kind, Some(id)).of(organisation, project).note(conn).await
}

/// Gives a user a role in an organisation, and notes it where they had another one or none.
///
/// # Errors
/// The database fails.
pub async fn set_member(
    conn: &mut PooledConnection,
    organisation: OrganisationId,
    user: UserId,
    role: Role,
) -> Result<(), QueryError> {
    let [id, owner] = [user.to_bits(), organisation.to_bits()].map(AuditedId::from_bits);
    let before = snapshot(conn, AuditedKind::Member, id, Some(owner)).await?;
    let before = before.as_ref().and_then(|row| row.get("role")).and_then(Value::as_str);
    organisation::set_member(conn, organisation, user, role).await?;
    if before == Some(role.as_str()) {
        return Ok(());
    }
    let deed = Deed::new("member.update", AuditedKind::Member, Some(user.to_bits())).of(Some(organisation), None);
    deed.changing("role", before, role).note(conn).await
}
