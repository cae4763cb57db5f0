//! What expires, when, and how it goes: whole days by dropping their partitions, the rest by deleting a few rows at a time.
//! What is still to be delivered stays, with its event, however old it is.

mod marks;
mod policy;
mod preview;
mod purge;
mod rows;

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult, QueryableByName,
    sql_types::{Jsonb, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

pub use self::{
    policy::{Horizon, InstanceRetention, RetentionPeriod, RetentionPolicy},
    preview::{ExpiredRows, preview_all_projects},
    purge::{Purge, purge_all_projects},
    rows::{Place, Scope},
};
use crate::ids::ProjectId;

#[derive(QueryableByName)]
struct PolicyRow {
    #[diesel(sql_type = Uuid)]
    id: ProjectId,
    #[diesel(sql_type = Jsonb)]
    policy: serde_json::Value,
}

/// The projects with a policy of their own, deleted ones too: what they had is still to go.
///
/// # Errors
/// The database fails.
pub async fn policies_all_projects(conn: &mut AsyncPgConnection) -> QueryResult<Vec<(ProjectId, RetentionPolicy)>> {
    let rows: Vec<PolicyRow> = diesel::sql_query(
        "SELECT id, config -> 'retention_policy' AS policy FROM projects \
         WHERE jsonb_typeof(config -> 'retention_policy') = 'object' ORDER BY id",
    )
    .load(conn)
    .await?;
    // One that another version wrote and this one cannot read counts as none: too much is kept rather than too little.
    let read = |row: PolicyRow| Some((row.id, serde_json::from_value(row.policy).ok()?));
    Ok(rows.into_iter().filter_map(read).collect())
}

/// The horizon of each project that differs from the instance's.
///
/// # Errors
/// The database fails.
pub async fn horizons_all_projects(
    conn: &mut AsyncPgConnection,
    instance: &Horizon,
    now: DateTime<Utc>,
) -> QueryResult<Vec<(ProjectId, Horizon)>> {
    let policies = policies_all_projects(conn).await?;
    let horizons = policies.into_iter().map(|(project, policy)| (project, instance.of(&policy, now)));
    Ok(horizons.filter(|(_, horizon)| horizon != instance).collect())
}
