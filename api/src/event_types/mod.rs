//! Event types, the catalogue of what can happen in a project: make, list, change, deprecate, import from OpenAPI.

mod document;
mod json_schema;
mod openapi;
mod wire;

use posthouse_boxed::boxed;
use posthouse_schema::{
    DatabaseErrorKind, QueryError,
    event_type::{EventType, EventTypeChange, EventTypeValues},
    ids::{EventTypeId, ProjectId},
    pool::PooledConnection,
};
use salvo::prelude::*;

use self::wire::{EventTypeBody, EventTypeChangeBody, EventTypeWire, ImportBody};
use crate::{
    auth::{Need, authorized, scoped},
    body::{bounded, read_json, required},
    error::{ApiError, ApiResult},
    reply::Reply,
};

/// Event types that a project can describe; they are listed in one answer.
const EVENT_TYPES_MAX: i64 = 2_000;
/// Rows of that answer: subscriptions may have named more than can be described.
const LISTED_MAX: i64 = 5_000;

/// The routes below a project.
pub fn router() -> Router {
    Router::with_path("event-types")
        .get(list_event_types)
        .post(create_event_type)
        .push(Router::with_path("import").post(import_openapi))
        .push(
            Router::with_path("{event_type_id}")
                .put(update_event_type)
                .push(Router::with_path("deprecate").post(deprecate_event_type)),
        )
}

/// Lists event types
///
/// All of them, the newest first. A project begins with `*`, and what its subscriptions name comes in by itself.
#[endpoint(tags("EventTypes"), operation_id = "GetEventTypes")]
#[boxed]
pub async fn list_event_types(req: &mut Request, depot: &mut Depot) -> ApiResult<Vec<EventTypeWire>> {
    // The catalogue is the same for every owner.
    let (app, project, _) = scoped(req, depot, Need::View).await?;
    let rows = EventType::list(&mut *app.conn().await?, project.id, LISTED_MAX).await?;
    Ok(Reply::ok("Event types fetched successfully", rows.into_iter().map(EventTypeWire::from).collect()))
}

/// Makes an event type
///
/// The name must be new. A schema must be a valid JSON Schema.
#[endpoint(tags("EventTypes"), operation_id = "CreateEventType", request_body = EventTypeBody)]
#[boxed]
pub async fn create_event_type(req: &mut Request, depot: &mut Depot) -> ApiResult<EventTypeWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: EventTypeBody = read_json(req, &app).await?;
    let values = EventTypeValues {
        name: required("name", body.name, "please provide a name for this event type")?,
        category: optional("category", body.category)?.unwrap_or_default(),
        description: optional("description", body.description)?.unwrap_or_default(),
        json_schema: json_schema::checked(body.json_schema)?,
    };
    let mut conn = app.conn().await?;
    room_for(&mut conn, project.id, 1).await?;
    let row = EventType::insert(&mut conn, project.id, &values).await.map_err(name_taken)?;
    Ok(Reply::created("Event type created successfully", row.into()))
}

/// Changes an event type
///
/// What is missing keeps its value; the name stays.
#[endpoint(tags("EventTypes"), operation_id = "UpdateEventType", request_body = EventTypeChangeBody)]
#[boxed]
pub async fn update_event_type(req: &mut Request, depot: &mut Depot) -> ApiResult<EventTypeWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: EventTypeChangeBody = read_json(req, &app).await?;
    let id = id(req)?;
    let change = EventTypeChange {
        category: optional("category", body.category)?,
        description: optional("description", body.description)?,
        json_schema: json_schema::checked(body.json_schema)?,
    };
    let row = EventType::update(&mut *app.conn().await?, project.id, id, &change).await?.ok_or_else(unknown)?;
    // 201, as the published description says and its generated clients insist.
    Ok(Reply::created("Event type updated successfully", row.into()))
}

/// Deprecates an event type
///
/// It stays in the catalogue, marked; events of it are routed as before.
#[endpoint(tags("EventTypes"), operation_id = "DeprecateEventType")]
#[boxed]
pub async fn deprecate_event_type(req: &mut Request, depot: &mut Depot) -> ApiResult<EventTypeWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let id = id(req)?;
    let row = EventType::deprecate(&mut *app.conn().await?, project.id, id).await?.ok_or_else(unknown)?;
    Ok(Reply::created("Event type deprecated successfully", row.into()))
}

/// Imports event types from an OpenAPI document
///
/// Takes `webhooks`, else `x-webhooks`, else the POST operations whose path or tag says webhook. References within the
/// document are resolved, others are refused. An event type of the same name gets the new description and schema.
#[endpoint(tags("EventTypes"), operation_id = "ImportOpenApiSpec", request_body = ImportBody)]
#[boxed]
pub async fn import_openapi(req: &mut Request, depot: &mut Depot) -> ApiResult<Vec<EventTypeWire>> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: ImportBody = read_json(req, &app).await?;
    let values = openapi::event_types(&body.spec.unwrap_or_default())?;
    let mut conn = app.conn().await?;
    room_for(&mut conn, project.id, values.len()).await?;
    let rows = EventType::upsert(&mut conn, project.id, &values).await?;
    Ok(Reply::ok("Event types imported successfully", rows.into_iter().map(EventTypeWire::from).collect()))
}

fn id(req: &Request) -> Result<EventTypeId, ApiError> {
    req.param::<String>("event_type_id").and_then(|id| id.parse().ok()).ok_or_else(unknown)
}

fn unknown() -> ApiError {
    ApiError::invalid("event type not found")
}

fn optional(field: &'static str, text: Option<String>) -> Result<Option<String>, ApiError> {
    text.as_deref().map_or(Ok(()), |text| bounded(field, text))?;
    Ok(text)
}

/// Refuses more event types than one answer can list.
async fn room_for(conn: &mut PooledConnection, project: ProjectId, new: usize) -> Result<(), ApiError> {
    let present = EventType::count(conn, project).await?;
    let fits = i64::try_from(new).is_ok_and(|new| present.saturating_add(new) <= EVENT_TYPES_MAX);
    if fits { Ok(()) } else { Err(ApiError::invalid(format!("a project has at most {EVENT_TYPES_MAX} event types"))) }
}

fn name_taken(error: QueryError) -> ApiError {
    match error {
        QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
            ApiError::invalid("name: an event type with this name already exists")
        }
        other => other.into(),
    }
}
