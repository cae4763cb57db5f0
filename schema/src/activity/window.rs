//! Windows of five minutes by the time in ids, in which activity is counted, and the edge between what is counted and what is
//! read from the rows.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Timestamptz, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::ids::{EventDeliveryId, EventId, ProjectId};

/// Seconds of a window, as in the function `activity_window`.
pub const WINDOW_SECONDS: i64 = 300;
/// Windows older than this are neither counted nor kept.
pub(super) const KEPT: TimeDelta = TimeDelta::days(8);
/// Deliveries that are read from their rows for a sum, about: where the windows at the edge have more, their last count has to
/// do, which is half a minute old.
const ROWS_MAX: i64 = 50_000;

/// The beginning of the window of an instant.
#[must_use]
pub fn window(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp() - at.timestamp().rem_euclid(WINDOW_SECONDS), 0).unwrap_or(at)
}

/// A time of which the first part is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parted {
    /// The window in which it begins.
    pub(crate) first_window: DateTime<Utc>,
    /// The first window that is not counted.
    pub(crate) edge: DateTime<Utc>,
    rows: (DateTime<Utc>, DateTime<Utc>),
}

impl Parted {
    /// The first and the last id of events that are not counted.
    pub(crate) fn events(&self) -> (EventId, EventId) {
        (EventId::first_at(self.rows.0), EventId::last_at(self.rows.1))
    }

    /// The first and the last id of deliveries that are not counted.
    pub(crate) fn deliveries(&self) -> (EventDeliveryId, EventDeliveryId) {
        (EventDeliveryId::first_at(self.rows.0), EventDeliveryId::last_at(self.rows.1))
    }
}

#[derive(QueryableByName)]
struct Edge {
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    counted: i64,
}

/// Parts the time between two instants, both included, at what is counted of this project.
///
/// # Errors
/// The database fails.
pub(crate) async fn part(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> QueryResult<Parted> {
    let edge: Edge =
        diesel::sql_query(include_str!("../sql/activity_edge.sql")).bind::<Uuid, _>(project).get_result(conn).await?;
    // Beyond the end there are no rows to be read.
    let edge = if edge.counted > ROWS_MAX { to.max(edge.at) + TimeDelta::seconds(WINDOW_SECONDS) } else { edge.at };
    Ok(Parted { first_window: window(from), edge, rows: (from.max(edge), to) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_five_minutes() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (instant, begins) in [
            ("2026-01-02T03:04:59.999Z", "2026-01-02T03:00:00Z"),
            ("2026-01-02T03:05:00Z", "2026-01-02T03:05:00Z"),
            ("1969-12-31T23:59:59Z", "1969-12-31T23:55:00Z"),
        ] {
            assert_eq!(window(at(instant)), at(begins));
        }
    }
}
