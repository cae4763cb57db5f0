//! What became of a tick's job, as the workers tell it.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, HasQuery, OptionalExtension, QueryDsl, QueryResult, QueryableByName,
    sql_types::{BigInt, Nullable, Text, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::tables::schedule_ticks;

/// Characters of an error that are kept.
const ERROR_CHARS_MAX: usize = 1_000;

/// A row of `schedule_ticks`: one run of a schedule.
#[derive(Debug, Clone, PartialEq, HasQuery)]
#[diesel(table_name = schedule_ticks)]
pub struct ScheduleRun {
    /// The schedule.
    pub name: String,
    /// When it was due, or asked for.
    pub tick_at: DateTime<Utc>,
    /// When its job went into the queue; `None`: it is still to go.
    pub enqueued_at: Option<DateTime<Utc>>,
    /// Who asked for it; `None`: the clock.
    pub requested_by: Option<String>,
    /// The instance that worked on it last.
    pub worker: Option<String>,
    /// How often it was begun.
    pub tries: i32,
    /// When its last try began.
    pub started_at: Option<DateTime<Utc>>,
    /// When that ended; `None`: it runs, or died with its worker.
    pub finished_at: Option<DateTime<Utc>>,
    /// What it did, if it succeeded.
    pub result: Option<serde_json::Value>,
    /// Why its last try failed.
    pub error: Option<String>,
}

impl ScheduleRun {
    /// `waiting`, `queued`, `running`, `succeeded` or `failed`; what failed may be tried again by the queue.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match (self.enqueued_at, self.started_at, self.finished_at) {
            (None, None, _) => "waiting",
            (Some(_), None, _) => "queued",
            (_, Some(_), None) => "running",
            (_, Some(_), Some(_)) if self.error.is_some() => "failed",
            (_, Some(_), Some(_)) => "succeeded",
        }
    }

    /// The schedule's newest runs, the newest first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(conn: &mut AsyncPgConnection, name: &str, limit: i64) -> QueryResult<Vec<Self>> {
        Self::query()
            .filter(schedule_ticks::name.eq(name))
            .order(schedule_ticks::tick_at.desc())
            .limit(limit)
            .load(conn)
            .await
    }

    /// The newest run that has begun, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn last_begun(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<Option<Self>> {
        Self::query()
            .filter(schedule_ticks::name.eq(name))
            .filter(schedule_ticks::started_at.is_not_null())
            .order(schedule_ticks::tick_at.desc())
            .first(conn)
            .await
            .optional()
    }

    /// The newest run that has succeeded, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn last_success(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<Option<Self>> {
        Self::query()
            .filter(schedule_ticks::name.eq(name))
            .filter(schedule_ticks::finished_at.is_not_null())
            .filter(schedule_ticks::error.is_null())
            .order(schedule_ticks::tick_at.desc())
            .first(conn)
            .await
            .optional()
    }
}

/// Notes that an instance begins with the tick's job.
///
/// # Errors
/// The database fails.
pub async fn begin_run(
    conn: &mut AsyncPgConnection,
    (name, tick): (&str, DateTime<Utc>),
    worker: &str,
) -> QueryResult<()> {
    diesel::update(schedule_ticks::table.find((name, tick)))
        .set((
            schedule_ticks::worker.eq(worker),
            schedule_ticks::tries.eq(schedule_ticks::tries + 1),
            schedule_ticks::started_at.eq(diesel::dsl::now),
            schedule_ticks::finished_at.eq(None::<DateTime<Utc>>),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes how it ended: with what it did, or why it failed.
///
/// # Errors
/// The database fails.
pub async fn end_run(
    conn: &mut AsyncPgConnection,
    (name, tick): (&str, DateTime<Utc>),
    outcome: Result<&serde_json::Value, &str>,
) -> QueryResult<()> {
    let error =
        outcome.err().map(|error| error.chars().filter(|c| *c != '\0').take(ERROR_CHARS_MAX).collect::<String>());
    diesel::update(schedule_ticks::table.find((name, tick)))
        .set((
            schedule_ticks::finished_at.eq(diesel::dsl::now),
            schedule_ticks::result.eq(outcome.ok()),
            schedule_ticks::error.eq(error),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets runs before `before`, but for each schedule's last: what was missed is counted from it. Returns how many.
///
/// # Errors
/// The database fails.
pub async fn forget_runs(conn: &mut AsyncPgConnection, before: DateTime<Utc>) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM schedule_ticks AS t WHERE t.tick_at < $1 AND t.enqueued_at IS NOT NULL AND EXISTS \
         (SELECT FROM schedule_ticks n WHERE n.name = t.name AND n.tick_at > t.tick_at AND n.requested_by IS NULL)",
    )
    .bind::<Timestamptz, _>(before)
    .execute(conn)
    .await
}

/// What the audits since an instant have found together, and the newest of them by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, QueryableByName)]
pub struct AuditSums {
    /// Events that were looked at.
    #[diesel(sql_type = BigInt)]
    pub audited: i64,
    /// Those that did not add up.
    #[diesel(sql_type = BigInt)]
    pub inconsistent: i64,
    /// Deliveries that the newest found overdue.
    #[diesel(sql_type = BigInt)]
    pub overdue: i64,
    /// Up to where the newest looked; `None`: there was none.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub until: Option<DateTime<Utc>>,
}

/// Sums up what the runs of the audit's schedule since this instant have told.
///
/// # Errors
/// The database fails.
pub async fn sum_audits(conn: &mut AsyncPgConnection, name: &str, since: DateTime<Utc>) -> QueryResult<AuditSums> {
    diesel::sql_query(include_str!("../sql/sum_audits.sql"))
        .bind::<Text, _>(name)
        .bind::<Timestamptz, _>(since)
        .get_result(conn)
        .await
}
