//! Counts activity behind the hot path, in the order in which events were stored. A window is counted anew, from its rows, when
//! an event of it was stored or replayed, when the number of its unfinished deliveries is another than it was, and when
//! somebody had its deliveries sent again; so a count that was made twice is the same as one that was made once.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, define_sql_function,
    result::Error,
    sql_types::{Array, BigInt, Nullable, Timestamptz, Uuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::window::{KEPT, WINDOW_SECONDS, window};
use crate::{
    ids::{EventDeliveryId, EventId, ProjectId},
    tables::activity_mark,
};

/// Events whose windows one page notes.
const PAGE_EVENTS: i64 = 200_000;
/// Windows that are counted in one transaction.
const WINDOWS_AT_ONCE: i64 = 50;
/// Held by whoever notes or counts.
const ADVISORY_LOCK: i64 = 0x706f_7374_4163_7469;

define_sql_function! {
    /// Takes a lock until the end of the transaction, unless another has it.
    fn pg_try_advisory_xact_lock(key: BigInt) -> Bool;
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// So many windows were counted, and there may be more to do.
    Windows(usize),
    /// The windows of the next events were noted.
    Noted,
    /// Everything that was stored for sure until then is counted.
    UpToDate,
    /// Another worker is at it.
    Busy,
}

#[derive(QueryableByName)]
struct Reached {
    #[diesel(sql_type = Nullable<Timestamptz>)]
    stored_at: Option<DateTime<Utc>>,
}

#[derive(QueryableByName)]
struct Horizon {
    #[diesel(sql_type = Timestamptz)]
    settled: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Window {
    #[diesel(sql_type = Uuid)]
    project_id: ProjectId,
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
}

/// Counts the next windows of all projects, or notes which those of the next events are that were stored until `until`. What is
/// noted is counted first, so that the mark is never far ahead of the counts. Whoever goes on until all is counted keeps to one
/// instant that is [`settled`]: under load there is always something newer, and the newest window would be counted again and
/// again.
///
/// # Errors
/// The database fails; what the step would have done is left to the next.
pub async fn count_all_projects(conn: &mut AsyncPgConnection, until: DateTime<Utc>) -> QueryResult<Counted> {
    conn.transaction::<_, Error, _>(async |conn| {
        if !lock(conn).await? {
            return Ok(Counted::Busy);
        }
        let windows: Vec<Window> = diesel::sql_query(include_str!("../sql/activity_take.sql"))
            .bind::<BigInt, _>(WINDOWS_AT_ONCE)
            .load(conn)
            .await?;
        if windows.is_empty() {
            return note_stored(conn, until).await;
        }
        count(conn, &windows).await?;
        Ok(Counted::Windows(windows.len()))
    })
    .await
}

/// Notes the windows of all projects in which the number of unfinished deliveries has changed, and forgets those that are too
/// old.
///
/// # Errors
/// The database fails; nothing is noted.
pub async fn note_open_all_projects(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    conn.transaction::<_, Error, _>(async |conn| {
        if !lock(conn).await? {
            return Ok(());
        }
        let first = first_window();
        for statement in [include_str!("../sql/activity_note_open.sql"), include_str!("../sql/activity_end.sql")] {
            diesel::sql_query(statement).bind::<Timestamptz, _>(first).execute(conn).await?;
        }
        Ok(())
    })
    .await
}

/// Notes the windows of deliveries that are unfinished again. In the transaction that changes them, and after it has.
///
/// # Errors
/// The database fails.
pub(crate) async fn note_changed(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    ids: Vec<EventDeliveryId>,
) -> QueryResult<()> {
    diesel::sql_query(include_str!("../sql/activity_note_changed.sql"))
        .bind::<Uuid, _>(project)
        .bind::<Array<Uuid>, _>(ids)
        .bind::<Timestamptz, _>(first_window())
        .execute(conn)
        .await?;
    Ok(())
}

/// Up to when everything that was stored can be seen: a few seconds ago.
///
/// # Errors
/// The database fails.
pub async fn settled(conn: &mut AsyncPgConnection) -> QueryResult<DateTime<Utc>> {
    let horizon: Horizon = diesel::sql_query(include_str!("../sql/search_horizon.sql")).get_result(conn).await?;
    Ok(horizon.settled)
}

fn first_window() -> DateTime<Utc> {
    window(Utc::now() - KEPT)
}

async fn lock(conn: &mut AsyncPgConnection) -> QueryResult<bool> {
    diesel::select(pg_try_advisory_xact_lock(ADVISORY_LOCK)).get_result(conn).await
}

async fn note_stored(conn: &mut AsyncPgConnection, until: DateTime<Utc>) -> QueryResult<Counted> {
    let after: DateTime<Utc> = activity_mark::table.select(activity_mark::stored_at).first(conn).await?;
    let until = settled(conn).await?.min(until);
    let reached: Reached = diesel::sql_query(include_str!("../sql/activity_note_stored.sql"))
        .bind::<Timestamptz, _>(after)
        .bind::<Timestamptz, _>(until)
        .bind::<BigInt, _>(PAGE_EVENTS)
        .bind::<Timestamptz, _>(first_window())
        .get_result(conn)
        .await?;
    let Some(stored_at) = reached.stored_at else { return Ok(Counted::UpToDate) };
    diesel::update(activity_mark::table).set(activity_mark::stored_at.eq(stored_at)).execute(conn).await?;
    Ok(Counted::Noted)
}

/// From the rows, after the windows were taken: a change that is committed later is noted again.
async fn count(conn: &mut AsyncPgConnection, windows: &[Window]) -> QueryResult<()> {
    let projects: Vec<ProjectId> = windows.iter().map(|window| window.project_id).collect();
    let begins: Vec<DateTime<Utc>> = windows.iter().map(|window| window.at).collect();
    let end = |at: &DateTime<Utc>| *at + TimeDelta::seconds(WINDOW_SECONDS) - TimeDelta::milliseconds(1);
    diesel::sql_query(include_str!("../sql/activity_forget.sql"))
        .bind::<Array<Uuid>, _>(&projects)
        .bind::<Array<Timestamptz>, _>(&begins)
        .execute(conn)
        .await?;
    diesel::sql_query(include_str!("../sql/activity_count_events.sql"))
        .bind::<Array<Uuid>, _>(&projects)
        .bind::<Array<Timestamptz>, _>(&begins)
        .bind::<Array<Uuid>, _>(begins.iter().map(|at| EventId::first_at(*at)).collect::<Vec<_>>())
        .bind::<Array<Uuid>, _>(begins.iter().map(|at| EventId::last_at(end(at))).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    diesel::sql_query(include_str!("../sql/activity_count_deliveries.sql"))
        .bind::<Array<Uuid>, _>(&projects)
        .bind::<Array<Timestamptz>, _>(&begins)
        .bind::<Array<Uuid>, _>(begins.iter().map(|at| EventDeliveryId::first_at(*at)).collect::<Vec<_>>())
        .bind::<Array<Uuid>, _>(begins.iter().map(|at| EventDeliveryId::last_at(end(at))).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(())
}
