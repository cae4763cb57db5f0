//! The schedules as operators see them, and what they can do with one: run it now, pause it, let it go on.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, HasQuery, OptionalExtension, QueryDsl, QueryResult, QueryableByName, SelectableHelper,
    sql_types::{Text, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::tables::schedules;

/// A row of `schedules` that is in use.
#[derive(Debug, Clone, PartialEq, HasQuery)]
#[diesel(table_name = schedules, base_query = schedules::table.filter(schedules::retired_at.is_null()))]
pub struct ScheduleView {
    /// Names it.
    pub name: String,
    /// When it ticks, in UTC.
    pub cron: String,
    /// Missed ticks that are made up for.
    pub catch_up_max: i32,
    /// By how many seconds a tick may be late on purpose.
    pub jitter_seconds: i32,
    /// What its jobs are told.
    pub settings: serde_json::Value,
    /// Its next tick, as the active scheduler sees it.
    pub next_tick_at: Option<DateTime<Utc>>,
    /// The scheduler that announced it.
    pub announced_by: String,
    /// When that was.
    pub announced_at: DateTime<Utc>,
    /// Since when it is paused; `None`: it is not.
    pub paused_at: Option<DateTime<Utc>>,
    /// Who paused it, the last time.
    pub paused_by: Option<String>,
    /// When it was last let go on.
    pub resumed_at: Option<DateTime<Utc>>,
    /// Who did that.
    pub resumed_by: Option<String>,
}

impl ScheduleView {
    /// All of them, by name.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Self>> {
        Self::query().order(schedules::name.asc()).load(conn).await
    }

    /// The schedule of this name, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<Option<Self>> {
        Self::query().filter(schedules::name.eq(name)).first(conn).await.optional()
    }
}

/// Pauses the schedule, for all schedulers to come; one that is paused stays so, by whom it was. `None`: there is none.
///
/// # Errors
/// The database fails.
pub async fn pause(conn: &mut AsyncPgConnection, name: &str, by: &str) -> QueryResult<Option<ScheduleView>> {
    let running = schedules::table.find(name).filter(schedules::paused_at.is_null());
    diesel::update(running)
        .set((schedules::paused_at.eq(diesel::dsl::now), schedules::paused_by.eq(by)))
        .execute(conn)
        .await?;
    ScheduleView::find(conn, name).await
}

/// Lets the schedule go on; what was due while it was paused is not made up for. `None`: there is none.
///
/// # Errors
/// The database fails.
pub async fn resume(conn: &mut AsyncPgConnection, name: &str, by: &str) -> QueryResult<Option<ScheduleView>> {
    let paused = schedules::table.find(name).filter(schedules::paused_at.is_not_null());
    diesel::update(paused)
        .set((
            schedules::paused_at.eq(None::<DateTime<Utc>>),
            schedules::resumed_at.eq(diesel::dsl::now),
            schedules::resumed_by.eq(by),
        ))
        .returning(ScheduleView::as_returning())
        .get_result::<ScheduleView>(conn)
        .await
        .optional()?;
    ScheduleView::find(conn, name).await
}

#[derive(QueryableByName)]
struct Tick {
    #[diesel(sql_type = Timestamptz)]
    tick_at: DateTime<Utc>,
}

/// Asks for a run of the schedule as soon as there is an active scheduler, paused or not. Where one was asked for that is
/// still to be enqueued, that is it. Returns its tick, of about `now`; `None`: there is no such schedule.
///
/// # Errors
/// The database fails.
pub async fn request_run(
    conn: &mut AsyncPgConnection,
    (name, by): (&str, &str),
    now: DateTime<Utc>,
) -> QueryResult<Option<DateTime<Utc>>> {
    // Its job's id has the tick in milliseconds. Those of the clock are whole seconds, which this never is.
    let milliseconds = now.timestamp_millis() + i64::from(now.timestamp_subsec_millis() == 0);
    let tick = DateTime::from_timestamp_millis(milliseconds).unwrap_or(now);
    let tick: Option<Tick> = diesel::sql_query(include_str!("../sql/request_run.sql"))
        .bind::<Text, _>(name)
        .bind::<Text, _>(by)
        .bind::<Timestamptz, _>(tick)
        .get_result(conn)
        .await
        .optional()?;
    Ok(tick.map(|tick| tick.tick_at))
}
