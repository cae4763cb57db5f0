//! Event deliveries and their attempts: read and list.

pub mod wire;

use std::collections::HashMap;

use posthouse_schema::{
    delivery_attempt,
    endpoint::Endpoint,
    event::{self, Event},
    event_delivery::{self, DeliveryFilter, EventDelivery},
    ids::{DeliveryAttemptId, EndpointId, EventDeliveryId, EventId, ProjectId},
    pool::PooledConnection,
    words::DeliveryStatus,
};
use salvo::prelude::*;

use self::wire::{AttemptWire, DeliveryWire};
use crate::{
    auth::{Access, Need, scoped},
    endpoints::wire::EndpointWire,
    error::{ApiError, ApiResult},
    query::{self, Paged},
    redaction,
    reply::Reply,
};

/// Attempts that one answer shows.
const ATTEMPTS_MAX: i64 = 10;

/// The routes below a project.
pub fn router() -> Router {
    let attempts = Router::with_path("deliveryattempts")
        .get(list_attempts)
        .push(Router::with_path("{attempt_id}").get(get_attempt));
    Router::with_path("eventdeliveries")
        .get(list_deliveries)
        .push(Router::with_path("{delivery_id}").get(get_delivery).push(attempts))
}

/// Lists event deliveries
///
/// Query: `eventId`, `endpointId` (repeatable), `subscriptionId`, `eventType`, `idempotencyKey`, `status` (repeatable),
/// `startDate` and `endDate` (the last seven days where they are missing), `sort`, and the page.
#[endpoint(tags("Event Deliveries"), operation_id = "GetEventDeliveriesPaged")]
pub async fn list_deliveries(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<DeliveryWire>> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let mut filter = filter(req, &access)?;
    let page = query::page::<EventDeliveryId>(req)?;
    let mut conn = app.conn().await?;
    if let Some(key) = query::one(req, "idempotencyKey") {
        // A portal cannot tell a key that nobody used from one of somebody else.
        let nobody = access.is_portal().then_some(EventId::NONE);
        let owner = event::owner_of_key(&mut conn, project.id, &key).await?.or(nobody);
        filter.event_id = Some(owner.ok_or_else(|| ApiError::invalid("event not found"))?);
    }
    let rows = event_delivery::list(&mut conn, project.id, &filter, &page).await?;
    let (events, mut endpoints) = around(&mut conn, project.id, &rows.rows).await?;
    drop(conn);
    let show = |row: EventDelivery| {
        let event = events.get(&row.event_id);
        let endpoint = endpoints
            .remove(&row.endpoint_id)
            .inspect(|endpoint| drop(endpoints.insert(row.endpoint_id, endpoint.clone())));
        redaction::delivery(&access, DeliveryWire::new(row, event, endpoint))
    };
    Ok(Reply::ok("Event deliveries fetched successfully", Paged::new(&page, rows, |row| row.id.to_string(), show)))
}

fn filter(req: &Request, access: &Access) -> Result<DeliveryFilter, ApiError> {
    let status = |word: &String| {
        DeliveryStatus::parse(word).ok_or_else(|| {
            let known: Vec<&str> = DeliveryStatus::ALL.iter().map(|status| status.as_str()).collect();
            ApiError::invalid(format!("status: one of {} is expected", known.join(", ")))
        })
    };
    let (from, to) = query::window(req, chrono::Utc::now())?;
    Ok(DeliveryFilter {
        event_id: query::ids(req, "eventId")?.into_iter().next(),
        endpoint_ids: access.endpoints(query::ids(req, "endpointId")?)?,
        subscription_id: query::ids(req, "subscriptionId")?.into_iter().next(),
        event_type: query::one(req, "eventType").or_else(|| query::one(req, "event_type")),
        statuses: query::list(req, "status").iter().map(status).collect::<Result<_, _>>()?,
        from: Some(from),
        to: Some(to),
    })
}

/// Reads an event delivery
#[endpoint(tags("Event Deliveries"), operation_id = "GetEventDelivery")]
pub async fn get_delivery(req: &mut Request, depot: &mut Depot) -> ApiResult<DeliveryWire> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let mut conn = app.conn().await?;
    let row = find(req, &mut conn, project.id, &access).await?.ok_or(ApiError::NotFound("event delivery not found"))?;
    let (events, mut endpoints) = around(&mut conn, project.id, std::slice::from_ref(&row)).await?;
    let (event, endpoint) = (events.get(&row.event_id), endpoints.remove(&row.endpoint_id));
    let wire = redaction::delivery(&access, DeliveryWire::new(row, event, endpoint));
    Ok(Reply::ok("Event Delivery fetched successfully", wire))
}

/// Lists a delivery's attempts
///
/// The newest ten, the oldest of them first.
#[endpoint(tags("Delivery Attempts"), operation_id = "GetDeliveryAttempts")]
pub async fn list_attempts(req: &mut Request, depot: &mut Depot) -> ApiResult<Vec<AttemptWire>> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let mut conn = app.conn().await?;
    let delivery = find(req, &mut conn, project.id, &access)
        .await?
        .ok_or_else(|| ApiError::invalid("event delivery not found"))?;
    let rows = delivery_attempt::list(&mut conn, project.id, delivery.id, ATTEMPTS_MAX).await?;
    let shown = rows.into_iter().map(|row| redaction::attempt(&access, row.into())).collect();
    Ok(Reply::ok("Event delivery attempts fetched successfully", shown))
}

/// Reads a delivery attempt
#[endpoint(tags("Delivery Attempts"), operation_id = "GetDeliveryAttempt")]
pub async fn get_attempt(req: &mut Request, depot: &mut Depot) -> ApiResult<AttemptWire> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let not_found = || ApiError::invalid("event delivery attempt not found");
    let id: DeliveryAttemptId =
        req.param::<String>("attempt_id").and_then(|id| id.parse().ok()).ok_or_else(not_found)?;
    let mut conn = app.conn().await?;
    let delivery = find(req, &mut conn, project.id, &access).await?.ok_or_else(not_found)?;
    let row = delivery_attempt::find(&mut conn, project.id, delivery.id, id).await?.ok_or_else(not_found)?;
    Ok(Reply::ok("Event delivery attempt fetched successfully", redaction::attempt(&access, row.into())))
}

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

type Around = (HashMap<EventId, Event>, HashMap<EndpointId, EndpointWire>);

/// The events and the live endpoints of these deliveries.
async fn around(conn: &mut PooledConnection, project: ProjectId, rows: &[EventDelivery]) -> Result<Around, ApiError> {
    let event_ids: Vec<EventId> = rows.iter().map(|row| row.event_id).collect();
    let endpoint_ids: Vec<EndpointId> = rows.iter().map(|row| row.endpoint_id).collect();
    let events = event::find_many(conn, project, &event_ids).await?;
    let endpoints = Endpoint::find_many(conn, project, &endpoint_ids).await?;
    Ok((
        events.into_iter().map(|event| (event.id, event)).collect(),
        endpoints.into_iter().map(|endpoint| (endpoint.id, EndpointWire::metadata(endpoint))).collect(),
    ))
}
