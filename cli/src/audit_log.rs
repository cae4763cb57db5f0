//! `posthouse audit-log`: who changed what in the whole instance, and the lines that this tool leaves there itself.

use std::process::ExitCode;

use chrono::{TimeDelta, Utc};
use posthouse_schema::{
    QueryError,
    audit_log::{Audience, AuditEntry, AuditFilter},
    ids::{AuditEntryId, AuditedId, OrganisationId, ProjectId},
    page::{Direction, PageRequest, Sort},
    pool::PooledConnection,
    words::{ActorKind, AuditedKind, AuditedWay},
};
use posthouse_service::settings::DatabaseSettings;
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

/// Notes what this tool did to something.
///
/// # Errors
/// The database fails. What was done is done.
pub async fn note(
    conn: &mut PooledConnection,
    action: &str,
    (kind, id): (AuditedKind, u128),
    (organisation_id, project_id): (Option<OrganisationId>, Option<ProjectId>),
) -> Result<(), QueryError> {
    let entry = AuditEntry {
        id: AuditEntryId::generate(),
        organisation_id,
        project_id,
        actor_kind: ActorKind::Tool,
        actor_id: None,
        api_key_id: None,
        action: action.into(),
        resource_kind: kind,
        resource_id: Some(AuditedId::from_bits(id)),
        is_confirmed: true,
        changes: json!({}),
        request_id: String::new(),
        source_address: String::new(),
        user_agent: concat!("posthouse/", env!("CARGO_PKG_VERSION")).into(),
        way: AuditedWay::Tool,
    };
    entry.insert(conn).await
}
