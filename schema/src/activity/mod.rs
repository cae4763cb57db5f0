//! What happened in a project over a period: events and deliveries in bars of equal length, how long deliveries took, and
//! which endpoints failed. Summed from counts of five minutes, and from the rows of what is not counted yet.

mod count;
mod window;

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult, QueryableByName,
    result::Error,
    sql_types::{Array, BigInt, Double, Nullable, Timestamptz, Uuid},
};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};

pub(crate) use self::{count::note_changed, window::part};
pub use self::{
    count::{Counted, count_all_projects, note_open_all_projects, settled},
    window::{WINDOW_SECONDS, window},
};
use crate::{
    deadline,
    ids::{EndpointId, EventDeliveryId, ProjectId},
};

/// A period in bars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Period {
    /// When it begins: the first bar's beginning, and that of a [`window`].
    pub from: DateTime<Utc>,
    /// When it ends.
    pub to: DateTime<Utc>,
    /// Seconds of a bar: a multiple of [`WINDOW_SECONDS`].
    pub bar_seconds: f64,
}

/// Events that were accepted during a bar.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct EventBar {
    /// When the bar begins.
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub events: i64,
}

/// Deliveries of events that were accepted during a bar.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct DeliveryBar {
    /// When the bar begins.
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    /// Those that succeeded.
    #[diesel(sql_type = BigInt)]
    pub success: i64,
    /// Those to which an attempt may follow.
    #[diesel(sql_type = BigInt)]
    pub open: i64,
    /// Those that were discarded.
    #[diesel(sql_type = BigInt)]
    pub discarded: i64,
    /// Those that were given up.
    #[diesel(sql_type = BigInt)]
    pub failure: i64,
}

/// An endpoint whose deliveries were given up.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Failing {
    /// The endpoint.
    #[diesel(sql_type = Uuid)]
    pub endpoint_id: EndpointId,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub failures: i64,
}

/// All of it. Bars without anything are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Events, the oldest first.
    pub events: Vec<EventBar>,
    /// Deliveries, the oldest first.
    pub deliveries: Vec<DeliveryBar>,
    /// Seconds within which 50, 95 and 99 in a hundred of those of the newest 10,000 deliveries arrived that succeeded.
    pub latency_seconds: Option<[f64; 3]>,
    /// Endpoints with most failures, the worst first.
    pub failing: Vec<Failing>,
}

#[derive(QueryableByName)]
struct Latency {
    #[diesel(sql_type = Nullable<Array<Double>>)]
    latency: Option<Vec<f64>>,
}

/// What happened in the period, with up to `failing_max` endpoints.
///
/// # Errors
/// The database fails, or takes longer than [`deadline::QUERY_MAX`].
pub async fn read(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    period: Period,
    failing_max: i64,
) -> QueryResult<Activity> {
    conn.transaction::<_, Error, _>(async |conn| {
        deadline::set(conn).await?;
        let parted = part(conn, project, (period.from, period.to)).await?;
        let (first, last) = parted.events();
        let events: Vec<EventBar> = diesel::sql_query(include_str!("../sql/activity_events.sql"))
            .bind::<Uuid, _>(project)
            .bind::<Timestamptz, _>(period.from)
            .bind::<Timestamptz, _>(parted.edge)
            .bind::<Uuid, _>(first)
            .bind::<Uuid, _>(last)
            .bind::<Double, _>(period.bar_seconds)
            .load(conn)
            .await?;
        let (first, last) = parted.deliveries();
        let bars: Vec<DeliveryBar> = diesel::sql_query(include_str!("../sql/activity_deliveries.sql"))
            .bind::<Uuid, _>(project)
            .bind::<Timestamptz, _>(period.from)
            .bind::<Timestamptz, _>(parted.edge)
            .bind::<Uuid, _>(first)
            .bind::<Uuid, _>(last)
            .bind::<Double, _>(period.bar_seconds)
            .load(conn)
            .await?;
        let failing: Vec<Failing> = diesel::sql_query(include_str!("../sql/activity_failing.sql"))
            .bind::<Uuid, _>(project)
            .bind::<Timestamptz, _>(period.from)
            .bind::<Timestamptz, _>(parted.edge)
            .bind::<Uuid, _>(first)
            .bind::<Uuid, _>(last)
            .bind::<BigInt, _>(failing_max)
            .load(conn)
            .await?;
        let latency: Latency = diesel::sql_query(include_str!("../sql/activity_latency.sql"))
            .bind::<Uuid, _>(project)
            .bind::<Uuid, _>(EventDeliveryId::first_at(period.from))
            .bind::<Uuid, _>(EventDeliveryId::last_at(period.to))
            .get_result(conn)
            .await?;
        let latency_seconds = latency.latency.and_then(|values| values.try_into().ok());
        Ok(Activity { events, deliveries: bars, latency_seconds, failing })
    })
    .await
}
