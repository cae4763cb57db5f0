//! Filters of a subscription, each for one event type or for all: make, read, list, change, delete, try.

pub mod input;
pub mod wire;

use chrono::Utc;
use posthouse_boxed::boxed;
use posthouse_filter::{Filter, Scopes};
use posthouse_schema::{
    DatabaseErrorKind, QueryError,
    filter::{Deciding, EVERY_TYPE, FilterRow, FilterValues, deciding},
    ids::{FilterId, ProjectId, SubscriptionId},
    pool::PooledConnection,
    subscription::Subscription,
};
use salvo::prelude::*;

use self::wire::{FilterBody, FilterTestBody, FilterTestWire, FilterWire, SampleBody};
use crate::{
    auth::{Access, Need, scoped},
    body::read_json,
    error::{ApiError, ApiResult},
    reply::{NoData, Reply},
};

/// Filters of one subscription.
const FILTERS_MAX: u32 = 1_000;
/// Filters that one request makes or changes.
const BULK_MAX: usize = 500;
const NO_SUBSCRIPTION: ApiError = ApiError::NotFound("subscription not found");
const NO_FILTER: ApiError = ApiError::NotFound("filter not found");

/// The routes below a subscription.
pub fn router() -> Router {
    Router::with_path("filters")
        .get(list_filters)
        .post(create_filter)
        .push(Router::with_path("bulk").post(create_filters))
        // The contract has POST, and its clients send PUT.
        .push(Router::with_path("bulk_update").put(update_filters).post(update_filters))
        .push(Router::with_path("test/{event_type}").post(test_filter))
        .push(Router::with_path("{filter_id}").get(get_filter).put(update_filter).delete(delete_filter))
}

/// Makes a filter
///
/// A subscription has one filter for an event type at most. It decides alone about events of its type, and makes them
/// wanted; the filter for `*` decides about types without an enabled filter of their own.
#[endpoint(tags("Filters"), operation_id = "CreateFilter", request_body = FilterBody)]
#[boxed]
pub async fn create_filter(req: &mut Request, depot: &mut Depot) -> ApiResult<FilterWire> {
    let (app, project, access) = scoped(req, depot, Need::Manage).await?;
    let body: FilterBody = read_json(req, &app).await?;
    let mut conn = app.conn().await?;
    let subscription = subscription(req, &mut conn, project.id, &access).await?;
    let event_type = body.event_type.clone().unwrap_or_default();
    if event_type.is_empty() {
        return Err(ApiError::NotFound("event type does not exist"));
    }
    let (values, given) = input::new(body, &event_type, Utc::now())?;
    has_room(&mut conn, project.id, subscription, 1).await?;
    let made = FilterRow::insert(&mut conn, project.id, subscription, &[values])
        .await
        .map_err(|error| taken(error, || "filter with this event type already exists".into()))?;
    let row = made.into_iter().next().ok_or_else(|| ApiError::Internal(anyhow::anyhow!("no filter was made")))?;
    Ok(Reply::created("Filter created successfully", FilterWire::made(row, &given)))
}

/// Makes several filters
///
/// All or none.
#[endpoint(tags("Filters"), operation_id = "BulkCreateFilters", request_body = Vec<FilterBody>)]
#[boxed]
pub async fn create_filters(req: &mut Request, depot: &mut Depot) -> ApiResult<Vec<FilterWire>> {
    let (app, project, access) = scoped(req, depot, Need::Manage).await?;
    let bodies: Vec<FilterBody> = read_json(req, &app).await?;
    few(bodies.len())?;
    let mut conn = app.conn().await?;
    let subscription = subscription(req, &mut conn, project.id, &access).await?;
    let (mut values, mut given): (Vec<FilterValues>, Vec<Scopes<bool>>) = (Vec::new(), Vec::new());
    for body in bodies {
        let event_type = body.event_type.clone().unwrap_or_default();
        if event_type.is_empty() {
            return Err(ApiError::Missing("event type  does not exist".into()));
        }
        let (new, is_given) = input::new(body, &event_type, Utc::now())?;
        values.push(new);
        given.push(is_given);
    }
    let types: Vec<&str> = values.iter().map(|values| values.event_type.as_str()).collect();
    let existing = FilterRow::of_types(&mut conn, project.id, subscription, &types).await?;
    let mut seen: std::collections::HashSet<&str> = existing.iter().map(|row| row.event_type.as_str()).collect();
    if let Some(taken) = types.iter().find(|event_type| !seen.insert(event_type)) {
        return Err(ApiError::invalid(format!("filter for event type {taken} already exists")));
    }
    if values.is_empty() {
        return Ok(Reply::created("Filters created successfully", Vec::new()));
    }
    has_room(&mut conn, project.id, subscription, values.len()).await?;
    let made = FilterRow::insert(&mut conn, project.id, subscription, &values)
        .await
        .map_err(|error| taken(error, || "a filter for one of these event types already exists".into()))?;
    let made = made.into_iter().zip(given).map(|(row, given)| FilterWire::made(row, &given)).collect();
    Ok(Reply::created("Filters created successfully", made))
}

/// Lists a subscription's filters
///
/// All of them, the newest first.
#[endpoint(tags("Filters"), operation_id = "GetFilters")]
#[boxed]
pub async fn list_filters(req: &mut Request, depot: &mut Depot) -> ApiResult<Vec<FilterWire>> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let mut conn = app.conn().await?;
    let subscription = subscription(req, &mut conn, project.id, &access).await?;
    let rows = FilterRow::list(&mut conn, project.id, subscription, FILTERS_MAX).await?;
    Ok(Reply::ok("Filters retrieved successfully", rows.into_iter().map(FilterWire::from).collect()))
}

/// Reads a filter
#[endpoint(tags("Filters"), operation_id = "GetFilter")]
#[boxed]
pub async fn get_filter(req: &mut Request, depot: &mut Depot) -> ApiResult<FilterWire> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let row = find(req, &mut app.conn().await?, project.id, &access).await?;
    Ok(Reply::ok("Filter retrieved successfully", row.into()))
}

/// Changes a filter
///
/// What is missing keeps its value; `enabled_at` null disables it.
#[endpoint(tags("Filters"), operation_id = "UpdateFilter", request_body = FilterBody)]
#[boxed]
pub async fn update_filter(req: &mut Request, depot: &mut Depot) -> ApiResult<FilterWire> {
    let (app, project, access) = scoped(req, depot, Need::Manage).await?;
    let body: FilterBody = read_json(req, &app).await?;
    let mut conn = app.conn().await?;
    let old = find(req, &mut conn, project.id, &access).await?;
    let values = input::changed(body, &old, Utc::now())?;
    let changed = FilterRow::update(&mut conn, project.id, old.subscription_id, &[(old.id, values)])
        .await
        .map_err(|error| taken(error, || "filter with this event type already exists".into()))?;
    let row = changed.and_then(|rows| rows.into_iter().next()).ok_or(NO_FILTER)?;
    Ok(Reply::ok("Filter updated successfully", row.into()))
}

/// Changes several filters
///
/// Each is named by `uid`. All or none.
#[endpoint(tags("Filters"), operation_id = "BulkUpdateFilters", request_body = Vec<FilterBody>)]
#[boxed]
pub async fn update_filters(req: &mut Request, depot: &mut Depot) -> ApiResult<Vec<FilterWire>> {
    let (app, project, access) = scoped(req, depot, Need::Manage).await?;
    let bodies: Vec<FilterBody> = read_json(req, &app).await?;
    few(bodies.len())?;
    let mut conn = app.conn().await?;
    let subscription = subscription(req, &mut conn, project.id, &access).await?;
    let rows = FilterRow::list(&mut conn, project.id, subscription, FILTERS_MAX).await?;
    let mut changes = Vec::with_capacity(bodies.len());
    for body in bodies {
        let uid = body.uid.clone().unwrap_or_default();
        let id: Option<FilterId> = uid.parse().ok();
        let old = rows.iter().find(|row| Some(row.id) == id);
        let old = old.ok_or_else(|| ApiError::Missing(format!("filter {} not found", shown(&uid))))?;
        changes.push((old.id, input::changed(body, old, Utc::now())?));
    }
    let changed = FilterRow::update(&mut conn, project.id, subscription, &changes)
        .await
        .map_err(|error| taken(error, || "a filter for one of these event types already exists".into()))?;
    let changed = changed.ok_or(NO_FILTER)?.into_iter().map(FilterWire::from).collect();
    Ok(Reply::ok("Filters updated successfully", changed))
}

/// Deletes a filter
///
/// Events of its type are then decided about by the filter for `*`, or where there is none by the subscription's event types.
#[endpoint(tags("Filters"), operation_id = "DeleteFilter")]
#[boxed]
pub async fn delete_filter(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let (app, project, access) = scoped(req, depot, Need::Manage).await?;
    let mut conn = app.conn().await?;
    let row = find(req, &mut conn, project.id, &access).await?;
    if !FilterRow::delete(&mut conn, project.id, row.subscription_id, row.id).await? {
        return Err(NO_FILTER);
    }
    Ok(Reply::ok("Filter deleted successfully", NoData))
}

/// Tries a subscription's filters on an event
///
/// Whether an event of this type would pass the filter that decides about it. Nothing is sent.
#[endpoint(tags("Filters"), operation_id = "TestFilter", request_body = FilterTestBody)]
#[boxed]
pub async fn test_filter(req: &mut Request, depot: &mut Depot) -> ApiResult<FilterTestWire> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let body: FilterTestBody = read_json(req, &app).await?;
    let event_type = req.param::<String>("event_type").unwrap_or_default();
    crate::body::bounded("event_type", &event_type)?;
    let mut conn = app.conn().await?;
    let subscription = subscription(req, &mut conn, project.id, &access).await?;
    let rows = FilterRow::of_types(&mut conn, project.id, subscription, &[&event_type, EVERY_TYPE]).await?;
    drop(conn);
    let of_type = |name: &str| rows.iter().find(|row| row.event_type == name);
    let sample = match (body.request, body.payload) {
        (Some(request), _) => request,
        (None, payload) => SampleBody { body: payload, ..SampleBody::default() },
    };
    let is_match = match deciding(of_type(&event_type), of_type(EVERY_TYPE), |row| row.enabled_at.is_some()) {
        Deciding::Own(row) | Deciding::Every(row) => {
            let scopes = Scopes { headers: &row.headers, body: &row.body, query: &row.query, path: &row.path };
            matches(scopes, &sample.scopes())?
        }
        Deciding::Nothing => false,
        Deciding::EventTypes => true,
    };
    Ok(Reply::ok("Filter test completed", FilterTestWire { is_match }))
}

/// Whether a filter lets a sample through.
///
/// # Errors
/// 400 for what is no filter, and for a sample that is too large for it.
pub fn matches(filter: Scopes<&serde_json::Value>, sample: &Scopes<serde_json::Value>) -> Result<bool, ApiError> {
    let invalid = |error: String| ApiError::invalid(format!("failed to validate subscription filter: {error}"));
    let filter = Filter::compile(filter).map_err(|error| invalid(error.to_string()))?;
    filter.matches(sample.as_ref()).map_err(|error| invalid(error.to_string()))
}

fn few(count: usize) -> Result<(), ApiError> {
    if count > BULK_MAX {
        return Err(ApiError::invalid(format!("at most {BULK_MAX} filters are accepted at once")));
    }
    Ok(())
}

async fn has_room(
    conn: &mut PooledConnection,
    project: ProjectId,
    subscription: SubscriptionId,
    more: usize,
) -> Result<(), ApiError> {
    let count = FilterRow::count(conn, project, subscription).await?;
    if usize::try_from(count).unwrap_or(usize::MAX).saturating_add(more) > FILTERS_MAX as usize {
        return Err(ApiError::invalid(format!("a subscription has at most {FILTERS_MAX} filters")));
    }
    Ok(())
}

/// The live subscription that the path names, if its endpoint is within the caller's reach.
async fn subscription(
    req: &Request,
    conn: &mut PooledConnection,
    project: ProjectId,
    access: &Access,
) -> Result<SubscriptionId, ApiError> {
    let id = req.param::<String>("subscription_id").and_then(|id| id.parse().ok()).ok_or(NO_SUBSCRIPTION)?;
    let row = Subscription::find(conn, project, id).await?.ok_or(NO_SUBSCRIPTION)?;
    access.admit(row.endpoint_id)?;
    Ok(row.id)
}

/// The filter that the path names, of such a subscription.
async fn find(
    req: &Request,
    conn: &mut PooledConnection,
    project: ProjectId,
    access: &Access,
) -> Result<FilterRow, ApiError> {
    let subscription = subscription(req, conn, project, access).await?;
    let id = req.param::<String>("filter_id").and_then(|id| id.parse().ok()).ok_or(NO_FILTER)?;
    let row = FilterRow::find(conn, project, id).await?.ok_or(NO_FILTER)?;
    if row.subscription_id != subscription {
        return Err(ApiError::NotFound("filter does not belong to this subscription"));
    }
    Ok(row)
}

/// Somebody else made a filter for the type meanwhile, or before.
fn taken(error: QueryError, text: impl FnOnce() -> String) -> ApiError {
    match error {
        QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => ApiError::invalid(text()),
        other => other.into(),
    }
}

/// As much of what a caller called an id as an answer repeats.
fn shown(uid: &str) -> String {
    uid.chars().take(40).collect()
}
