//! Events: accept, read, list, replay.

pub mod accept;
mod batch;
mod create;
mod dynamic;
mod fanout;
pub mod filter;
mod headers;
mod replay;
pub mod search;
pub mod source_names;
pub mod wire;

use posthouse_boxed::boxed;
use posthouse_schema::{
    event::{self, Event},
    ids::EventId,
};
use salvo::prelude::*;

use self::{
    batch::event_batch,
    dynamic::dynamic_event,
    fanout::{broadcast_event, fanout_event},
    source_names::SourceNames,
    wire::EventWire,
};
pub use self::{
    create::create_event,
    replay::{batch_replay, count_batch_replay, replay_event},
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
        .push(Router::with_path("batch").post(event_batch))
        .push(Router::with_path("broadcast").post(broadcast_event))
        .push(Router::with_path("dynamic").post(dynamic_event))
        .push(Router::with_path("batchreplay").post(batch_replay))
        .push(Router::with_path("countbatchreplayevents").get(count_batch_replay))
        .push(Router::with_path("{event_id}").get(get_event).push(Router::with_path("replay").put(replay_event)))
}

/// Lists events
///
/// Query: `sourceId` and `endpointId` (repeatable), `ownerId`, `idempotencyKey`, `brokerMessageId`, `startDate` and
/// `endDate` (the last seven days where they are missing), `sort`, and the page. Searches: `query` is the beginning of an
/// id, or a part of the idempotency key, the event type or the source's name; ends it with a JSON object, the data has to
/// contain that. `body` is such an object alone, `headers` one of header names and values. New events are found after some
/// seconds.
#[endpoint(tags("Events"), operation_id = "GetEventsPaged")]
#[boxed]
pub async fn list_events(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<EventWire>> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let page = query::page::<EventId>(req)?;
    let search = search::read(req)?;
    let mut conn = app.conn().await?;
    let filter = filter::read(req, &mut conn, project.id, &access).await?;
    let rows = match search {
        Some(search) => event::search(&mut conn, project.id, &filter, &search, &page).await?,
        None => event::list(&mut conn, project.id, &filter, &page).await?,
    };
    let names = SourceNames::of(&mut conn, project.id, &rows.rows).await?;
    drop(conn);
    let show = |row: Event| {
        let source = row.source_id;
        redaction::event(&access, EventWire::new(row, names.name(source)))
    };
    Ok(Reply::ok("App events fetched successfully", Paged::new(&page, rows, |row| row.id.to_string(), show)))
}

/// Reads an event
#[endpoint(tags("Events"), operation_id = "GetEndpointEvent")]
#[boxed]
pub async fn get_event(req: &mut Request, depot: &mut Depot) -> ApiResult<EventWire> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let not_found = || ApiError::NotFound("event not found");
    let id: EventId = req.param::<String>("event_id").and_then(|id| id.parse().ok()).ok_or_else(not_found)?;
    let mut conn = app.conn().await?;
    let row = Event::find(&mut conn, project.id, id).await?.ok_or_else(not_found)?;
    access.admit_any(&row.endpoint_ids)?;
    let names = SourceNames::of(&mut conn, project.id, [&row]).await?;
    let source = row.source_id;
    let wire = redaction::event(&access, EventWire::new(row, names.name(source)));
    Ok(Reply::ok("Endpoint event fetched successfully", wire))
}
