//! Who changed what. A line is written before the change, and confirmed with what came of it: there is no change without its
//! line, and a line that stays unconfirmed tells of a process that ended in between (decision 0025). A refused request leaves
//! none. What is not on a list of fields that may be read is noted as changed, without its value.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, HasQuery, Identifiable, Insertable, OptionalExtension, QueryDsl,
    QueryResult, QueryableByName, SelectableHelper,
    pg::Pg,
    sql_types::{BigInt, Jsonb, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{ApiKeyId, AuditEntryId, AuditedId, OrganisationId, ProjectId},
    page::{Page, PageRequest},
    tables::audit_log,
    words::{ActorKind, AuditedKind, AuditedWay},
};

/// A line of the audit log.
#[derive(Debug, Clone, HasQuery, Identifiable, Insertable)]
#[diesel(table_name = audit_log)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditEntryId,
    /// The organisation whose own it is.
    pub organisation_id: Option<OrganisationId>,
    /// The project whose own it is.
    pub project_id: Option<ProjectId>,
    /// What kind of actor it was.
    pub actor_kind: ActorKind,
    /// The user, the key or the link.
    pub actor_id: Option<AuditedId>,
    /// The key that a user came with.
    pub api_key_id: Option<ApiKeyId>,
    /// What was done, as `endpoint.update`.
    pub action: String,
    /// What kind of thing it was done to.
    pub resource_kind: AuditedKind,
    /// Which one; `None` for several at once.
    pub resource_id: Option<AuditedId>,
    /// Whether it is known that it was done.
    pub is_confirmed: bool,
    /// An object: field to `{"before", "after"}`, or to `{"is_secret": true}`.
    pub changes: serde_json::Value,
    /// The request's id.
    pub request_id: String,
    /// Where the request came from.
    pub source_address: String,
    /// The program that sent it, as it calls itself.
    pub user_agent: String,
    /// By which way it came.
    pub way: AuditedWay,
}

/// What came of a change.
#[derive(Debug, Clone)]
pub struct Confirmation {
    /// What was made or changed; `None` leaves what is noted.
    pub resource_id: Option<AuditedId>,
    /// Its organisation; `None` leaves what is noted.
    pub organisation_id: Option<OrganisationId>,
    /// Its project; `None` leaves what is noted.
    pub project_id: Option<ProjectId>,
    /// As of [`AuditEntry`].
    pub changes: serde_json::Value,
}

/// Whose lines are meant.
#[derive(Debug, Clone, Copy)]
pub enum Audience {
    /// Those of a project.
    Project(ProjectId),
    /// Those of an organisation and its projects.
    Organisation(OrganisationId),
    /// Those of the whole instance: for its operator.
    Instance,
}

/// Which lines are meant; an empty filter lets all through.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only what these actors did, or what was done with these keys.
    pub actor_ids: Vec<AuditedId>,
    /// Only these actions.
    pub actions: Vec<String>,
    /// Only what was done to these.
    pub resource_ids: Vec<AuditedId>,
    /// At this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// At this instant or earlier.
    pub to: Option<DateTime<Utc>>,
}

type Filtered<'f> = diesel::helper_types::IntoBoxed<'f, audit_log::table, Pg>;

fn filtered<'f>(audience: Audience, filter: &AuditFilter) -> Filtered<'f> {
    let mut query = audit_log::table.into_boxed();
    match audience {
        Audience::Project(project) => query = query.filter(audit_log::project_id.eq(project)),
        Audience::Organisation(organisation) => query = query.filter(audit_log::organisation_id.eq(organisation)),
        Audience::Instance => {}
    }
    if !filter.actor_ids.is_empty() {
        let keys: Vec<ApiKeyId> = filter.actor_ids.iter().map(|id| ApiKeyId::from_bits(id.to_bits())).collect();
        let ids = filter.actor_ids.clone();
        query = query.filter(audit_log::actor_id.eq_any(ids).or(audit_log::api_key_id.eq_any(keys)));
    }
    if !filter.actions.is_empty() {
        query = query.filter(audit_log::action.eq_any(filter.actions.clone()));
    }
    if !filter.resource_ids.is_empty() {
        query = query.filter(audit_log::resource_id.eq_any(filter.resource_ids.clone()));
    }
    if let Some(from) = filter.from {
        query = query.filter(audit_log::id.ge(AuditEntryId::first_at(from)));
    }
    if let Some(to) = filter.to {
        query = query.filter(audit_log::id.le(AuditEntryId::last_at(to)));
    }
    query
}

impl AuditEntry {
    /// Writes the line.
    ///
    /// # Errors
    /// The database fails.
    pub async fn insert(&self, conn: &mut AsyncPgConnection) -> QueryResult<()> {
        diesel::insert_into(audit_log::table).values(self).execute(conn).await.map(drop)
    }

    /// Notes that it was done, and what came of it.
    ///
    /// # Errors
    /// The database fails.
    pub async fn confirm(&self, conn: &mut AsyncPgConnection, done: &Confirmation) -> QueryResult<()> {
        diesel::update(audit_log::table.find(self.id))
            .set((
                audit_log::is_confirmed.eq(true),
                audit_log::changes.eq(&done.changes),
                audit_log::resource_id.eq(done.resource_id.or(self.resource_id)),
                audit_log::organisation_id.eq(done.organisation_id.or(self.organisation_id)),
                audit_log::project_id.eq(done.project_id.or(self.project_id)),
            ))
            .execute(conn)
            .await
            .map(drop)
    }

    /// Takes the line back: nothing was changed.
    ///
    /// # Errors
    /// The database fails.
    pub async fn withdraw(&self, conn: &mut AsyncPgConnection) -> QueryResult<()> {
        diesel::delete(audit_log::table.find(self.id)).execute(conn).await.map(drop)
    }

    /// A page of the lines that the audience may read.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(
        conn: &mut AsyncPgConnection,
        audience: Audience,
        filter: &AuditFilter,
        page: &PageRequest<AuditEntryId>,
    ) -> QueryResult<Page<Self>> {
        let query = filtered(audience, filter);
        let query = match (page.reads_ascending(), page.cursor) {
            (true, Some(cursor)) => query.filter(audit_log::id.ge(cursor)).order(audit_log::id.asc()),
            (true, None) => query.order(audit_log::id.asc()),
            (false, Some(cursor)) => query.filter(audit_log::id.le(cursor)).order(audit_log::id.desc()),
            (false, None) => query.order(audit_log::id.desc()),
        };
        let rows = query.limit(page.rows_to_read());
        Ok(page.page(rows.select(Self::as_select()).load(conn).await?))
    }
}

/// Where rows of a kind are, and what in them may be read by who reads the audit log.
struct Kept {
    table: &'static str,
    id: &'static str,
    /// The column that says whose they are; `None` for what belongs to nobody else.
    owner: Option<&'static str>,
}

impl AuditedKind {
    const fn kept(self) -> Option<Kept> {
        let (table, id, owner) = match self {
            Self::Endpoint => ("endpoints", "id", Some("project_id")),
            Self::Subscription => ("subscriptions", "id", Some("project_id")),
            Self::Filter => ("subscription_filters", "id", Some("project_id")),
            Self::Source => ("sources", "id", Some("project_id")),
            Self::EventType => ("event_types", "id", Some("project_id")),
            Self::PortalLink => ("portal_links", "id", Some("project_id")),
            Self::Batch => ("batch_runs", "id", Some("project_id")),
            Self::Invite => ("organisation_invites", "id", Some("organisation_id")),
            Self::Member => ("organisation_members", "user_id", Some("organisation_id")),
            Self::Project => ("projects", "id", None),
            Self::Organisation => ("organisations", "id", None),
            Self::User => ("users", "id", None),
            Self::ApiKey => ("api_keys", "id", None),
            Self::Event
            | Self::EventDelivery
            | Self::MetaEvent
            | Self::RejectedMessage
            | Self::InstanceRetry
            | Self::Queue
            | Self::Schedule
            | Self::Instance => {
                return None;
            }
        };
        Some(Kept { table, id, owner })
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Jsonb)]
    row: serde_json::Value,
}

/// The row of this kind as JSON, with everything that is in it, secrets too; `None`: there is none, or none that belongs to
/// `owner`.
///
/// # Errors
/// The database fails.
pub async fn snapshot(
    conn: &mut AsyncPgConnection,
    kind: AuditedKind,
    id: AuditedId,
    owner: Option<AuditedId>,
) -> QueryResult<Option<serde_json::Value>> {
    let Some(Kept { table, id: key, owner: column }) = kind.kept() else { return Ok(None) };
    let found: Option<Row> = match column {
        None => {
            let statement = format!("SELECT to_jsonb(kept) AS row FROM {table} kept WHERE kept.{key} = $1");
            diesel::sql_query(statement).bind::<Uuid, _>(id).get_result(conn).await.optional()?
        }
        Some(column) => {
            let Some(owner) = owner else { return Ok(None) };
            let statement =
                format!("SELECT to_jsonb(kept) AS row FROM {table} kept WHERE kept.{key} = $1 AND kept.{column} = $2");
            diesel::sql_query(statement).bind::<Uuid, _>(id).bind::<Uuid, _>(owner).get_result(conn).await.optional()?
        }
    };
    Ok(found.map(|found| found.row))
}

/// Deletes the lines of all projects that are older than this instant, in statements of `rows_max` lines, and tells how many
/// they were.
///
/// # Errors
/// The database fails; what was deleted before stays deleted.
pub async fn purge_all_projects(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    rows_max: i64,
) -> QueryResult<usize> {
    let statement = "DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE id < $1 ORDER BY id LIMIT $2)";
    let (first, mut deleted) = (AuditEntryId::first_at(before), 0);
    loop {
        let query = diesel::sql_query(statement).bind::<Uuid, _>(first).bind::<BigInt, _>(rows_max);
        match query.execute(conn).await? {
            0 => return Ok(deleted),
            some => deleted += some,
        }
    }
}
