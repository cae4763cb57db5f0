//! What a query matches, all of it: tried again in the background, or counted.

use posthouse_boxed::boxed;
use posthouse_schema::{
    event_delivery,
    words::{BatchKind, DeliveryStatus},
};
use salvo::prelude::*;

use super::{
    filter,
    wire::{CountWire, StatusTotalsWire},
};
use crate::{
    auth::{Need, scoped},
    batches,
    error::ApiResult,
    reply::{NoData, Reply},
};

/// Why a second one is refused.
pub const RETRY_IS_ACTIVE: &str = "an active batch retry already exists";

/// Sends all deliveries again that failed or were discarded
///
/// Takes the filters of the list in its query, and looks at everything that they match, whatever the number. It is done in
/// the background; one such run can be active in a project. Deliveries that succeeded or will be tried by themselves, and
/// those to endpoints that do not receive, stay as they are. The header `X-Posthouse-Batch-ID` of the answer names the batch.
#[endpoint(tags("Event Deliveries"), operation_id = "BatchRetryEventDelivery")]
#[boxed]
pub async fn batch_retry(req: &mut Request, depot: &mut Depot, res: &mut Response) -> ApiResult<NoData> {
    let (app, project, access) = scoped(req, depot, Need::Manage).await?;
    let mut conn = app.conn().await?;
    let mut filter = filter::read(req, &mut conn, project.id, &access).await?;
    // What comes later was not asked for.
    let now = chrono::Utc::now();
    filter.to = Some(filter.to.map_or(now, |to| to.min(now)));
    drop(conn);
    let retry = (BatchKind::Retry, &filter);
    batches::begin(&app, project.id, retry, RETRY_IS_ACTIVE, res).await?;
    Ok(Reply::ok("Batch retry processing", NoData))
}

/// Counts what a batch retry would send again
#[endpoint(tags("Event Deliveries"), operation_id = "CountBatchRetryEvents")]
#[boxed]
pub async fn count_batch_retry(req: &mut Request, depot: &mut Depot) -> ApiResult<CountWire> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let mut conn = app.conn().await?;
    let mut filter = filter::read(req, &mut conn, project.id, &access).await?;
    let failed = [DeliveryStatus::Failure, DeliveryStatus::Discarded];
    if filter.statuses.is_empty() {
        filter.statuses = failed.to_vec();
    }
    let totals = event_delivery::status_totals(&mut conn, project.id, &filter).await?;
    let num = totals.iter().filter(|(status, _)| failed.contains(status)).map(|(_, number)| number).sum();
    Ok(Reply::ok("event deliveries count successful", CountWire { num }))
}

/// Counts deliveries by status
#[endpoint(tags("Event Deliveries"), operation_id = "GetEventDeliveriesStatusTotals")]
#[boxed]
pub async fn status_totals(req: &mut Request, depot: &mut Depot) -> ApiResult<StatusTotalsWire> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let mut conn = app.conn().await?;
    let filter = filter::read(req, &mut conn, project.id, &access).await?;
    let totals = event_delivery::status_totals(&mut conn, project.id, &filter).await?;
    let totals = totals.into_iter().map(|(status, number)| (status.to_string(), number)).collect();
    Ok(Reply::ok(
        "event delivery status totals fetched successfully",
        StatusTotalsWire { totals, source: "live".into() },
    ))
}
