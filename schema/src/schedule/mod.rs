//! The ticks of each schedule: noted before their jobs are pushed, and marked after. What a leader left half-done is known
//! to the next one, and a leader whose term is over can note nothing more. A tick that somebody asks for is one that was noted
//! and is still to be pushed.

mod announced;
mod run;
mod view;

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult,
    sql_types::{BigInt, Text, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

pub use self::{
    announced::{NewSchedule, Standing, announce, expect_next, standing},
    run::{AuditSums, ScheduleRun, begin_run, end_run, forget_runs, sum_audits},
    view::{ScheduleView, pause, request_run, resume},
};
use crate::{lease::FencingToken, tables::schedule_ticks};

/// The schedule's last tick, or `None` before its first. What was asked for is none of them: it makes up for nothing.
///
/// # Errors
/// The database fails.
pub async fn last_tick(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<Option<DateTime<Utc>>> {
    use schedule_ticks::dsl;
    dsl::schedule_ticks
        .filter(dsl::name.eq(name))
        .filter(dsl::requested_by.is_null())
        .select(dsl::tick_at)
        .order(dsl::tick_at.desc())
        .first(conn)
        .await
        .optional()
}

/// The schedule's ticks that were noted and not marked as enqueued, the oldest first.
///
/// # Errors
/// The database fails.
pub async fn interrupted_ticks(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<Vec<DateTime<Utc>>> {
    use schedule_ticks::dsl;
    dsl::schedule_ticks
        .filter(dsl::name.eq(name))
        .filter(dsl::enqueued_at.is_null())
        .filter(dsl::requested_by.is_null())
        .select(dsl::tick_at)
        .order(dsl::tick_at.asc())
        .load(conn)
        .await
}

/// Ticks that somebody asked for and that were not enqueued yet, the oldest first, up to `limit`.
///
/// # Errors
/// The database fails.
pub async fn requested_ticks(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<Vec<(String, DateTime<Utc>)>> {
    use schedule_ticks::dsl;
    dsl::schedule_ticks
        .filter(dsl::enqueued_at.is_null())
        .filter(dsl::requested_by.is_not_null())
        .select((dsl::name, dsl::tick_at))
        .order((dsl::name.asc(), dsl::tick_at.asc()))
        .limit(limit)
        .load(conn)
        .await
}

/// Notes a tick that is about to be enqueued. `false`: it was noted before, or the lease `lease` has gone to a later term.
///
/// # Errors
/// The database fails.
pub async fn note_tick(
    conn: &mut AsyncPgConnection,
    name: &str,
    tick: DateTime<Utc>,
    (lease, token): (&str, FencingToken),
) -> QueryResult<bool> {
    let noted = diesel::sql_query(
        "INSERT INTO schedule_ticks (name, tick_at, fencing_token) \
         SELECT $1, $2, $4 FROM leases WHERE leases.name = $3 AND leases.fencing_token = $4 \
         ON CONFLICT DO NOTHING",
    )
    .bind::<Text, _>(name)
    .bind::<Timestamptz, _>(tick)
    .bind::<Text, _>(lease)
    .bind::<BigInt, _>(token.0)
    .execute(conn)
    .await?;
    Ok(noted == 1)
}

/// Marks a tick as enqueued.
///
/// # Errors
/// The database fails; the next leader then enqueues it again.
pub async fn mark_enqueued(conn: &mut AsyncPgConnection, name: &str, tick: DateTime<Utc>) -> QueryResult<()> {
    diesel::update(schedule_ticks::table.find((name, tick)))
        .set(schedule_ticks::enqueued_at.eq(diesel::dsl::now))
        .execute(conn)
        .await?;
    Ok(())
}
