//! One endpoint, and what can be done with it.

use posthouse_boxed::boxed;
use posthouse_pages::{
    endpoint::SecretView,
    portal::{
        endpoint::{self as pages, EndpointView, SubscriptionLine},
        frame::{PortalFrame, PortalPlace},
    },
};
use posthouse_schema::words::{AuditedKind, AuditedWay};
use salvo::prelude::*;
use serde_json::{Value, json};

use super::{
    answer::{Answer, PageError, PageResult},
    catalogue::{self, EVERY},
    endpoint_form, subscription,
    visit::{Visit, on, page, part},
    wire::{DeliveryRead, EndpointRead, Paged, SecretRead, SubscriptionRead},
};
use crate::{
    audit::{Actor, reveal::Reveal},
    dashboard::{Form, Operation},
    deliveries::list_deliveries,
    endpoints::{activate_endpoint, delete_endpoint, expire_secret, get_endpoint, pause_endpoint},
    error::ApiError,
    events::create_event,
    subscriptions::list_subscriptions,
};

const DELIVERIES_SHOWN: &str = "10";
const SUBSCRIPTIONS_SHOWN: &str = "50";
/// Event types that are proposed for a test.
const PROPOSED_MAX: usize = 12;
/// The type of a test where none is known.
const TEST_TYPE: &str = "posthouse.test";
/// What stands for a secret that is not shown.
const HIDDEN: [&str; 2] = ["***", crate::endpoints::wire::REDACTED];

/// The routes below the endpoints.
pub fn router() -> Router {
    Router::with_path("{endpoint_id}")
        .get(show)
        .push(Router::with_path("edit").get(endpoint_form::edit).post(endpoint_form::update))
        .push(Router::with_path("pause").post(pause))
        .push(Router::with_path("activate").post(activate))
        .push(Router::with_path("secrets").post(reveal))
        .push(Router::with_path("roll-secret").post(roll))
        .push(Router::with_path("test").post(test))
        .push(Router::with_path("delete").post(delete))
        .push(subscription::router())
}

/// Whether secrets are to be seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Hidden,
    Shown,
}

/// The endpoint that the path names.
pub async fn find(visit: &Visit, id: &str) -> Result<EndpointRead, PageError> {
    visit.read(get_endpoint, on("endpoint_id", id)).await
}

/// Its subscriptions.
pub async fn subscriptions(visit: &Visit, id: &str) -> Result<Vec<SubscriptionRead>, PageError> {
    let query = [("endpointId".into(), id.into()), ("perPage".into(), SUBSCRIPTIONS_SHOWN.into())];
    let found: Paged<SubscriptionRead> =
        visit.read(list_subscriptions, Operation::default().with_query(&query)).await?;
    Ok(found.content)
}

/// Shows it.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    Ok(page(shown(&visit, &part(req, "endpoint_id"), Secrets::Hidden, visit.at(PortalPlace::Endpoints)).await?))
}

/// Shows it with its secrets: asked for by a form, so that no link, cache or history has them.
#[handler]
#[boxed]
pub async fn reveal(req: &mut Request, depot: &mut Depot, res: &mut Response) -> PageResult {
    let visit = Visit::of(depot)?;
    if !visit.frame.can_manage {
        return Err(ApiError::Forbidden("Unauthorized").into());
    }
    let row = find(&visit, &part(req, "endpoint_id")).await?;
    let id = row.uid.parse().map_err(|_| PageError::not_found())?;
    Reveal {
        action: Reveal::ENDPOINT,
        of: (AuditedKind::Endpoint, id),
        project: &visit.project,
        by: (Actor::holder(visit.holder.link), AuditedWay::Api),
    }
    .note(&visit.app, req, res)
    .await?;
    Ok(page(shown(&visit, &part(req, "endpoint_id"), Secrets::Shown, visit.at(PortalPlace::Endpoints)).await?))
}

async fn shown(
    visit: &Visit,
    id: &str,
    seen: Secrets,
    frame: PortalFrame,
) -> Result<posthouse_pages::Markup, PageError> {
    let row = find(visit, id).await?;
    let subscriptions = subscriptions(visit, &row.uid).await?;
    let event_types = proposed(visit, &subscriptions).await?;
    let query = [("endpointId".into(), row.uid.clone()), ("perPage".into(), DELIVERIES_SHOWN.into())];
    // Finding them may take too long; the rest of the page is worth having without them.
    let deliveries = match visit.ask(list_deliveries, Operation::default().with_query(&query)).await {
        Ok(done) if done.code.is_success() => {
            serde_json::from_value::<Paged<DeliveryRead>>(done.data)
                .map_err(|error| ApiError::Internal(error.into()))?
                .content
        }
        Ok(_) | Err(ApiError::TooSlow) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let secrets = row.secrets.unwrap_or_default();
    let view = EndpointView {
        rate: (row.rate_limit, row.rate_limit_duration),
        timeout_seconds: row.http_timeout,
        public_keys: secrets.iter().filter_map(|secret| secret.public_key.clone()).collect(),
        secrets: secrets
            .into_iter()
            .filter(|secret| secret.public_key.is_none())
            .map(|row| secret(row, seen))
            .collect(),
        can_subscribe: subscriptions.is_empty() || visit.project.config.multiple_endpoint_subscriptions,
        subscriptions: subscriptions.into_iter().map(line).collect(),
        deliveries: deliveries.into_iter().map(DeliveryRead::line).collect(),
        event_types,
        id: row.uid,
        name: row.name,
        url: row.url,
        description: row.description,
        status: row.status,
        created_at: row.created_at,
    };
    Ok(pages::page(&frame, &view))
}

fn secret(row: SecretRead, seen: Secrets) -> SecretView {
    let value = Some(row.value).filter(|value| seen == Secrets::Shown && !HIDDEN.contains(&value.as_str()));
    SecretView { value, created_at: row.created_at, expires_at: row.expires_at }
}

fn line(row: SubscriptionRead) -> SubscriptionLine {
    SubscriptionLine {
        is_narrow: row.filter_config.is_narrow() || row.function.is_some_and(|function| !function.is_empty()),
        id: row.uid,
        name: row.name,
        event_types: row.filter_config.event_types,
    }
}

/// Event types that it gets, to test it with.
async fn proposed(visit: &Visit, subscriptions: &[SubscriptionRead]) -> Result<Vec<String>, PageError> {
    let own = subscriptions.iter().flat_map(|row| &row.filter_config.event_types);
    let mut types: Vec<String> = own.filter(|name| *name != EVERY).cloned().collect();
    if types.is_empty() {
        let known = catalogue::types(visit).await?.into_iter().filter(|one| one.deprecated_at.is_none());
        types = known.map(|one| one.name).collect();
    }
    types.sort();
    types.dedup();
    types.truncate(PROPOSED_MAX);
    if types.is_empty() {
        types.push(TEST_TYPE.into());
    }
    Ok(types)
}

/// Back to the endpoint, which says what was done or why it was not.
async fn said(visit: &Visit, id: &str, outcome: Result<Value, String>, what: &str) -> PageResult {
    match outcome {
        Ok(_) => Ok(visit.done(&format!("/endpoints/{id}"), &[], what)),
        Err(why) => {
            let frame = visit.saying(PortalPlace::Endpoints, why);
            Ok(Answer::Again(shown(visit, id, Secrets::Hidden, frame).await?))
        }
    }
}

/// Stops it, or lets it go on.
#[handler]
#[boxed]
pub async fn pause(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, id) = (Visit::of(depot)?, part(req, "endpoint_id"));
    let outcome = visit.change(pause_endpoint, on("endpoint_id", &id)).await?;
    let is_paused = outcome.as_ref().is_ok_and(|data| data.get("status").is_some_and(|status| status == "paused"));
    said(&visit, &id, outcome, if is_paused { "paused" } else { "resumed" }).await
}

/// Lets it receive again after it was disabled.
#[handler]
#[boxed]
pub async fn activate(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, id) = (Visit::of(depot)?, part(req, "endpoint_id"));
    let outcome = visit.change(activate_endpoint, on("endpoint_id", &id)).await?;
    said(&visit, &id, outcome, "resumed").await
}

/// Gives it another secret.
#[handler]
#[boxed]
pub async fn roll(req: &mut Request, depot: &mut Depot) -> PageResult {
    let seconds: i64 = Form::of(depot).text("expiration").parse().unwrap_or(86_400);
    let (visit, id) = (Visit::of(depot)?, part(req, "endpoint_id"));
    let operation = on("endpoint_id", &id).with_body(json!({"expiration": seconds}));
    let outcome = visit.change(expire_secret, operation).await?;
    said(&visit, &id, outcome, "rolled").await
}

/// Sends an event to it alone.
#[handler]
#[boxed]
pub async fn test(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, id) = (Visit::of(depot)?, part(req, "endpoint_id"));
    let body = json!({
        "endpoint_id": id,
        "event_type": Form::of(depot).text("event_type").trim(),
        "data": {"message": "A test, sent from the portal.", "sent_at": visit.frame.now.to_rfc3339()},
    });
    let outcome = visit.change(create_event, Operation::default().with_body(body)).await?;
    said(&visit, &id, outcome, "test-sent").await
}

/// Deletes it.
#[handler]
#[boxed]
pub async fn delete(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, id) = (Visit::of(depot)?, part(req, "endpoint_id"));
    match visit.change(delete_endpoint, on("endpoint_id", &id)).await? {
        Ok(_) => Ok(visit.done("/endpoints", &[], "endpoint-deleted")),
        refused => said(&visit, &id, refused, "").await,
    }
}
