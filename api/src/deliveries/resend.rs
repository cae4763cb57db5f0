//! Deliveries that are sent once more by hand, contract section 2.5. Bodies of `resend` are ignored: clients send what they
//! like.

use posthouse_boxed::boxed;
use posthouse_jobs::DeliverEvent;
use posthouse_schema::{
    endpoint::Endpoint,
    event::{self, Event},
    event_delivery::{self, EventDelivery},
    ids::EventDeliveryId,
    words::{DeliveryStatus, EndpointStatus},
};
use salvo::prelude::*;

use super::{
    find, show,
    wire::{DeliveryWire, ForceResendBody},
};
use crate::{
    app::App,
    auth::{Need, scoped},
    body::read_json,
    error::{ApiError, ApiResult},
    reply::{NoData, Reply},
};

/// Deliveries that one request may name.
const IDS_MAX: usize = 1_000;

/// Sends a delivery again that failed or was discarded
///
/// It gets one more attempt at once; further ones only if it has any left. A delivery that succeeded, or will be tried
/// again by itself, and one to an endpoint that does not receive, are refused.
#[endpoint(tags("Event Deliveries"), operation_id = "ResendEventDelivery")]
#[boxed]
pub async fn resend_delivery(req: &mut Request, depot: &mut Depot) -> ApiResult<DeliveryWire> {
    let (app, project, access) = scoped(req, depot, Need::Manage).await?;
    let mut conn = app.conn().await?;
    let old = find(req, &mut conn, project.id, &access)
        .await?
        .ok_or_else(|| ApiError::invalid("event delivery not found"))?;
    match old.status {
        DeliveryStatus::Failure | DeliveryStatus::Discarded => {}
        DeliveryStatus::Success => return Err(ApiError::invalid("event already sent")),
        DeliveryStatus::Scheduled | DeliveryStatus::Processing | DeliveryStatus::Retry => {
            return Err(ApiError::invalid("cannot resend event that did not fail previously"));
        }
    }
    let event = Event::find(&mut conn, project.id, old.event_id).await?;
    if event.is_none_or(|event| event.has_expired()) {
        return Err(ApiError::invalid(event::EXPIRED));
    }
    let resent = event_delivery::resend(&mut conn, project.id, &[old.id], &[old.status]).await?;
    let Some(row) = resent.into_iter().next() else {
        let endpoint = Endpoint::find(&mut conn, project.id, old.endpoint_id).await?;
        return Err(ApiError::invalid(match endpoint.map(|endpoint| endpoint.status) {
            None => "the endpoint was deleted",
            Some(EndpointStatus::Paused) => "the endpoint is currently paused",
            Some(EndpointStatus::Inactive) => "the endpoint is currently inactive",
            Some(EndpointStatus::Active) => "the delivery changed meanwhile, try again",
        }));
    };
    enqueue(&app, std::slice::from_ref(&row)).await;
    Ok(Reply::ok("App event processed for retry successfully", show(&mut conn, row, &access).await?))
}

/// Sends deliveries again that succeeded
///
/// All of them must have succeeded; those that are not found are passed over. The message says how many will be sent, and
/// how many not, because their endpoints do not receive.
#[endpoint(tags("Event Deliveries"), operation_id = "ForceResendEventDeliveries", request_body = ForceResendBody)]
#[boxed]
pub async fn force_resend(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let (app, project, access) = scoped(req, depot, Need::Manage).await?;
    let body: ForceResendBody = read_json(req, &app).await.map_err(|error| match error {
        ApiError::Invalid(_) => ApiError::invalid("Request is invalid"),
        other => other,
    })?;
    if body.ids.len() > IDS_MAX {
        return Err(ApiError::invalid(format!("ids: at most {IDS_MAX} are accepted")));
    }
    let ids: Vec<EventDeliveryId> = body.ids.iter().filter_map(|id| id.parse().ok()).collect();
    let mut conn = app.conn().await?;
    let found = event_delivery::find_many(&mut conn, project.id, &ids).await?;
    found.iter().try_for_each(|row| access.admit(row.endpoint_id))?;
    if found.iter().any(|row| row.status != DeliveryStatus::Success) {
        return Err(ApiError::invalid("only successful events can be force resent"));
    }
    let resent = event_delivery::resend(&mut conn, project.id, &ids, &[DeliveryStatus::Success]).await?;
    drop(conn);
    enqueue(&app, &resent).await;
    let failed = found.len().saturating_sub(resent.len());
    Ok(Reply::ok(format!("{} successful, {failed} failed", resent.len()), NoData))
}

/// The rows are the truth, and say that these are due: a queue that is away costs the time until the sweep sees them.
async fn enqueue(app: &App, rows: &[EventDelivery]) {
    let jobs: Vec<DeliverEvent> = rows
        .iter()
        .map(|row| DeliverEvent {
            project_id: row.project_id,
            event_delivery_id: row.id,
            endpoint_id: Some(row.endpoint_id),
        })
        .collect();
    if let Err(error) = app.queues.push_all(&jobs).await {
        tracing::warn!(deliveries = jobs.len(), error = %error, "Resent deliveries wait for the sweep.");
    }
}
