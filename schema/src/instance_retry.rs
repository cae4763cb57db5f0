//! Retries over the whole instance: a batch run for each project that has something to retry, all with one id, by which
//! they are summed up. The whole has no row of its own, so that nothing can disagree with its runs.

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult, QueryableByName,
    result::Error,
    sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::{
    deadline,
    event_delivery::DeliveryFilter,
    ids::{BatchRunId, EventDeliveryId, EventId, InstanceBatchId, ProjectId},
    page::{Page, PageRequest},
    statement::Statement,
    words::{BatchStatus, DeliveryStatus},
};

/// Which deliveries are meant, in every project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceRetryFilter {
    /// Only those in these states, of Failure and Discarded: in any other nothing is retried.
    pub statuses: Vec<DeliveryStatus>,
    /// Only those of this event.
    pub event_id: Option<EventId>,
    /// Of events accepted at this instant or later.
    pub from: DateTime<Utc>,
    /// Of events accepted at this instant or earlier.
    pub to: DateTime<Utc>,
}

impl InstanceRetryFilter {
    /// The same for one project, as its run keeps it.
    #[must_use]
    pub fn of_project(&self) -> DeliveryFilter {
        DeliveryFilter {
            event_ids: self.event_id.map(|event| vec![event]),
            statuses: self.statuses.clone(),
            from: Some(self.from),
            to: Some(self.to),
            ..DeliveryFilter::default()
        }
    }

    /// The first and the last id that a delivery can have: it carries its event's time.
    fn bounds(&self) -> (EventDeliveryId, EventDeliveryId) {
        let (mut first, mut last) = (EventDeliveryId::first_at(self.from), EventDeliveryId::last_at(self.to));
        if let Some(event) = self.event_id {
            first = first.max(EventDeliveryId::first_at(event.created_at()));
            last = last.min(EventDeliveryId::last_at(event.created_at()));
        }
        (first, last)
    }
}

/// A retry that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunRetry {
    /// The retry; nothing has this id where there are no runs.
    pub id: InstanceBatchId,
    /// Its runs.
    pub runs: Vec<(ProjectId, BatchRunId)>,
    /// Projects that have something to retry, and are left out because a retry of theirs is under way.
    pub skipped: usize,
}

/// A retry over the whole instance, summed up from its runs.
#[derive(Debug, Clone, QueryableByName)]
pub struct InstanceRetry {
    /// The retry.
    #[diesel(sql_type = Uuid)]
    pub id: InstanceBatchId,
    /// Its runs, one in each project.
    #[diesel(sql_type = BigInt)]
    pub projects: i64,
    /// Deliveries that were enqueued.
    #[diesel(sql_type = BigInt)]
    pub done: i64,
    #[diesel(sql_type = BigInt)]
    pending: i64,
    #[diesel(sql_type = BigInt)]
    processing: i64,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    /// What is retried in each project: a [`DeliveryFilter`].
    #[diesel(sql_type = Jsonb)]
    pub filter: serde_json::Value,
    /// When it was asked for.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// When a run of it last went on.
    #[diesel(sql_type = Timestamptz)]
    pub updated_at: DateTime<Utc>,
}

/// What became of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDeletion {
    /// It is done.
    Done,
    /// There is no such retry.
    NotFound,
    /// A run of it has not ended.
    Unfinished,
}

#[derive(QueryableByName)]
struct Matching {
    #[diesel(sql_type = Uuid)]
    project_id: ProjectId,
    #[diesel(sql_type = Nullable<Uuid>)]
    batch_run_id: Option<BatchRunId>,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

impl InstanceRetry {
    /// How far it has come: ended when all its runs have, and failed when one of them has.
    #[must_use]
    pub const fn status(&self) -> BatchStatus {
        if self.pending == self.projects {
            BatchStatus::Pending
        } else if self.pending + self.processing > 0 {
            BatchStatus::Processing
        } else if self.failed > 0 {
            BatchStatus::Failed
        } else {
            BatchStatus::Completed
        }
    }

    /// The retry with this id, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(conn: &mut AsyncPgConnection, id: InstanceBatchId) -> QueryResult<Option<Self>> {
        Ok(sums(conn, (id, id), true, 1).await?.pop())
    }

    /// A page of all retries.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(conn: &mut AsyncPgConnection, page: &PageRequest<InstanceBatchId>) -> QueryResult<Page<Self>> {
        let (least, greatest) = (InstanceBatchId::NONE, InstanceBatchId::from_bits(u128::MAX));
        let is_ascending = page.reads_ascending();
        let bounds = if is_ascending {
            (page.cursor.unwrap_or(least), greatest)
        } else {
            (least, page.cursor.unwrap_or(greatest))
        };
        Ok(page.page(sums(conn, bounds, is_ascending, page.rows_to_read()).await?))
    }

    /// Forgets a retry that has ended.
    ///
    /// # Errors
    /// The database fails.
    pub async fn delete(conn: &mut AsyncPgConnection, id: InstanceBatchId) -> QueryResult<RetryDeletion> {
        let deleted =
            diesel::sql_query(include_str!("sql/delete_instance_retry.sql")).bind::<Uuid, _>(id).execute(conn).await?;
        Ok(match deleted {
            0 if Self::find(conn, id).await?.is_some() => RetryDeletion::Unfinished,
            0 => RetryDeletion::NotFound,
            _ => RetryDeletion::Done,
        })
    }
}

/// The retries between two ids, both included.
async fn sums(
    conn: &mut AsyncPgConnection,
    (first, last): (InstanceBatchId, InstanceBatchId),
    is_ascending: bool,
    limit: i64,
) -> QueryResult<Vec<InstanceRetry>> {
    Statement::ordered(include_str!("sql/sum_instance_retries.sql"), is_ascending)
        .bind::<Uuid, _>(first)
        .bind::<Uuid, _>(last)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}

/// Begins a run in every live project that has a delivery which the filter lets through, but for those in which a retry is
/// under way.
///
/// # Errors
/// The database fails, or takes longer than [`deadline::QUERY_MAX`]; nothing is begun.
pub async fn begin_all_projects(conn: &mut AsyncPgConnection, filter: &InstanceRetryFilter) -> QueryResult<BegunRetry> {
    let id = InstanceBatchId::generate();
    let (first, last) = filter.bounds();
    let of_project =
        serde_json::to_value(filter.of_project()).map_err(|error| Error::SerializationError(error.into()))?;
    let query = diesel::sql_query(include_str!("sql/begin_instance_retry.sql"))
        .bind::<Array<Text>, _>(&filter.statuses)
        .bind::<Uuid, _>(first)
        .bind::<Uuid, _>(last)
        .bind::<Nullable<Uuid>, _>(filter.event_id)
        .bind::<Jsonb, _>(of_project)
        .bind::<Uuid, _>(id);
    let matching: Vec<Matching> = conn
        .transaction::<_, Error, _>(async |conn| {
            deadline::set(conn).await?;
            query.load(conn).await
        })
        .await?;
    let all = matching.len();
    let runs: Vec<_> = matching.into_iter().filter_map(|row| Some((row.project_id, row.batch_run_id?))).collect();
    Ok(BegunRetry { id, skipped: all - runs.len(), runs })
}

/// How many deliveries of live projects the filter lets through.
///
/// # Errors
/// The database fails, or takes longer than [`deadline::QUERY_MAX`].
pub async fn count_all_projects(conn: &mut AsyncPgConnection, filter: &InstanceRetryFilter) -> QueryResult<i64> {
    let (first, last) = filter.bounds();
    let query = diesel::sql_query(include_str!("sql/count_instance_retry.sql"))
        .bind::<Array<Text>, _>(&filter.statuses)
        .bind::<Uuid, _>(first)
        .bind::<Uuid, _>(last)
        .bind::<Nullable<Uuid>, _>(filter.event_id);
    conn.transaction::<Count, Error, _>(async |conn| {
        deadline::set(conn).await?;
        query.get_result(conn).await
    })
    .await
    .map(|count| count.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_is_where_its_runs_are() {
        let of = |projects: i64, (pending, processing, failed): (i64, i64, i64)| {
            let (id, now) = (InstanceBatchId::generate(), Utc::now());
            let filter = serde_json::Value::Null;
            InstanceRetry {
                id,
                projects,
                done: 0,
                pending,
                processing,
                failed,
                filter,
                created_at: now,
                updated_at: now,
            }
            .status()
        };
        for (projects, of_runs, status) in [
            (2, (2, 0, 0), BatchStatus::Pending),
            (2, (1, 0, 0), BatchStatus::Processing),
            (3, (1, 1, 1), BatchStatus::Processing),
            (2, (0, 1, 1), BatchStatus::Processing),
            (2, (0, 0, 1), BatchStatus::Failed),
            (2, (0, 0, 0), BatchStatus::Completed),
        ] {
            assert_eq!(of(projects, of_runs), status, "{of_runs:?} of {projects}");
        }
    }

    #[test]
    fn an_event_s_deliveries_lie_within_its_millisecond_and_within_the_window() {
        let now = Utc::now();
        let filter = |event_id| InstanceRetryFilter {
            statuses: vec![DeliveryStatus::Failure],
            event_id,
            from: now - chrono::TimeDelta::hours(1),
            to: now,
        };
        let inside = EventId::first_at(now - chrono::TimeDelta::minutes(1));
        let (first, last) = filter(Some(inside)).bounds();
        assert_eq!((first.created_at(), last.created_at()), (inside.created_at(), inside.created_at()));
        let (first, last) = filter(Some(EventId::first_at(now - chrono::TimeDelta::hours(2)))).bounds();
        assert!(first > last, "nothing lies between");
        let (first, last) = filter(None).bounds();
        assert_eq!((last.created_at() - first.created_at()).num_minutes(), 60);
    }
}
