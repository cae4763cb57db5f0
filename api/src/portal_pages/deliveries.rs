//! Deliveries: the list, one with its attempts, and sending them again.

use posthouse_boxed::boxed;
use posthouse_pages::{
    form::Problem,
    frame::Flash,
    pager::Pager,
    portal::{
        deliveries::{self as pages, DeliveryList, DeliveryQuery},
        delivery::{self as delivery_page, AttemptView, DeliveryView},
        frame::{PortalFrame, PortalPlace},
        strings::fill,
    },
};
use salvo::{Handler, prelude::*};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    answer::{Answer, PageError, PageResult},
    endpoints, retry,
    visit::{Visit, on, page, part},
    wire::{AttemptRead, DeliveryRead, Paged, asked},
};
use crate::{
    dashboard::{Form, Operation, query},
    deliveries::{force_resend, get_delivery, list_attempts, list_deliveries, resend_delivery},
    error::ApiError,
};

/// What stays from page to page.
pub const KEPT: [&str; 5] = ["status", "eventType", "endpointId", "startDate", "endDate"];
/// Deliveries that are resent at once: those of a page.
const RESENT_MAX: usize = 25;
/// How the operation says that a delivery succeeded, and is resent by another one.
const SUCCEEDED: &str = "event already sent";

/// The routes below a portal.
pub fn router() -> Router {
    Router::with_path("deliveries")
        .get(list)
        .push(Router::with_path("resend").post(resend_chosen))
        .push(retry::router())
        .push(Router::with_path("{delivery_id}").get(show).push(Router::with_path("resend").post(resend)))
}

/// A page of a list; what was wrong with what it was asked.
pub async fn found<T: DeserializeOwned>(
    visit: &Visit,
    handler: impl Handler,
    operation: Operation,
) -> Result<Result<Paged<T>, String>, PageError> {
    match visit.ask(handler, operation).await {
        Ok(done) if done.code == StatusCode::BAD_REQUEST => Ok(Err(done.message)),
        Ok(done) if done.code.is_success() => {
            Ok(Ok(serde_json::from_value(done.data).map_err(|error| ApiError::Internal(error.into()))?))
        }
        Ok(done) if done.message == ApiError::BadCredentials.to_string() => Err(ApiError::BadCredentials.into()),
        Ok(_) => Err(PageError::not_found()),
        Err(error @ ApiError::TooSlow) => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    Ok(page(listed(req, &visit, visit.at(PortalPlace::Deliveries)).await?))
}

async fn listed(req: &mut Request, visit: &Visit, frame: PortalFrame) -> Result<posthouse_pages::Markup, PageError> {
    let text = |key| query::text(req, key);
    let query = DeliveryQuery {
        statuses: crate::query::list(req, "status"),
        event_type: text("eventType"),
        endpoint_id: text("endpointId"),
        from: text("startDate"),
        to: text("endDate"),
    };
    let operation = Operation::default().with_query(&asked(req, &KEPT));
    let (rows, pager, problem) = match found::<DeliveryRead>(visit, list_deliveries, operation).await? {
        Ok(found) => (found.content, found.pagination.pager("/deliveries", query::kept(req, &KEPT)), None),
        Err(why) => (Vec::new(), Pager::default(), Some(Problem { field: String::new(), text: why })),
    };
    let view = DeliveryList {
        query,
        problem,
        rows: rows.into_iter().map(DeliveryRead::line).collect(),
        pager,
        endpoints: endpoints::choices(visit).await?,
    };
    Ok(pages::page(&frame, &view))
}

/// Shows one with its attempts.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    Ok(page(shown(&visit, &part(req, "delivery_id"), visit.at(PortalPlace::Deliveries)).await?))
}

async fn shown(visit: &Visit, id: &str, frame: PortalFrame) -> Result<posthouse_pages::Markup, PageError> {
    let row: DeliveryRead = visit.read(get_delivery, on("delivery_id", id)).await?;
    let attempts: Vec<AttemptRead> = visit.read(list_attempts, on("delivery_id", id)).await?;
    // Those before the newest are not shown, but they count.
    let before = usize::try_from(row.metadata.num_trials).unwrap_or(0).saturating_sub(attempts.len());
    let view = DeliveryView {
        endpoint: (row.endpoint_id.clone(), row.endpoint()),
        next: row.next(),
        url: row.target_url.unwrap_or(row.endpoint_metadata.url),
        id: row.uid,
        event_id: row.event_id,
        event_type: row.event_type,
        status: row.status,
        description: row.description,
        attempts_made: (row.metadata.num_trials, row.metadata.retry_limit),
        at: row.acknowledged_at,
        payload: row.metadata.raw,
        attempts: attempts.into_iter().enumerate().map(|(at, row)| attempt(before + at + 1, row)).collect(),
    };
    Ok(delivery_page::page(&frame, &view))
}

fn attempt(number: usize, row: AttemptRead) -> AttemptView {
    AttemptView {
        number,
        method: row.method,
        url: row.url,
        is_success: row.status,
        status: row.http_status,
        error: row.error,
        request_headers: row.request_http_header,
        response_headers: row.response_http_header,
        response_body: row.response_data,
        at: row.requested_at,
        duration_ms: f64::from(row.duration_ms),
    }
}

/// Sends one again, also where it succeeded. `Some`: why not.
async fn send_again(visit: &Visit, id: &str) -> Result<Option<String>, PageError> {
    match visit.change(resend_delivery, on("delivery_id", id)).await? {
        Ok(_) => Ok(None),
        Err(why) if why != SUCCEEDED => Ok(Some(why)),
        Err(_) => {
            let done = visit.ask(force_resend, Operation::default().with_body(json!({"ids": [id]}))).await?;
            // Of those that succeeded only the number is said.
            let is_refused = done.message.starts_with("0 successful");
            Ok(if is_refused {
                Some(visit.strings().does_not_receive.clone())
            } else {
                (!done.code.is_success()).then_some(done.message)
            })
        }
    }
}

/// Sends one again.
#[handler]
#[boxed]
pub async fn resend(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, id) = (Visit::of(depot)?, part(req, "delivery_id"));
    match send_again(&visit, &id).await? {
        None => Ok(visit.done(&format!("/deliveries/{id}"), &[("number".into(), "1".into())], "resent")),
        Some(why) => Ok(Answer::Again(shown(&visit, &id, visit.saying(PortalPlace::Deliveries, why)).await?)),
    }
}

/// Sends the chosen again.
#[handler]
#[boxed]
pub async fn resend_chosen(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, form) = (Visit::of(depot)?, Form::of(depot));
    let ids: Vec<&str> = form.all("ids").into_iter().take(RESENT_MAX).collect();
    let (mut sent, mut refused) = (0_usize, Vec::new());
    for id in &ids {
        match send_again(&visit, id).await? {
            None => sent += 1,
            Some(why) => refused.push(why),
        }
    }
    let t = visit.strings();
    let text = match refused.first() {
        None if ids.is_empty() => t.nothing_chosen.clone(),
        None => {
            let mut query = query::kept(req, &KEPT);
            query.push(("number".into(), sent.to_string()));
            return Ok(visit.done("/deliveries", &query, "resent"));
        }
        Some(why) => fill(
            &t.resent_partly,
            &[("number", &sent.to_string()), ("others", &refused.len().to_string()), ("reason", why)],
        ),
    };
    let flash = Some(Flash { is_good: false, text });
    let frame = PortalFrame { flash, ..visit.at(PortalPlace::Deliveries) };
    Ok(Answer::Again(listed(req, &visit, frame).await?))
}
