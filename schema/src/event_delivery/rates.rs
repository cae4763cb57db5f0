//! How the deliveries of some endpoints went in a period.

use chrono::{DateTime, Utc};
use diesel::{AggregateExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, dsl::count, result::Error};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::{
    deadline,
    ids::{EndpointId, EventDeliveryId, ProjectId},
    tables::event_deliveries,
    words::DeliveryStatus,
};

/// An endpoint's deliveries of a period by where they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointTotals {
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// Those that succeeded.
    pub success: i64,
    /// Those that were given up.
    pub failure: i64,
    /// Those that failed and will be tried again.
    pub retry: i64,
}

/// The totals of those of `endpoints` that had deliveries of events accepted between `from` and `to`.
///
/// # Errors
/// The database fails, or takes longer than [`deadline::QUERY_MAX`].
pub async fn endpoint_totals(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    endpoints: &[EndpointId],
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> QueryResult<Vec<EndpointTotals>> {
    let of = |status: DeliveryStatus| count(event_deliveries::id).aggregate_filter(event_deliveries::status.eq(status));
    let query = event_deliveries::table
        .filter(event_deliveries::project_id.eq(project))
        .filter(event_deliveries::endpoint_id.eq_any(endpoints))
        .filter(event_deliveries::id.between(EventDeliveryId::first_at(from), EventDeliveryId::last_at(to)))
        .group_by(event_deliveries::endpoint_id)
        .select((
            event_deliveries::endpoint_id,
            of(DeliveryStatus::Success),
            of(DeliveryStatus::Failure),
            of(DeliveryStatus::Retry),
        ));
    let rows = conn
        .transaction::<Vec<(EndpointId, i64, i64, i64)>, Error, _>(async |conn| {
            deadline::set(conn).await?;
            query.load(conn).await
        })
        .await?;
    let totals = |(endpoint_id, success, failure, retry)| EndpointTotals { endpoint_id, success, failure, retry };
    Ok(rows.into_iter().map(totals).collect())
}
