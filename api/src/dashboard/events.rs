//! Events: the list with its search, and one of them.

use posthouse_boxed::boxed;
use posthouse_pages::{
    event::{self as event_page, EventView},
    events::{self as pages, EventLine, EventList, EventQuery},
    form::Problem,
    frame::Place,
    pager::Pager,
};
use posthouse_schema::{
    event::{self, Event},
    event_delivery::{self, DeliveryFilter},
    ids::{EventDeliveryId, EventId},
    page::{Direction, Page, PageRequest, Sort},
    words::TargetKind,
};
use salvo::prelude::*;

use super::{
    answer::{Answer, PageError, PageResult},
    delivery_lines, query, replay_all,
    visit::{ProjectVisit, id, page, said},
};
use crate::{
    auth::Need,
    error::ApiError,
    events::{filter, replay_event, search, source_names::SourceNames},
};

const DELIVERIES_SHOWN: u32 = 50;
/// What stays from page to page.
pub const KEPT: [&str; 7] = ["query", "body", "idempotencyKey", "endpointId", "sourceId", "startDate", "endDate"];

/// The routes below a project.
pub fn router() -> Router {
    let all = Router::with_path("replay").get(replay_all::ask).post(replay_all::begin);
    Router::with_path("events").get(list).push(all).push(
        Router::with_path("{event_id}")
            .get(show)
            .push(Router::with_path("payload").get(payload))
            .push(Router::with_path("replay").post(replay)),
    )
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Events, Need::View).await?;
    let is_live = query::text(req, "follow") == "1";
    let text = |key| query::text(req, key);
    let asked = EventQuery {
        text: text("query"),
        body: text("body"),
        endpoint_id: text("endpointId"),
        source_id: text("sourceId"),
        key: text("idempotencyKey"),
        from: text("startDate"),
        to: text("endDate"),
    };
    query::complete(req);
    let (rows, pager, problem) = match find(req, &visit).await {
        Ok(found) => {
            let pager = query::pager(visit.path("/events"), query::kept(req, &KEPT), &found, |row| row.id.to_string());
            (lines(&visit, found.rows).await?, if is_live { Pager::default() } else { pager }, None)
        }
        Err(error @ (ApiError::Invalid(_) | ApiError::TooSlow)) => {
            (Vec::new(), Pager::default(), Some(Problem { field: String::new(), text: error.to_string() }))
        }
        Err(error) => return Err(error.into()),
    };
    Ok(page(pages::page(visit.frame(), &EventList { query: asked, problem, rows, pager, is_live })))
}

async fn find(req: &mut Request, visit: &ProjectVisit) -> Result<Page<Event>, ApiError> {
    // A field that was left empty asks for nothing.
    for key in ["body", "headers"] {
        if query::text(req, key).is_empty() {
            req.queries_mut().remove(key);
        }
    }
    let (page, search) = (query::page::<EventId>(req)?, search::read(req)?);
    let mut conn = visit.visit.app.conn().await?;
    let filter = filter::read(req, &mut conn, visit.id(), &visit.access).await?;
    Ok(match search {
        Some(search) => event::search(&mut conn, visit.id(), &filter, &search, &page).await?,
        None => event::list(&mut conn, visit.id(), &filter, &page).await?,
    })
}

async fn lines(visit: &ProjectVisit, rows: Vec<Event>) -> Result<Vec<EventLine>, PageError> {
    let names = SourceNames::of(&mut visit.conn().await?, visit.id(), &rows).await?;
    let line = |row: Event| EventLine {
        id: row.id.to_string(),
        source: names.name(row.source_id).unwrap_or_default().to_string(),
        event_type: row.event_type,
        status: row.status.to_string(),
        is_duplicate: row.is_duplicate,
        key: row.idempotency_key,
        endpoints: row.endpoint_ids.len(),
        at: row.acknowledged_at,
    };
    Ok(rows.into_iter().map(line).collect())
}

/// Shows one, and where it went.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Events, Need::View).await?;
    let event_id: EventId = id(req, "event_id")?;
    let mut conn = visit.conn().await?;
    let row = Event::find(&mut conn, visit.id(), event_id).await?.ok_or_else(PageError::not_found)?;
    let names = SourceNames::of(&mut conn, visit.id(), [&row]).await?;
    let filter = DeliveryFilter { event_ids: Some(vec![event_id]), ..DeliveryFilter::default() };
    let first = PageRequest {
        per_page: DELIVERIES_SHOWN,
        sort: Sort::Descending,
        direction: Direction::Next,
        cursor: None::<EventDeliveryId>,
    };
    let deliveries = event_delivery::list(&mut conn, visit.id(), &filter, &first).await?;
    let has_more = deliveries.next.is_some();
    let deliveries = delivery_lines::of(&mut conn, visit.id(), &deliveries.rows).await?;
    drop(conn);
    let source = row.source_id.map(|id| {
        let id = id.to_string();
        (id.clone(), names.name(row.source_id).map_or(id, str::to_string))
    });
    let view = EventView {
        id: row.id.to_string(),
        status: row.status.to_string(),
        is_duplicate: row.is_duplicate,
        failure: row.failure_reason.clone(),
        target: target(&row),
        source,
        key: row.idempotency_key,
        headers: row.headers.0,
        payload: row.payload,
        request: [row.url_path, row.url_query_params]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("?"),
        at: row.acknowledged_at,
        event_type: row.event_type,
        deliveries,
        has_more,
    };
    Ok(page(event_page::page(visit.frame(), &view)))
}

/// Whom an event is for, in words.
fn target(row: &Event) -> String {
    match row.target_kind {
        TargetKind::Single => format!("the endpoint {}", row.target),
        TargetKind::Fanout => format!("all endpoints of {}", row.target),
        TargetKind::Broadcast => "everyone who subscribed".into(),
        TargetKind::Dynamic => format!("the URL {}", row.target),
        TargetKind::Source => "those who subscribed to its source".into(),
    }
}

/// Hands out its data, byte for byte.
#[handler]
#[boxed]
pub async fn payload(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Events, Need::View).await?;
    let event_id: EventId = id(req, "event_id")?;
    let row = Event::find(&mut *visit.conn().await?, visit.id(), event_id).await?.ok_or_else(PageError::not_found)?;
    Ok(Answer::File(format!("{event_id}.json"), row.payload))
}

/// Matches and delivers it again.
#[handler]
#[boxed]
pub async fn replay(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Events, Need::Manage).await?;
    let event_id: EventId = id(req, "event_id")?;
    let done = visit.run(replay_event, visit.on(&[("event_id", event_id.to_string())])).await?;
    Ok(said(visit.path(&format!("/events/{event_id}")), &done, "The event is matched again; new deliveries follow."))
}
