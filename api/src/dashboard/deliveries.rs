//! Deliveries: the list, and what is done with many at once.

use posthouse_boxed::boxed;
use posthouse_pages::{
    deliveries::{self as pages, DeliveryList, DeliveryQuery},
    form::Problem,
    frame::Place,
    pager::Pager,
};
use posthouse_schema::{
    endpoint::{Endpoint, EndpointFilter},
    event_delivery::{self, EventDelivery},
    ids::{EndpointId, EventDeliveryId},
    page::{Direction, Page, PageRequest, Sort},
    words::DeliveryStatus,
};
use salvo::prelude::*;
use serde_json::{Value, json};

use super::{
    answer::{Answer, PageError, PageResult, Redirection},
    delivery, delivery_lines,
    form::Form,
    local, query,
    visit::{ProjectVisit, page},
};
use crate::{
    auth::Need,
    deliveries::{batch_retry, count_batch_retry, filter, force_resend, resend_delivery},
    error::ApiError,
};

/// Endpoints to choose from.
const ENDPOINTS_MAX: u32 = 200;
/// Deliveries that are resent at once: those of a page.
const RESENT_MAX: usize = 50;
/// What stays from page to page.
const KEPT: [&str; 7] = ["status", "eventType", "endpointId", "eventId", "idempotencyKey", "startDate", "endDate"];

/// The routes below a project.
pub fn router() -> Router {
    Router::with_path("deliveries")
        .get(list)
        .push(Router::with_path("resend").post(resend))
        .push(Router::with_path("retry").get(ask_retry).post(retry))
        .push(delivery::router())
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Deliveries, Need::View).await?;
    let text = |key| query::text(req, key);
    let asked = DeliveryQuery {
        statuses: crate::query::list(req, "status"),
        event_type: text("eventType"),
        endpoint_id: text("endpointId"),
        event_id: text("eventId"),
        key: text("idempotencyKey"),
        from: text("startDate"),
        to: text("endDate"),
    };
    query::complete(req);
    let (rows, pager, problem) = match find(req, &visit).await {
        Ok(found) => {
            let pager =
                query::pager(visit.path("/deliveries"), query::kept(req, &KEPT), &found, |row| row.id.to_string());
            let mut conn = visit.conn().await?;
            (delivery_lines::of(&mut conn, visit.id(), &found.rows).await?, pager, None)
        }
        Err(error @ (ApiError::Invalid(_) | ApiError::TooSlow)) => {
            let pager = Pager { query: query::kept(req, &KEPT), ..Pager::default() };
            (Vec::new(), pager, Some(Problem { field: String::new(), text: error.to_string() }))
        }
        Err(error) => return Err(error.into()),
    };
    let endpoints = endpoints(&visit).await?;
    let view = DeliveryList { query: asked, problem, rows, pager, endpoints };
    Ok(page(pages::page(visit.frame(), &view)))
}

async fn find(req: &Request, visit: &ProjectVisit) -> Result<Page<EventDelivery>, ApiError> {
    let page = query::page::<EventDeliveryId>(req)?;
    let mut conn = visit.visit.app.conn().await?;
    let filter = filter::read(req, &mut conn, visit.id(), &visit.access).await?;
    Ok(event_delivery::list(&mut conn, visit.id(), &filter, &page).await?)
}

/// The newest endpoints, by name.
async fn endpoints(visit: &ProjectVisit) -> Result<Vec<(String, String)>, PageError> {
    let newest = PageRequest {
        per_page: ENDPOINTS_MAX,
        sort: Sort::Descending,
        direction: Direction::Next,
        cursor: None::<EndpointId>,
    };
    let filter = EndpointFilter::default();
    let found = Endpoint::list(&mut *visit.conn().await?, visit.id(), &filter, &newest).await?;
    let mut endpoints: Vec<(String, String)> =
        found.rows.into_iter().map(|endpoint| (endpoint.id.to_string(), endpoint.name)).collect();
    endpoints.sort_by(|one, other| one.1.cmp(&other.1));
    Ok(endpoints)
}

/// Sends the chosen again, each as the API does it: those that succeeded too.
#[handler]
#[boxed]
pub async fn resend(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Deliveries, Need::Manage).await?;
    let form = Form::of(depot);
    let back = Redirection::to(local::path(form.text("next")).unwrap_or_else(|| visit.path("/deliveries")));
    let mut ids: Vec<EventDeliveryId> = form.all("ids").iter().filter_map(|id| id.parse().ok()).collect();
    ids.truncate(RESENT_MAX);
    if ids.is_empty() {
        return Ok(back.saying(false, "Nothing was chosen.").into());
    }
    let rows = event_delivery::find_many(&mut *visit.conn().await?, visit.id(), &ids).await?;
    let (mut sent, mut refused) = (0_usize, Vec::new());
    for row in &rows {
        match resend_one(&visit, row).await? {
            None => sent += 1,
            Some(why) => refused.push(why),
        }
    }
    let text = match refused.first() {
        None => format!("{sent} will be sent again."),
        Some(why) => format!("{sent} will be sent again, {} not: {why}.", refused.len()),
    };
    Ok(back.saying(refused.is_empty(), text).into())
}

/// Sends one again. `Some`: why not.
pub async fn resend_one(visit: &ProjectVisit, row: &EventDelivery) -> Result<Option<String>, PageError> {
    let id = row.id.to_string();
    let done = if row.status == DeliveryStatus::Success {
        visit.run(force_resend, visit.on(&[]).with_body(json!({"ids": [id]}))).await?
    } else {
        visit.run(resend_delivery, visit.on(&[("delivery_id", id)])).await?
    };
    // Of those that succeeded only the number is said.
    let is_refused = done.message.starts_with("0 successful");
    Ok(done
        .problem(&[])
        .map(|problem| problem.text)
        .or_else(|| is_refused.then(|| "its endpoint does not receive".into())))
}

/// Asks before everything that matches is tried again.
#[handler]
#[boxed]
pub async fn ask_retry(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Deliveries, Need::Manage).await?;
    retry_page(req, &visit, None).await
}

async fn retry_page(req: &mut Request, visit: &ProjectVisit, problem: Option<Problem>) -> PageResult {
    let asked = query::kept(req, &KEPT);
    query::complete(req);
    let complete = query::kept(req, &KEPT);
    let counted = visit.run(count_batch_retry, visit.on(&[]).with_query(&complete)).await?;
    let number = counted.data.get("num").and_then(Value::as_i64).unwrap_or(0);
    let is_again = problem.is_some();
    let problem = problem.or_else(|| counted.problem(&[]));
    let shown = pages::retry_all(visit.frame(), (number, &asked), problem.as_ref());
    Ok(if is_again { Answer::Again(shown) } else { page(shown) })
}

/// Tries everything again that matches and failed, in the background.
#[handler]
#[boxed]
pub async fn retry(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Deliveries, Need::Manage).await?;
    query::complete(req);
    let done = visit.run(batch_retry, visit.on(&[]).with_query(&query::kept(req, &KEPT))).await?;
    if let Some(problem) = done.problem(&[]) {
        return retry_page(req, &visit, Some(problem)).await;
    }
    Ok(Redirection::to(visit.path("/batches")).saying(true, "They are tried again in the background.").into())
}
