//! Subscriptions: make, read, list, change, delete.

mod input;
mod retry;
mod wire;

use std::collections::HashMap;

use posthouse_boxed::boxed;
use posthouse_schema::{
    endpoint::Endpoint,
    ids::{EndpointId, ProjectId, SourceId, SubscriptionId},
    pool::PooledConnection,
    source::Source,
    subscription::{Subscription, SubscriptionFilter},
};
use salvo::prelude::*;
use serde_json::{Value, json};

use self::wire::{Shown, SubscriptionBody, SubscriptionWire, TryFilterBody};
use crate::{
    auth::{Need, authorized, scoped},
    body::read_json,
    endpoints::wire::EndpointWire,
    error::{ApiError, ApiResult},
    filters, functions,
    query::{self, Paged},
    reply::{NoData, Reply},
    sources::metadata::SourceMetadata,
};

const UNKNOWN: &str = "failed to find subscription";

/// The routes below a project.
pub fn router() -> Router {
    let one = Router::with_path("{subscription_id}")
        .get(get_subscription)
        .put(update_subscription)
        .delete(delete_subscription)
        .push(Router::with_path("toggle_status").put(toggle_status))
        .push(filters::router());
    Router::with_path("subscriptions")
        .get(list_subscriptions)
        .post(create_subscription)
        .push(Router::with_path("test_filter").post(try_filter))
        .push(Router::with_path("test_function").post(functions::test_subscription_function))
        .push(one)
}

/// Makes a subscription
#[endpoint(tags("Subscriptions"), operation_id = "CreateSubscription", request_body = SubscriptionBody)]
#[boxed]
pub async fn create_subscription(req: &mut Request, depot: &mut Depot) -> ApiResult<SubscriptionWire> {
    let (app, project, access) = scoped(req, depot, Need::Manage).await?;
    let body: SubscriptionBody = read_json(req, &app).await?;
    let mut conn = app.conn().await?;
    let values = input::values(body, &project, &mut conn, None).await?;
    access.admit(values.endpoint_id)?;
    if !project.config.multiple_endpoint_subscriptions
        && Subscription::exists_for(&mut conn, project.id, values.endpoint_id).await?
    {
        return Err(ApiError::invalid("a subscription for this endpoint already exists"));
    }
    let row = Subscription::insert(&mut conn, project.id, &values).await?;
    Ok(Reply::created("Subscription created successfully", SubscriptionWire::made(row)))
}

/// Lists subscriptions
///
/// Query: `endpointId` (repeatable), `name` (part of it), and the page.
#[endpoint(tags("Subscriptions"), operation_id = "GetSubscriptions")]
#[boxed]
pub async fn list_subscriptions(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<SubscriptionWire>> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let filter = SubscriptionFilter {
        endpoint_ids: access.endpoints(query::ids(req, "endpointId")?)?,
        name_part: query::text(req, "name")?,
    };
    let page = query::page::<SubscriptionId>(req)?;
    let mut conn = app.conn().await?;
    let rows = Subscription::list(&mut conn, project.id, &filter, &page).await?;
    let around = around(&mut conn, project.id, &rows.rows).await?;
    let paged = Paged::new(&page, rows, |row| row.id.to_string(), |row| around.show(row));
    Ok(Reply::ok("Subscriptions fetched successfully", paged))
}

/// Reads a subscription
#[endpoint(tags("Subscriptions"), operation_id = "GetSubscription")]
#[boxed]
pub async fn get_subscription(req: &mut Request, depot: &mut Depot) -> ApiResult<SubscriptionWire> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let id = id(req).ok_or(ApiError::NotFound(UNKNOWN))?;
    let mut conn = app.conn().await?;
    let row = Subscription::find(&mut conn, project.id, id).await?.ok_or(ApiError::NotFound(UNKNOWN))?;
    access.admit(row.endpoint_id)?;
    let around = around(&mut conn, project.id, std::slice::from_ref(&row)).await?;
    Ok(Reply::ok("Subscription fetched successfully", around.show(row)))
}

/// Changes a subscription
///
/// What is missing keeps its value.
#[endpoint(tags("Subscriptions"), operation_id = "UpdateSubscription", request_body = SubscriptionBody)]
#[boxed]
pub async fn update_subscription(req: &mut Request, depot: &mut Depot) -> ApiResult<SubscriptionWire> {
    let (app, project, access) = scoped(req, depot, Need::Manage).await?;
    let body: SubscriptionBody = read_json(req, &app).await?;
    let unknown = || ApiError::invalid(UNKNOWN);
    let id = id(req).ok_or_else(unknown)?;
    let mut conn = app.conn().await?;
    let old = Subscription::find(&mut conn, project.id, id).await?.ok_or_else(unknown)?;
    access.admit(old.endpoint_id)?;
    let values = input::values(body, &project, &mut conn, Some(&old)).await?;
    access.admit(values.endpoint_id)?;
    let moves = values.endpoint_id != old.endpoint_id;
    if moves
        && !project.config.multiple_endpoint_subscriptions
        && Subscription::exists_for(&mut conn, project.id, values.endpoint_id).await?
    {
        return Err(ApiError::invalid("a subscription for this endpoint already exists"));
    }
    let row = Subscription::update(&mut conn, project.id, id, &values).await?.ok_or_else(unknown)?;
    let around = around(&mut conn, project.id, std::slice::from_ref(&row)).await?;
    Ok(Reply::accepted("Subscription updated successfully", around.show(row)))
}

/// Deletes a subscription
#[endpoint(tags("Subscriptions"), operation_id = "DeleteSubscription")]
#[boxed]
pub async fn delete_subscription(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let (app, project, access) = scoped(req, depot, Need::Manage).await?;
    let id = id(req).ok_or(ApiError::NotFound(UNKNOWN))?;
    let mut conn = app.conn().await?;
    let row = Subscription::find(&mut conn, project.id, id).await?.ok_or(ApiError::NotFound(UNKNOWN))?;
    access.admit(row.endpoint_id)?;
    if !Subscription::delete(&mut conn, project.id, id).await? {
        return Err(ApiError::NotFound(UNKNOWN));
    }
    Ok(Reply::ok("Subscription deleted successfully", NoData))
}

/// Does nothing
///
/// A subscription has no status. Older clients call this, and are answered as they always were.
#[endpoint(tags("Subscriptions"), operation_id = "ToggleSubscriptionStatus")]
#[boxed]
pub async fn toggle_status(req: &mut Request, depot: &mut Depot) -> ApiResult<Value> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let id = id(req).ok_or(ApiError::NotFound(UNKNOWN))?;
    Subscription::find(&mut *app.conn().await?, project.id, id).await?.ok_or(ApiError::NotFound(UNKNOWN))?;
    Ok(Reply::accepted("Subscription status updated successfully", json!({})))
}

/// Tries a filter
///
/// Whether an event would pass a filter; neither need be stored. Nothing is sent.
#[endpoint(tags("Subscriptions"), operation_id = "TestSubscriptionFilter", request_body = TryFilterBody)]
#[boxed]
pub async fn try_filter(req: &mut Request, depot: &mut Depot) -> ApiResult<bool> {
    let (app, ..) = scoped(req, depot, Need::View).await?;
    let body: TryFilterBody = read_json(req, &app).await?;
    let filter = input::scopes(body.schema.unwrap_or_default())?;
    let sample = body.request.unwrap_or_default().scopes();
    Ok(Reply::ok("Subscription filter evaluated successfully", filters::matches(filter.as_ref(), &sample)?))
}

fn id(req: &Request) -> Option<SubscriptionId> {
    req.param::<String>("subscription_id")?.parse().ok()
}

/// The endpoints and sources of some subscriptions.
struct Around {
    endpoints: HashMap<EndpointId, EndpointWire>,
    sources: HashMap<SourceId, SourceMetadata>,
}

impl Around {
    fn show(&self, row: Subscription) -> SubscriptionWire {
        let endpoint = self.endpoints.get(&row.endpoint_id).cloned();
        let source = row.source_id.and_then(|id| self.sources.get(&id).cloned());
        SubscriptionWire::new(row, endpoint, source, Shown::Flat)
    }
}

async fn around(conn: &mut PooledConnection, project: ProjectId, rows: &[Subscription]) -> Result<Around, ApiError> {
    let endpoint_ids: Vec<EndpointId> = rows.iter().map(|row| row.endpoint_id).collect();
    let source_ids: Vec<SourceId> = rows.iter().filter_map(|row| row.source_id).collect();
    let endpoints = Endpoint::find_many(conn, project, &endpoint_ids).await?;
    let sources =
        if source_ids.is_empty() { Vec::new() } else { Source::find_many(conn, project, &source_ids).await? };
    Ok(Around {
        endpoints: endpoints.into_iter().map(|row| (row.id, EndpointWire::metadata(row))).collect(),
        sources: sources.iter().map(|row| (row.id, SourceMetadata::of_subscription(row))).collect(),
    })
}
