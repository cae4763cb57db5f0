//! One purge: days first, then rows. It may stop anywhere, and the next one goes on.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    QueryResult,
    sql_types::{BigInt, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{
    Horizon, Scope, horizons_all_projects,
    marks::{Purged, mark},
};
use crate::{
    ids::{MetaEventId, ProjectId},
    partitions::{self, Dropping, Partition, PartitionedTable},
};

/// How far behind the last time the data of events is looked for once more: events may be stored long after their time.
const LATE: TimeDelta = TimeDelta::days(3);
const META_EVENTS_AT_ONCE: i64 = 1_000;

/// What went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purge {
    /// Days that were dropped.
    pub dropped: Vec<Partition>,
    /// Days that stay until the next time, because somebody read them.
    pub busy: Vec<Partition>,
    /// Days of which something is still to be delivered; the rest of them went by rows.
    pub unfinished: Vec<Partition>,
    /// Rows that went one by one, by what they are.
    pub rows: BTreeMap<&'static str, usize>,
}

impl Purge {
    async fn take(
        &mut self,
        conn: &mut AsyncPgConnection,
        project: Option<ProjectId>,
        scope: Scope,
        between: (DateTime<Utc>, DateTime<Utc>),
    ) -> QueryResult<()> {
        for place in scope.places(conn, between).await? {
            *self.rows.entry(scope.name()).or_default() += scope.purge(conn, project, &place).await?;
        }
        Ok(())
    }

    async fn drop_days(&mut self, conn: &mut AsyncPgConnection, instance: &Horizon) -> QueryResult<()> {
        for table in PartitionedTable::ALL {
            let first_kept = table.first_kept(instance);
            let days = partitions::list(conn, table).await?;
            for partition in days.into_iter().filter(|partition| partition.day < first_kept) {
                match partitions::drop(conn, partition).await? {
                    Dropping::Dropped => self.dropped.push(partition),
                    Dropping::Busy => self.busy.push(partition),
                    Dropping::Unfinished => self.unfinished.push(partition),
                }
            }
        }
        Ok(())
    }

    /// What has expired where no day could be dropped for it.
    async fn take_left(&mut self, conn: &mut AsyncPgConnection, instance: &Horizon) -> QueryResult<()> {
        for scope in [Scope::Attempts, Scope::Deliveries, Scope::Events] {
            let Some(until) = scope.of(instance) else { continue };
            let days: Vec<_> = self.unfinished.iter().filter(|partition| partition.table == scope.table()).collect();
            let places = days.into_iter().map(|partition| scope.day(partition.day)).chain([scope.elsewhere(until)]);
            for place in places.collect::<Vec<_>>() {
                *self.rows.entry(scope.name()).or_default() += scope.purge(conn, None, &place).await?;
            }
        }
        Ok(())
    }

    /// What a project keeps for a shorter time than others.
    async fn take_of(
        &mut self,
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        (own, instance): (&Horizon, &Horizon),
    ) -> QueryResult<()> {
        mark(conn, Some(project), Purged::Deliveries, own.deliveries).await?;
        for scope in [Scope::Attempts, Scope::Deliveries, Scope::Events] {
            let (Some(until), Some(before)) = (scope.of(own), scope.of(instance)) else { continue };
            if until > before {
                self.take(conn, Some(project), scope, (before, until)).await?;
            }
        }
        if own.events > instance.events {
            delete_meta_events(conn, project, own.events).await?;
        }
        self.take_payloads(conn, Some(project), own.payloads).await
    }

    async fn take_payloads(
        &mut self,
        conn: &mut AsyncPgConnection,
        project: Option<ProjectId>,
        until: Option<DateTime<Utc>>,
    ) -> QueryResult<()> {
        let Some(until) = until else { return Ok(()) };
        let before = mark(conn, project, Purged::Payloads, until).await?;
        let from = before.map_or(DateTime::UNIX_EPOCH, |before| before - LATE);
        self.take(conn, project, Scope::Payloads, (from, until)).await
    }
}

/// Takes what has expired at `now` by the instance's horizon, and by those of projects that have one of their own.
///
/// # Errors
/// The database fails; what went before stays gone.
pub async fn purge_all_projects(
    conn: &mut AsyncPgConnection,
    instance: &Horizon,
    now: DateTime<Utc>,
) -> QueryResult<Purge> {
    let mut purge = Purge::default();
    // Before anything goes, so that nobody misses it.
    mark(conn, None, Purged::Deliveries, instance.deliveries).await?;
    purge.drop_days(conn, instance).await?;
    purge.take_left(conn, instance).await?;
    partitions::forget_before(conn, instance.events.date_naive()).await?;
    purge.take_payloads(conn, None, instance.payloads).await?;
    for (project, own) in horizons_all_projects(conn, instance, now).await? {
        purge.take_of(conn, project, (&own, instance)).await?;
    }
    purge.rows.retain(|_, rows| *rows > 0);
    Ok(purge)
}

async fn delete_meta_events(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    before: DateTime<Utc>,
) -> QueryResult<()> {
    loop {
        let deleted = diesel::sql_query(
            "DELETE FROM meta_events WHERE ctid = ANY (ARRAY \
             (SELECT ctid FROM meta_events WHERE project_id = $1 AND id < $2 AND status NOT IN ('Scheduled', 'Retry') LIMIT $3))",
        )
        .bind::<Uuid, _>(project)
        .bind::<Uuid, _>(MetaEventId::first_at(before))
        .bind::<BigInt, _>(META_EVENTS_AT_ONCE)
        .execute(conn)
        .await?;
        if deleted == 0 {
            return Ok(());
        }
    }
}
