//! Up to where something was purged, so that whoever sums the ledger up knows what is gone on purpose.

use chrono::{DateTime, Utc};
use diesel::{
    OptionalExtension, QueryDsl, QueryResult,
    sql_types::{Text, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{EventId, ProjectId},
    statement::Statement,
    tables::retention_marks,
};

/// What was purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purged {
    /// `event_deliveries`.
    Deliveries,
    /// The data of events.
    Payloads,
}

impl Purged {
    const fn name(self) -> &'static str {
        match self {
            Self::Deliveries => "event_deliveries",
            Self::Payloads => "payloads",
        }
    }
}

/// Stands for all projects.
const fn everybody() -> ProjectId {
    ProjectId::from_bits(0)
}

/// Notes that what is older than `before` is gone, or about to go; `None` for all projects. A mark never goes back. Returns
/// where it was before, or `None` where there was none.
///
/// # Errors
/// The database fails.
pub(super) async fn mark(
    conn: &mut AsyncPgConnection,
    project: Option<ProjectId>,
    purged: Purged,
    before: DateTime<Utc>,
) -> QueryResult<Option<DateTime<Utc>>> {
    let project = project.unwrap_or(everybody());
    let old: Option<EventId> = retention_marks::table
        .find((project, purged.name()))
        .select(retention_marks::purged_before)
        .first(conn)
        .await
        .optional()?;
    Statement::new(
        "INSERT INTO retention_marks AS m (project_id, purged_table, purged_before) VALUES ($1, $2, $3) \
         ON CONFLICT (project_id, purged_table) DO UPDATE SET purged_before = greatest(m.purged_before, excluded.purged_before)",
    )
    .bind::<Uuid, _>(project)
    .bind::<Text, _>(purged.name())
    .bind::<Uuid, _>(EventId::first_at(before))
    .execute(conn)
    .await?;
    Ok(old.map(|id| id.created_at()))
}
