//! One endpoint: how it is doing, and what can be done with it.

use chrono::{TimeDelta, Utc};
use posthouse_boxed::boxed;
use posthouse_pages::{
    endpoint::{self as pages, EndpointView, SecretView},
    frame::Place,
};
use posthouse_schema::{
    deadline,
    endpoint::{self, Endpoint, EndpointSecret},
    event_delivery::{self, DeliveryFilter, EventDelivery},
    ids::{AuditedId, EndpointId, EventDeliveryId},
    ordering::Ordering,
    page::{Direction, PageRequest, Sort},
    words::{AuditedKind, FailingHead},
};
use salvo::prelude::*;
use serde_json::{Value, json};

use super::{
    answer::{PageError, PageResult, Redirection},
    authentication, delivery_lines, endpoint_form, endpoints,
    form::Form,
    visit::{ProjectVisit, id, page, said},
};
use crate::{
    audit::reveal::Reveal,
    auth::Need,
    endpoints::{activate_endpoint, delete_endpoint, expire_secret, pause_endpoint},
    locked,
};

const DELIVERIES_SHOWN: u32 = 10;
const DELIVERIES_SINCE: TimeDelta = TimeDelta::days(7);

/// The routes below the endpoints.
pub fn router() -> Router {
    Router::with_path("{endpoint_id}")
        .get(show)
        .push(Router::with_path("edit").get(endpoint_form::edit).post(endpoint_form::update))
        .push(Router::with_path("authentication").get(authentication::show).post(authentication::save))
        .push(Router::with_path("pause").post(pause))
        .push(Router::with_path("activate").post(activate))
        .push(Router::with_path("secrets").post(reveal))
        .push(Router::with_path("roll-secret").post(roll))
        .push(Router::with_path("delete").post(delete))
}

/// Whether secrets are to be seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Hidden,
    Shown,
}

/// Shows it.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Endpoints, Need::View).await?;
    shown(&visit, id(req, "endpoint_id")?, Secrets::Hidden).await
}

/// Shows it with its secrets: asked for by a form, so that no link, cache or history has them.
#[handler]
#[boxed]
pub async fn reveal(req: &mut Request, depot: &mut Depot, res: &mut Response) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Endpoints, Need::ManageEndpoints).await?;
    let id: EndpointId = id(req, "endpoint_id")?;
    Endpoint::find(&mut *visit.conn().await?, visit.id(), id).await?.ok_or_else(PageError::not_found)?;
    let of = (AuditedKind::Endpoint, AuditedId::from_bits(id.to_bits()));
    visit.reveals(Reveal::ENDPOINT, of).note(&visit.visit.app, req, res).await?;
    shown(&visit, id, Secrets::Shown).await
}

async fn shown(visit: &ProjectVisit, endpoint_id: EndpointId, seen: Secrets) -> PageResult {
    let mut conn = visit.conn().await?;
    let row = Endpoint::find(&mut conn, visit.id(), endpoint_id).await?.ok_or_else(PageError::not_found)?;
    let secrets = endpoint::secrets_of(&mut conn, visit.id(), &[endpoint_id]).await?;
    drop(conn);
    let totals = endpoints::totals(visit, &[endpoint_id]).await?;
    let newest = newest(visit, endpoint_id).await?;
    let deliveries = delivery_lines::of(&mut visit.conn().await?, visit.id(), &newest).await?;
    let breakers = visit.visit.app.queues.open_breakers("").await.ok().flatten();
    let more = more(&row);
    let authentication = locked::document(row.authentication())
        .and_then(|value| value.get("type").and_then(Value::as_str).map(str::to_string));
    let view = EndpointView {
        id: endpoint_id.to_string(),
        breaker: breakers.map(|breakers| breakers.state(endpoint_id, Utc::now()).to_string()),
        rate: (row.rate_limit, row.rate_limit_duration_seconds),
        timeout_seconds: row.http_timeout_seconds,
        content_type: row.content_type,
        authentication,
        more,
        totals: totals.map(|totals| totals.first().map_or((0, 0, 0), |of| (of.success, of.failure, of.retry))),
        secrets: secrets.into_iter().map(|secret| secret_view(secret, seen)).collect(),
        deliveries,
        name: row.name,
        url: row.url,
        description: row.description,
        owner: row.owner_id,
        status: row.status.to_string(),
        created_at: row.created_at,
        updated_at: row.updated_at,
    };
    Ok(page(pages::page(visit.frame(), &view)))
}

/// What else it is set to, in words.
fn more(row: &Endpoint) -> Vec<(&'static str, String)> {
    let ordering = Ordering::of(row.ordering.as_ref());
    let head = match ordering.failing_head {
        FailingHead::Block => None,
        FailingHead::Skip => Some(format!("the others go on after {} attempts", ordering.attempts)),
        FailingHead::Park => Some(format!("it is given up after {} attempts", ordering.attempts)),
    };
    let told = [
        (!row.support_email.is_empty()).then(|| row.support_email.clone()),
        locked::shown(row.slack_webhook_url()).filter(|url| !url.is_empty()).map(|_| "Slack".to_string()),
        locked::shown(row.teams_webhook_url()).filter(|url| !url.is_empty()).map(|_| "Teams".to_string()),
    ];
    let told = told.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let certificate = locked::shown(row.mtls_client_cert()).flatten().map(|_| "Yes".to_string());
    [
        ("Client certificate", certificate),
        ("When the first of a line fails", head),
        ("Redirects", row.follow_redirects.then(|| "Are followed".to_string())),
        ("Alerts go to", Some(told).filter(|told| !told.is_empty())),
    ]
    .into_iter()
    .filter_map(|(label, text)| Some((label, text?)))
    .collect()
}

fn secret_view(secret: EndpointSecret, seen: Secrets) -> SecretView {
    SecretView {
        value: (seen == Secrets::Shown).then(|| locked::shown(secret.value())).flatten(),
        created_at: secret.created_at,
        expires_at: secret.expires_at,
    }
}

/// Its newest deliveries; none where finding them took too long.
async fn newest(visit: &ProjectVisit, endpoint_id: EndpointId) -> Result<Vec<EventDelivery>, PageError> {
    let filter = DeliveryFilter {
        endpoint_ids: vec![endpoint_id],
        from: Some(visit.frame().now - DELIVERIES_SINCE),
        ..DeliveryFilter::default()
    };
    let first = PageRequest {
        per_page: DELIVERIES_SHOWN,
        sort: Sort::Descending,
        direction: Direction::Next,
        cursor: None::<EventDeliveryId>,
    };
    match event_delivery::list(&mut *visit.conn().await?, visit.id(), &filter, &first).await {
        Err(error) if deadline::has_passed(&error) => Ok(Vec::new()),
        other => Ok(other?.rows),
    }
}

async fn visit_of(req: &Request, depot: &Depot) -> Result<(ProjectVisit, EndpointId), PageError> {
    let visit = ProjectVisit::of(req, depot, Place::Endpoints, Need::ManageEndpoints).await?;
    let endpoint_id = id(req, "endpoint_id")?;
    Ok((visit, endpoint_id))
}

fn own(visit: &ProjectVisit, endpoint_id: EndpointId) -> String {
    visit.path(&format!("/endpoints/{endpoint_id}"))
}

/// Stops it, or lets it go on.
#[handler]
#[boxed]
pub async fn pause(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, id) = visit_of(req, depot).await?;
    let done = visit.run(pause_endpoint, visit.on(&[("endpoint_id", id.to_string())])).await?;
    let text =
        if done.text("/status") == "paused" { "The endpoint is paused." } else { "The endpoint receives again." };
    Ok(said(own(&visit, id), &done, text))
}

/// Lets it receive again after it was disabled.
#[handler]
#[boxed]
pub async fn activate(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, id) = visit_of(req, depot).await?;
    let done = visit.run(activate_endpoint, visit.on(&[("endpoint_id", id.to_string())])).await?;
    Ok(said(own(&visit, id), &done, "The endpoint receives again."))
}

/// Gives it another secret.
#[handler]
#[boxed]
pub async fn roll(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, id) = visit_of(req, depot).await?;
    let seconds: i64 = Form::of(depot).text("expiration").parse().unwrap_or(86_400);
    let operation = visit.on(&[("endpoint_id", id.to_string())]).with_body(json!({"expiration": seconds}));
    let done = visit.run(expire_secret, operation).await?;
    Ok(said(own(&visit, id), &done, "A new secret signs from now on. Reveal it to copy it."))
}

/// Deletes it.
#[handler]
#[boxed]
pub async fn delete(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, id) = visit_of(req, depot).await?;
    let done = visit.run(delete_endpoint, visit.on(&[("endpoint_id", id.to_string())])).await?;
    if done.problem(&[]).is_some() {
        return Ok(said(own(&visit, id), &done, ""));
    }
    Ok(Redirection::to(visit.path("/endpoints")).saying(true, "The endpoint is deleted.").into())
}
