//! What a purge would take, counted and left where it is.

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult, QueryableByName,
    result::Error,
    sql_types::{Array, BigInt, Text, Uuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{Horizon, Scope};
use crate::{
    deadline,
    ids::{EventId, ProjectId},
    partitions::{self, Partition, PartitionedTable},
};

/// Rows of one project that have expired.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct ExpiredRows {
    /// What they are: `events`, `event_deliveries`, `delivery_attempts` or `payloads`.
    #[diesel(sql_type = Text)]
    pub purged: String,
    /// The project.
    #[diesel(sql_type = Uuid)]
    pub project_id: ProjectId,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub rows: i64,
}

/// What has expired by the instance's horizon and by those of single projects: rows of each project, and days that go as a
/// whole unless something of them is still to be delivered. Reads all of it; `is_bounded` ends that after
/// [`deadline::QUERY_MAX`].
///
/// # Errors
/// The database fails, or it takes too long.
pub async fn preview_all_projects(
    conn: &mut AsyncPgConnection,
    instance: &Horizon,
    projects: &[(ProjectId, Horizon)],
    is_bounded: bool,
) -> QueryResult<(Vec<ExpiredRows>, Vec<Partition>)> {
    conn.transaction::<_, Error, _>(async |conn| {
        if is_bounded {
            deadline::set(conn).await?;
        }
        let mut expired = Vec::new();
        for scope in Scope::ALL {
            expired.extend(count(conn, scope, instance, projects).await?);
        }
        Ok((expired, days(conn, instance).await?))
    })
    .await
}

async fn days(conn: &mut AsyncPgConnection, instance: &Horizon) -> QueryResult<Vec<Partition>> {
    let mut found = Vec::new();
    for table in PartitionedTable::ALL {
        let first_kept = table.first_kept(instance);
        found.extend(partitions::list(conn, table).await?.into_iter().filter(|partition| partition.day < first_kept));
    }
    Ok(found)
}

async fn count(
    conn: &mut AsyncPgConnection,
    scope: Scope,
    instance: &Horizon,
    projects: &[(ProjectId, Horizon)],
) -> QueryResult<Vec<ExpiredRows>> {
    let never = DateTime::<Utc>::UNIX_EPOCH;
    let of_all = scope.of(instance).unwrap_or(never);
    let own: Vec<DateTime<Utc>> = projects.iter().map(|(_, horizon)| scope.of(horizon).unwrap_or(never)).collect();
    let latest = own.iter().copied().fold(of_all, DateTime::max);
    let ids: Vec<ProjectId> = projects.iter().map(|(project, _)| *project).collect();
    let bounds: Vec<EventId> = own.into_iter().map(EventId::first_at).collect();
    let statement = include_str!("../sql/preview_purge.sql")
        .replace("{table}", scope.table().name())
        .replace("{condition}", &scope.condition().replace("$2", "$6").replace("$3", "$5"));
    diesel::sql_query(statement)
        .bind::<Text, _>(scope.name())
        .bind::<Array<Uuid>, _>(ids)
        .bind::<Array<Uuid>, _>(bounds)
        .bind::<Uuid, _>(EventId::first_at(of_all))
        .bind::<Uuid, _>(EventId::first_at(latest))
        .bind::<Uuid, _>(EventId::first_at(never))
        .load(conn)
        .await
}
