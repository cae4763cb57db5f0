//! Runs over everything that a query matches: retries of failed deliveries and replays of events. The row says what is
//! wanted and how far it has come, so that a run survives its worker, its job, and Redis.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, HasQuery, Identifiable, OptionalExtension, QueryDsl, QueryResult,
    result::{DatabaseErrorKind, Error},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{BatchRunId, EventDeliveryId, EventId, InstanceBatchId, ProjectId},
    page::{Page, PageRequest},
    tables::batch_runs,
    words::{BatchKind, BatchStatus},
};

/// States in which a run goes on.
const UNFINISHED: [BatchStatus; 2] = [BatchStatus::Pending, BatchStatus::Processing];

/// A row of `batch_runs`.
#[derive(Debug, Clone, HasQuery, Identifiable)]
#[diesel(table_name = batch_runs, primary_key(project_id, id))]
pub struct BatchRun {
    /// The project.
    pub project_id: ProjectId,
    /// The run.
    pub id: BatchRunId,
    /// What is done.
    pub kind: BatchKind,
    /// With which rows: a `DeliveryFilter` of a retry, an `EventFilter` of a replay.
    pub filter: serde_json::Value,
    /// How far it has come.
    pub status: BatchStatus,
    /// The last row that was looked at, as the id of whatever kind it is.
    reached: Option<EventId>,
    /// Deliveries or events that were enqueued.
    pub done: i64,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it last went on.
    pub updated_at: DateTime<Utc>,
    /// The retry over the whole instance that it is part of.
    pub instance_batch_id: Option<InstanceBatchId>,
    /// What a replay that is only tried has found so far: a `BatchReport`.
    pub report: Option<serde_json::Value>,
}

impl BatchRun {
    /// The last event that a replay looked at.
    #[must_use]
    pub const fn reached_event(&self) -> Option<EventId> {
        self.reached
    }

    /// The last delivery that a retry looked at.
    #[must_use]
    pub fn reached_delivery(&self) -> Option<EventDeliveryId> {
        self.reached.map(|id| EventDeliveryId::from_bits(id.to_bits()))
    }

    /// The run with this id in this project, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(conn: &mut AsyncPgConnection, project: ProjectId, id: BatchRunId) -> QueryResult<Option<Self>> {
        Self::query()
            .filter(batch_runs::project_id.eq(project))
            .filter(batch_runs::id.eq(id))
            .first(conn)
            .await
            .optional()
    }

    /// A page of the project's runs.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        page: &PageRequest<BatchRunId>,
    ) -> QueryResult<Page<Self>> {
        let query = Self::query().filter(batch_runs::project_id.eq(project)).into_boxed();
        let query = match (page.reads_ascending(), page.cursor) {
            (true, Some(cursor)) => query.filter(batch_runs::id.ge(cursor)).order(batch_runs::id.asc()),
            (true, None) => query.order(batch_runs::id.asc()),
            (false, Some(cursor)) => query.filter(batch_runs::id.le(cursor)).order(batch_runs::id.desc()),
            (false, None) => query.order(batch_runs::id.desc()),
        };
        Ok(page.page(query.limit(page.rows_to_read()).load(conn).await?))
    }

    /// When what was last looked at was accepted.
    #[must_use]
    pub fn reached_at(&self) -> Option<DateTime<Utc>> {
        self.reached.map(|id| id.created_at())
    }

    /// Asks for a run. `None`: a retry of the project is under way already.
    ///
    /// # Errors
    /// The database fails.
    pub async fn insert(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        kind: BatchKind,
        filter: &serde_json::Value,
    ) -> QueryResult<Option<BatchRunId>> {
        let id = BatchRunId::generate();
        let inserted = diesel::insert_into(batch_runs::table)
            .values((
                batch_runs::project_id.eq(project),
                batch_runs::id.eq(id),
                batch_runs::kind.eq(kind),
                batch_runs::filter.eq(filter),
            ))
            .execute(conn)
            .await;
        match inserted {
            Ok(_) => Ok(Some(id)),
            Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Notes that everything up to `reached` is done, of which `done` rows were enqueued.
    ///
    /// # Errors
    /// The database fails; the same rows are then looked at again.
    pub async fn advance(
        &self,
        conn: &mut AsyncPgConnection,
        (reached, done): (u128, usize),
        report: Option<&serde_json::Value>,
    ) -> QueryResult<()> {
        let unfinished =
            batch_runs::table.find((self.project_id, self.id)).filter(batch_runs::status.eq_any(UNFINISHED));
        diesel::update(unfinished)
            .set((
                batch_runs::status.eq(BatchStatus::Processing),
                batch_runs::reached.eq(EventId::from_bits(reached)),
                batch_runs::done.eq(batch_runs::done + i64::try_from(done).unwrap_or(i64::MAX)),
                batch_runs::report.eq(report),
                batch_runs::updated_at.eq(diesel::dsl::now),
            ))
            .execute(conn)
            .await?;
        Ok(())
    }
}

/// Ends a run. `false`: it had ended before, or there is none.
///
/// # Errors
/// The database fails.
pub async fn end(
    conn: &mut AsyncPgConnection,
    (project, id): (ProjectId, BatchRunId),
    status: BatchStatus,
) -> QueryResult<bool> {
    let unfinished = batch_runs::table.find((project, id)).filter(batch_runs::status.eq_any(UNFINISHED));
    let ended = diesel::update(unfinished)
        .set((batch_runs::status.eq(status), batch_runs::updated_at.eq(diesel::dsl::now)))
        .execute(conn)
        .await?;
    Ok(ended == 1)
}

/// Up to `limit` unfinished runs that have not gone on since `before`: their jobs may be lost.
///
/// # Errors
/// The database fails.
pub async fn list_stranded_all_projects(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<(ProjectId, BatchRunId)>> {
    batch_runs::table
        // A literal, because the partial index applies only where the planner can see the states.
        .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("status IN ('pending', 'processing')"))
        .filter(batch_runs::updated_at.lt(before))
        .order(batch_runs::updated_at)
        .limit(limit)
        .select((batch_runs::project_id, batch_runs::id))
        .load(conn)
        .await
}

/// Forgets what ended before `before`; returns how many.
///
/// # Errors
/// The database fails.
pub async fn forget(conn: &mut AsyncPgConnection, before: DateTime<Utc>) -> QueryResult<usize> {
    diesel::delete(
        batch_runs::table.filter(batch_runs::updated_at.lt(before)).filter(batch_runs::status.ne_all(UNFINISHED)),
    )
    .execute(conn)
    .await
}
