//! Events: the list with its search, and one of them.

use posthouse_boxed::boxed;
use posthouse_pages::{
    form::Problem,
    pager::Pager,
    portal::{
        events::{self as pages, EventLine, EventList, EventQuery, EventView},
        frame::{PortalFrame, PortalPlace},
    },
};
use salvo::prelude::*;

use super::{
    answer::{Answer, PageError, PageResult},
    deliveries, endpoints,
    visit::{Visit, on, page, part},
    wire::{DeliveryRead, EventRead, Paged, asked},
};
use crate::{
    dashboard::{Operation, query},
    deliveries::list_deliveries,
    events::{get_event, list_events, replay_event},
};

/// What stays from page to page.
const KEPT: [&str; 4] = ["query", "endpointId", "startDate", "endDate"];
const DELIVERIES_SHOWN: &str = "50";
/// Since when deliveries of one event are looked for: since ever.
const BEGINNING: &str = "2000-01-01T00:00:00";

/// The routes below a portal.
pub fn router() -> Router {
    let one = Router::with_path("{event_id}").get(show).push(Router::with_path("replay").post(replay));
    Router::with_path("events").get(list).push(one)
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    let text = |key| query::text(req, key);
    let query = EventQuery {
        text: text("query"),
        endpoint_id: text("endpointId"),
        from: text("startDate"),
        to: text("endDate"),
    };
    let operation = Operation::default().with_query(&asked(req, &KEPT));
    let (rows, pager, problem) = match deliveries::found::<EventRead>(&visit, list_events, operation).await? {
        Ok(found) => (found.content, found.pagination.pager("/events", query::kept(req, &KEPT)), None),
        Err(why) => (Vec::new(), Pager::default(), Some(Problem { field: String::new(), text: why })),
    };
    let line = |row: EventRead| EventLine { id: row.uid, event_type: row.event_type, at: row.acknowledged_at };
    let view = EventList {
        query,
        problem,
        rows: rows.into_iter().map(line).collect(),
        pager,
        endpoints: endpoints::choices(&visit).await?,
    };
    Ok(page(pages::list(&visit.at(PortalPlace::Events), &view)))
}

/// Shows one, and where it went.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    Ok(page(shown(&visit, &part(req, "event_id"), visit.at(PortalPlace::Events)).await?))
}

async fn shown(visit: &Visit, id: &str, frame: PortalFrame) -> Result<posthouse_pages::Markup, PageError> {
    let row: EventRead = visit.read(get_event, on("event_id", id)).await?;
    let deliveries = deliveries_of(visit, &row.uid).await?;
    let view = EventView {
        id: row.uid,
        event_type: row.event_type,
        headers: row.headers.into_iter().map(|(name, values)| (name, values.join(", "))).collect(),
        payload: row.raw,
        at: row.acknowledged_at,
        deliveries: deliveries.into_iter().map(DeliveryRead::line).collect(),
    };
    Ok(pages::one(&frame, &view))
}

/// Matches it anew, and delivers it to whom it is for now.
#[handler]
#[boxed]
pub async fn replay(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, id) = (Visit::of(depot)?, part(req, "event_id"));
    let done = visit.ask(replay_event, on("event_id", &id)).await?;
    if done.code.is_success() {
        return Ok(visit.done(&format!("/events/{id}"), &[], "replayed"));
    }
    // An event that the holder may look at can be for others too.
    let is_of_others = done.code == StatusCode::UNAUTHORIZED;
    let why = if is_of_others { visit.strings().replay_reaches_others.clone() } else { done.message };
    Ok(Answer::Again(shown(&visit, &id, visit.saying(PortalPlace::Events, why)).await?))
}

async fn deliveries_of(visit: &Visit, event_id: &str) -> Result<Vec<DeliveryRead>, PageError> {
    let query = [("eventId", event_id), ("startDate", BEGINNING), ("perPage", DELIVERIES_SHOWN)];
    let query = query.map(|(key, value)| (key.to_string(), value.to_string()));
    let found: Paged<DeliveryRead> = visit.read(list_deliveries, Operation::default().with_query(&query)).await?;
    Ok(found.content)
}
