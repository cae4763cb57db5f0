//! Accepting an event: checked, given its id, and in Redis before the caller hears of it.

use chrono::Utc;
use posthouse_jobs::{CreateEvent, EventTarget};
use posthouse_schema::{
    endpoint::Endpoint,
    ids::{EndpointId, EventId},
    project::Project,
    project_config::DEFAULT_REQUEST_ID_HEADER,
};
use salvo::{http::HeaderValue, prelude::*};

use super::{headers, wire::CreateEventBody};
use crate::{
    auth::{Need, authorized},
    body::{bounded, read_json},
    error::{ApiError, ApiResult},
    reply::{NoData, Reply},
};

/// Carries the id of the new event, which the contract's answer does not.
const EVENT_ID: &str = "x-posthouse-event-id";

/// Sends an event to one endpoint
///
/// Answers when the event is safe in the queue; it is stored and delivered at once afterwards. The header
/// `X-Posthouse-Event-ID` of the answer names the event.
#[endpoint(tags("Events"), operation_id = "CreateEndpointEvent", request_body = CreateEventBody)]
pub async fn create_event(req: &mut Request, depot: &mut Depot, res: &mut Response) -> ApiResult<NoData> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: CreateEventBody = read_json(req, &app).await?;
    let endpoint_id = target(&body)?;
    let job = accept(&project, body, endpoint_id)?;
    if app.endpoints.get(&(project.id, endpoint_id)).is_none() {
        if Endpoint::find(&mut *app.conn().await?, project.id, endpoint_id).await?.is_none() {
            return Err(unknown_endpoint());
        }
        app.endpoints.put((project.id, endpoint_id), ());
    }
    app.queues.push(&job).await.map_err(ApiError::queue)?;
    if let Ok(id) = HeaderValue::from_str(&job.event_id.to_string()) {
        res.headers_mut().insert(EVENT_ID, id);
    }
    Ok(Reply::created("Event queued successfully", NoData))
}

fn unknown_endpoint() -> ApiError {
    ApiError::invalid("endpoint not found")
}

fn target(body: &CreateEventBody) -> Result<EndpointId, ApiError> {
    match body.endpoint_id.as_deref().map(str::trim).filter(|id| !id.is_empty()) {
        Some(id) => id.parse().map_err(|_| unknown_endpoint()),
        None if body.app_id.as_deref().is_some_and(|id| !id.is_empty()) => {
            Err(ApiError::invalid("app ID has no configured endpoints"))
        }
        // The contract names missing data and types first.
        None if body.data.is_none() || body.event_type.is_none() => Err(missing(body)),
        None => Err(ApiError::invalid("please provide an endpoint ID")),
    }
}

fn missing(body: &CreateEventBody) -> ApiError {
    let mut faults = Vec::new();
    if body.data.is_none() {
        faults.push("data:please provide your data");
    }
    if body.event_type.as_deref().is_none_or(|name| name.trim().is_empty()) {
        faults.push("event_type:please provide an event type");
    }
    ApiError::invalid(faults.join(", "))
}

fn accept(project: &Project, body: CreateEventBody, endpoint_id: EndpointId) -> Result<CreateEvent, ApiError> {
    let is_typed = body.event_type.as_deref().is_some_and(|name| !name.trim().is_empty());
    let (Some(data), Some(event_type), true) = (&body.data, &body.event_type, is_typed) else {
        return Err(missing(&body));
    };
    bounded("event_type", event_type)?;
    let idempotency_key = body.idempotency_key.clone().unwrap_or_default();
    bounded("idempotency_key", &idempotency_key)?;
    if HeaderValue::from_str(&idempotency_key).is_err() {
        return Err(ApiError::invalid(
            "idempotency_key: it is sent as a header, and holds characters that no header can",
        ));
    }
    if idempotency_key.is_empty() && !project.config.request_id_header.eq_ignore_ascii_case(DEFAULT_REQUEST_ID_HEADER) {
        return Err(ApiError::invalid("idempotency_key is required when a custom request_id_header is configured"));
    }
    Ok(CreateEvent {
        project_id: project.id,
        event_id: EventId::generate(),
        target: EventTarget::Single { endpoint_id },
        event_type: event_type.clone(),
        data: data.clone(),
        headers: headers::checked(body.custom_headers.unwrap_or_default())?,
        idempotency_key,
        source_id: None,
        url_query_params: String::new(),
        url_path: String::new(),
        accepted_at: Utc::now(),
    })
}
