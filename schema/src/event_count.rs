//! How much there is in a project, from what is cheap to count: a day's events lie in one partition, and are counted in the
//! index of its primary key. A day that is over is counted once.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName,
    dsl::count_star,
    result::Error,
    sql_types::{Array, BigInt, Bool, Date, Uuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::{
    deadline,
    ids::{EndpointId, EventId, ProjectId},
    tables::{endpoints, event_day_counts},
};

/// Days whose events may still be on their way into the database: an event is written after its time, not before.
const OPEN_DAYS: u64 = 2;

/// Which kinds of things a project has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct Existing {
    /// Whether it has events.
    #[diesel(sql_type = Bool)]
    pub events: bool,
    /// Whether it has sources.
    #[diesel(sql_type = Bool)]
    pub sources: bool,
    /// Whether it has endpoints.
    #[diesel(sql_type = Bool)]
    pub endpoints: bool,
    /// Whether it has subscriptions.
    #[diesel(sql_type = Bool)]
    pub subscriptions: bool,
}

#[derive(QueryableByName)]
struct DayRow {
    #[diesel(sql_type = Date)]
    day: NaiveDate,
    #[diesel(sql_type = BigInt)]
    events: i64,
}

/// What the project has.
///
/// # Errors
/// The database fails.
pub async fn existing(conn: &mut AsyncPgConnection, project: ProjectId) -> QueryResult<Existing> {
    diesel::sql_query(include_str!("sql/project_has.sql")).bind::<Uuid, _>(project).get_result(conn).await
}

/// The project's endpoints.
///
/// # Errors
/// The database fails.
pub async fn endpoints(conn: &mut AsyncPgConnection, project: ProjectId) -> QueryResult<i64> {
    endpoints::table
        .filter(endpoints::project_id.eq(project))
        .filter(endpoints::deleted_at.is_null())
        .select(count_star())
        .first(conn)
        .await
}

/// The project's events of each day that had any, from `first` to `last`, seen from `now`.
///
/// # Errors
/// The database fails.
pub async fn by_day(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    (first, last): (NaiveDate, NaiveDate),
    now: DateTime<Utc>,
) -> QueryResult<Vec<(NaiveDate, i64)>> {
    let mut known: Vec<(NaiveDate, i64)> = event_day_counts::table
        .filter(event_day_counts::project_id.eq(project))
        .filter(event_day_counts::day.between(first, last))
        .select((event_day_counts::day, event_day_counts::events))
        .load(conn)
        .await?;
    let missing: Vec<NaiveDate> = first
        .iter_days()
        .take_while(|day| *day <= last.min(now.date_naive()))
        .filter(|day| known.iter().all(|(known, _)| known != day))
        .collect();
    let counted = count(conn, project, &missing).await?;
    let first_open = now.date_naive() - Days::new(OPEN_DAYS - 1);
    let closed: Vec<_> = counted
        .iter()
        .filter(|row| row.day < first_open)
        .map(|row| {
            (
                event_day_counts::project_id.eq(project),
                event_day_counts::day.eq(row.day),
                event_day_counts::events.eq(row.events),
            )
        })
        .collect();
    if !closed.is_empty() {
        diesel::insert_into(event_day_counts::table).values(closed).on_conflict_do_nothing().execute(conn).await?;
    }
    known.extend(counted.into_iter().map(|row| (row.day, row.events)));
    known.sort_unstable();
    Ok(known)
}

/// The project's events that went to one of these endpoints, of each day that had any and is still stored.
///
/// # Errors
/// The database fails, or takes longer than [`deadline::QUERY_MAX`].
pub async fn of_endpoints_by_day(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    endpoints: &[EndpointId],
    (first, last): (NaiveDate, NaiveDate),
) -> QueryResult<Vec<(NaiveDate, i64)>> {
    let days: Vec<NaiveDate> = first.iter_days().take_while(|day| *day <= last).collect();
    let (first, last) = bounds(&days);
    let query = diesel::sql_query(include_str!("sql/count_events_of_endpoints.sql"))
        .bind::<Uuid, _>(project)
        .bind::<Array<Date>, _>(days)
        .bind::<Array<Uuid>, _>(first)
        .bind::<Array<Uuid>, _>(last)
        .bind::<Array<Uuid>, _>(endpoints);
    let rows: Vec<DayRow> = conn
        .transaction::<_, Error, _>(async |conn| {
            deadline::set(conn).await?;
            query.load(conn).await
        })
        .await?;
    Ok(rows.into_iter().map(|row| (row.day, row.events)).collect())
}

/// The first and the last id of each day.
fn bounds(days: &[NaiveDate]) -> (Vec<EventId>, Vec<EventId>) {
    let begin = |day: &NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    let end = |day: &NaiveDate| begin(day) + TimeDelta::days(1) - TimeDelta::milliseconds(1);
    (
        days.iter().map(|day| EventId::first_at(begin(day))).collect(),
        days.iter().map(|day| EventId::last_at(end(day))).collect(),
    )
}

/// The latest `days` days that are over, the oldest first, seen from `now`.
pub fn closed_days(now: DateTime<Utc>, days: u64) -> impl Iterator<Item = NaiveDate> {
    let today = now.date_naive();
    (OPEN_DAYS..OPEN_DAYS + days).rev().map(move |ago| today - Days::new(ago))
}

/// Counts the events of a day that is over in all projects, while they are there; what was counted stays. Returns how many
/// projects were counted.
///
/// # Errors
/// The database fails.
pub async fn count_day_all_projects(conn: &mut AsyncPgConnection, day: NaiveDate) -> QueryResult<usize> {
    let (first, last) = bounds(&[day]);
    diesel::sql_query(
        "INSERT INTO event_day_counts (project_id, day, events) \
         SELECT project_id, $1, count(*) FROM events WHERE id BETWEEN $2[1] AND $3[1] GROUP BY project_id \
         ON CONFLICT DO NOTHING",
    )
    .bind::<Date, _>(day)
    .bind::<Array<Uuid>, _>(first)
    .bind::<Array<Uuid>, _>(last)
    .execute(conn)
    .await
}

async fn count(conn: &mut AsyncPgConnection, project: ProjectId, days: &[NaiveDate]) -> QueryResult<Vec<DayRow>> {
    if days.is_empty() {
        return Ok(Vec::new());
    }
    let (first, last) = bounds(days);
    diesel::sql_query(include_str!("sql/count_events.sql"))
        .bind::<Uuid, _>(project)
        .bind::<Array<Date>, _>(days)
        .bind::<Array<Uuid>, _>(first)
        .bind::<Array<Uuid>, _>(last)
        .load(conn)
        .await
}
