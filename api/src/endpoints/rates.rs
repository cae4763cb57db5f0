//! How an endpoint's deliveries went in a period, contract section 2.2.

use std::collections::HashSet;

use posthouse_boxed::boxed;
use posthouse_schema::{
    endpoint::Endpoint,
    event_delivery::{self, EndpointTotals},
    ids::EndpointId,
};
use salvo::{oapi::ToSchema, prelude::*};
use serde::Serialize;

use crate::{
    auth::{Need, scoped},
    error::ApiResult,
    query,
    reply::Reply,
};

/// Endpoints that one answer tells of; further ones are passed over.
const ENDPOINTS_MAX: usize = 100;

/// An endpoint's deliveries in a period. All but `uid` are null for an endpoint that does not exist.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeriodRatesWire {
    /// The endpoint.
    pub uid: String,
    /// Of the deliveries that came to an end, those that failed, in percent.
    pub period_failure_rate: Option<f64>,
    /// Deliveries that succeeded.
    pub success_count: Option<i64>,
    /// Deliveries that were given up.
    pub failure_count: Option<i64>,
    /// Deliveries that failed and will be tried again.
    pub retry_count: Option<i64>,
}

/// Reads how deliveries went in a period
///
/// Query: `endpointId` (repeatable; the first 100 count), `startDate` and `endDate` of the events' acceptance (the last
/// seven days where they are missing).
#[endpoint(tags("Endpoints"), operation_id = "GetEndpointsPeriodFailureRates")]
#[boxed]
pub async fn period_failure_rates(req: &mut Request, depot: &mut Depot) -> ApiResult<Vec<PeriodRatesWire>> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let period = query::window(req, chrono::Utc::now())?;
    let mut seen = HashSet::new();
    let mut ids: Vec<EndpointId> = access.endpoints(query::ids(req, "endpointId")?)?;
    ids.retain(|id| access.reaches(*id) && seen.insert(*id));
    ids.truncate(ENDPOINTS_MAX);
    let mut conn = app.conn().await?;
    let known = Endpoint::find_many(&mut conn, project.id, &ids).await?;
    let totals = event_delivery::endpoint_totals(&mut conn, project.id, &ids, period).await?;
    let rates = ids.into_iter().map(|id| {
        let none = EndpointTotals { endpoint_id: id, success: 0, failure: 0, retry: 0 };
        let found = totals.iter().find(|totals| totals.endpoint_id == id).copied();
        let is_known = known.iter().any(|endpoint| endpoint.id == id);
        PeriodRatesWire::new(id, found.or(is_known.then_some(none)))
    });
    Ok(Reply::ok("Endpoint period failure rates fetched successfully", rates.collect::<Vec<_>>()))
}

impl PeriodRatesWire {
    fn new(id: EndpointId, totals: Option<EndpointTotals>) -> Self {
        Self {
            uid: id.to_string(),
            period_failure_rate: totals.map(|totals| percent(totals.failure, totals.failure + totals.success)),
            success_count: totals.map(|totals| totals.success),
            failure_count: totals.map(|totals| totals.failure),
            retry_count: totals.map(|totals| totals.retry),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^52")]
fn percent(part: i64, all: i64) -> f64 {
    if all == 0 { 0.0 } else { part as f64 * 100.0 / all as f64 }
}
