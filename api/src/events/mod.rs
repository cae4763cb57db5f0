//! Events: accept, read, list.

mod accept;
mod create;
mod fanout;
mod headers;
pub mod wire;

use posthouse_schema::{
    event::{self, Event, EventFilter},
    ids::EventId,
};
use salvo::prelude::*;

pub use self::create::create_event;
use self::{
    fanout::{broadcast_event, fanout_event},
    wire::EventWire,
};
use crate::{
    auth::{Need, scoped},
    error::{ApiError, ApiResult},
    query::{self, Paged},
    redaction,
    reply::Reply,
};

/// The routes below a project.
pub fn router() -> Router {
    Router::with_path("events")
        .get(list_events)
        .post(create_event)
        .push(Router::with_path("fanout").post(fanout_event))
        .push(Router::with_path("broadcast").post(broadcast_event))
        .push(Router::with_path("{event_id}").get(get_event))
}

/// Lists events
///
/// Query: `sourceId` and `endpointId` (repeatable), `idempotencyKey`, `startDate` and `endDate` (the last seven days where
/// they are missing), `sort`, and the page.
#[endpoint(tags("Events"), operation_id = "GetEventsPaged")]
pub async fn list_events(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<EventWire>> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    for unsupported in ["query", "body"] {
        if query::one(req, unsupported).is_some() {
            return Err(ApiError::invalid(format!("{unsupported}: this version does not search events")));
        }
    }
    let (from, to) = query::window(req, chrono::Utc::now())?;
    let filter = EventFilter {
        source_ids: query::ids(req, "sourceId")?,
        endpoint_ids: access.endpoints(query::ids(req, "endpointId")?)?,
        idempotency_key: query::one(req, "idempotencyKey"),
        from: Some(from),
        to: Some(to),
    };
    let page = query::page::<EventId>(req)?;
    let rows = event::list(&mut *app.conn().await?, project.id, &filter, &page).await?;
    let show = |row: Event| redaction::event(&access, row.into());
    Ok(Reply::ok("App events fetched successfully", Paged::new(&page, rows, |row| row.id.to_string(), show)))
}

/// Reads an event
#[endpoint(tags("Events"), operation_id = "GetEndpointEvent")]
pub async fn get_event(req: &mut Request, depot: &mut Depot) -> ApiResult<EventWire> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let not_found = || ApiError::NotFound("event not found");
    let id: EventId = req.param::<String>("event_id").and_then(|id| id.parse().ok()).ok_or_else(not_found)?;
    let row = Event::find(&mut *app.conn().await?, project.id, id).await?.ok_or_else(not_found)?;
    access.admit_any(&row.endpoint_ids)?;
    Ok(Reply::ok("Endpoint event fetched successfully", redaction::event(&access, row.into())))
}
