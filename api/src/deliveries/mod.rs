//! Event deliveries and their attempts: read, list, count, and try again.

mod attempts;
mod batch;
pub mod filter;
mod resend;
pub mod wire;

use std::collections::HashMap;

use posthouse_boxed::boxed;
use posthouse_schema::{
    endpoint::Endpoint,
    event::{self, Event},
    event_delivery::{self, EventDelivery},
    ids::{EndpointId, EventDeliveryId, EventId, ProjectId},
    pool::PooledConnection,
};
use salvo::prelude::*;

use self::wire::DeliveryWire;
pub use self::{
    attempts::{get_attempt, list_attempts},
    batch::{RETRY_IS_ACTIVE, batch_retry, count_batch_retry, status_totals},
    resend::{force_resend, resend_delivery},
};
use crate::{
    auth::{Access, Need, scoped},
    endpoints::wire::EndpointWire,
    error::{ApiError, ApiResult},
    events::source_names::SourceNames,
    query::{self, Paged},
    redaction,
    reply::Reply,
};

/// The routes below a project.
pub fn router() -> Router {
    let attempts = Router::with_path("deliveryattempts")
        .get(list_attempts)
        .push(Router::with_path("{attempt_id}").get(get_attempt));
    Router::with_path("eventdeliveries")
        .get(list_deliveries)
        .push(Router::with_path("batchretry").post(batch_retry))
        .push(Router::with_path("countbatchretryevents").get(count_batch_retry))
        .push(Router::with_path("forceresend").post(force_resend))
        .push(Router::with_path("statustotals").get(status_totals))
        .push(
            Router::with_path("{delivery_id}")
                .get(get_delivery)
                .push(Router::with_path("resend").put(resend_delivery))
                .push(attempts),
        )
}

/// Lists event deliveries
///
/// Query: `eventId`, `endpointId` (repeatable), `subscriptionId`, `eventType`, `idempotencyKey`, `brokerMessageId`,
/// `status` (repeatable), `startDate` and `endDate` (the last seven days where they are missing), `sort`, and the page.
#[endpoint(tags("Event Deliveries"), operation_id = "GetEventDeliveriesPaged")]
#[boxed]
pub async fn list_deliveries(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<DeliveryWire>> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let page = query::page::<EventDeliveryId>(req)?;
    let mut conn = app.conn().await?;
    let filter = filter::read(req, &mut conn, project.id, &access).await?;
    let rows = event_delivery::list(&mut conn, project.id, &filter, &page).await?;
    let around = around(&mut conn, project.id, &rows.rows).await?;
    drop(conn);
    let show = |row| {
        let mut shown = redaction::delivery(&access, around.show(row));
        // Clients know a list here, and null elsewhere.
        shown.source_metadata.idempotency_keys.get_or_insert_default();
        shown
    };
    Ok(Reply::ok("Event deliveries fetched successfully", Paged::new(&page, rows, |row| row.id.to_string(), show)))
}

/// Reads an event delivery
#[endpoint(tags("Event Deliveries"), operation_id = "GetEventDelivery")]
#[boxed]
pub async fn get_delivery(req: &mut Request, depot: &mut Depot) -> ApiResult<DeliveryWire> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let mut conn = app.conn().await?;
    let row = find(req, &mut conn, project.id, &access).await?.ok_or(ApiError::NotFound("event delivery not found"))?;
    Ok(Reply::ok("Event Delivery fetched successfully", show(&mut conn, row, &access).await?))
}

/// The delivery that the path names, if it is within the caller's reach.
async fn find(
    req: &Request,
    conn: &mut PooledConnection,
    project: ProjectId,
    access: &Access,
) -> Result<Option<EventDelivery>, ApiError> {
    let id: Option<EventDeliveryId> = req.param::<String>("delivery_id").and_then(|id| id.parse().ok());
    let Some(id) = id else { return Ok(None) };
    let found = EventDelivery::find(conn, project, id).await?;
    found.iter().try_for_each(|row| access.admit(row.endpoint_id))?;
    Ok(found)
}

async fn show(conn: &mut PooledConnection, row: EventDelivery, access: &Access) -> Result<DeliveryWire, ApiError> {
    let around = around(conn, row.project_id, std::slice::from_ref(&row)).await?;
    Ok(redaction::delivery(access, around.show(row)))
}

/// What is shown of deliveries beside their own rows.
struct Around {
    events: HashMap<EventId, Event>,
    endpoints: HashMap<EndpointId, EndpointWire>,
    sources: SourceNames,
}

impl Around {
    fn show(&self, row: EventDelivery) -> DeliveryWire {
        let (event, endpoint) = (self.events.get(&row.event_id), self.endpoints.get(&row.endpoint_id).cloned());
        let source = self.sources.metadata(event.and_then(|event| event.source_id));
        DeliveryWire::new(row, event, endpoint, source)
    }
}

/// The events, the live endpoints and the live sources of these deliveries.
async fn around(conn: &mut PooledConnection, project: ProjectId, rows: &[EventDelivery]) -> Result<Around, ApiError> {
    let event_ids: Vec<EventId> = rows.iter().map(|row| row.event_id).collect();
    let endpoint_ids: Vec<EndpointId> = rows.iter().map(|row| row.endpoint_id).collect();
    let events = event::find_many(conn, project, &event_ids).await?;
    let endpoints = Endpoint::find_many(conn, project, &endpoint_ids).await?;
    let sources = SourceNames::of(conn, project, &events).await?;
    Ok(Around {
        sources,
        events: events.into_iter().map(|event| (event.id, event)).collect(),
        endpoints: endpoints.into_iter().map(|endpoint| (endpoint.id, EndpointWire::metadata(endpoint))).collect(),
    })
}
