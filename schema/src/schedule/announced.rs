//! What the active scheduler says of its schedules, so that everybody else can show them; and what it has to know of each.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, HasQuery, OptionalExtension, QueryDsl, QueryResult,
    sql_types::{BigInt, Integer, Jsonb, Nullable, Text, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::last_tick;
use crate::{lease::FencingToken, statement::Statement, tables::schedules};

/// A schedule as the settings make it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSchedule {
    /// Names it.
    pub name: &'static str,
    /// When it ticks, in UTC: seconds, minutes, hours, day of month, month, day of week.
    pub cron: String,
    /// Missed ticks that are made up for.
    pub catch_up_max: i32,
    /// By how many seconds a tick may be late on purpose.
    pub jitter_seconds: i32,
    /// What its jobs are told.
    pub settings: serde_json::Value,
    /// Its next tick.
    pub next_tick_at: Option<DateTime<Utc>>,
}

/// Where a schedule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Ticks after this are due, or will be.
    pub since: DateTime<Utc>,
    /// Whether nothing is due, whatever the clock says.
    pub is_paused: bool,
}

/// What was said of a schedule.
#[derive(HasQuery)]
#[diesel(table_name = schedules)]
struct Words {
    created_at: DateTime<Utc>,
    paused_at: Option<DateTime<Utc>>,
    resumed_at: Option<DateTime<Utc>>,
}

/// Makes these the schedules that there are; others that were announced before are retired. `false`: the lease has gone to a
/// later term.
///
/// # Errors
/// The database fails.
pub async fn announce(
    conn: &mut AsyncPgConnection,
    all: &[NewSchedule],
    holder: &str,
    (lease, token): (&str, FencingToken),
) -> QueryResult<bool> {
    for schedule in all {
        let announced = Statement::new(include_str!("../sql/announce_schedule.sql"))
            .bind::<Text, _>(schedule.name)
            .bind::<Text, _>(schedule.cron.as_str())
            .bind::<Integer, _>(schedule.catch_up_max)
            .bind::<Integer, _>(schedule.jitter_seconds)
            .bind::<Jsonb, _>(&schedule.settings)
            .bind::<Nullable<Timestamptz>, _>(schedule.next_tick_at)
            .bind::<Text, _>(holder)
            .bind::<Text, _>(lease)
            .bind::<BigInt, _>(token.0)
            .execute(conn)
            .await?;
        if announced == 0 {
            return Ok(false);
        }
    }
    let names: Vec<&str> = all.iter().map(|schedule| schedule.name).collect();
    diesel::update(schedules::table.filter(schedules::name.ne_all(names)).filter(schedules::retired_at.is_null()))
        .set(schedules::retired_at.eq(diesel::dsl::now))
        .execute(conn)
        .await?;
    Ok(true)
}

/// Where the schedule stands; `None`: nobody has announced it.
///
/// # Errors
/// The database fails.
pub async fn standing(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<Option<Standing>> {
    let words: Option<Words> = Words::query().filter(schedules::name.eq(name)).first(conn).await.optional()?;
    let Some(words) = words else { return Ok(None) };
    // Before its first tick a schedule has missed what came since it is known.
    let last = last_tick(conn, name).await?.unwrap_or(words.created_at);
    let since = words.resumed_at.map_or(last, |resumed_at| last.max(resumed_at));
    Ok(Some(Standing { since, is_paused: words.paused_at.is_some() }))
}

/// Notes when the schedule will tick next, for those who look.
///
/// # Errors
/// The database fails.
pub async fn expect_next(conn: &mut AsyncPgConnection, name: &str, next: Option<DateTime<Utc>>) -> QueryResult<()> {
    diesel::update(schedules::table.find(name)).set(schedules::next_tick_at.eq(next)).execute(conn).await?;
    Ok(())
}
