//! Events for one endpoint.

use posthouse_boxed::boxed;
use posthouse_jobs::EventTarget;
use posthouse_schema::{endpoint::Endpoint, ids::EndpointId};
use salvo::prelude::*;

use super::{
    accept::{Content, NO_DATA, NO_EVENT_TYPE, Wishes, enqueue, is_blank, missing, trace},
    wire::{CreateEventBody, EventIdWire},
};
use crate::{
    auth::{Need, scoped},
    body::read_json,
    error::{ApiError, ApiResult},
    reply::Reply,
};

/// Sends an event to one endpoint
///
/// Answers when the event is safe in the queue; it is stored and delivered at once afterwards. The header
/// `X-Posthouse-Event-ID` of the answer names the event.
#[endpoint(tags("Events"), operation_id = "CreateEndpointEvent", request_body = CreateEventBody)]
#[boxed]
pub async fn create_event(req: &mut Request, depot: &mut Depot, res: &mut Response) -> ApiResult<Option<EventIdWire>> {
    let (app, project, access) = scoped(req, depot, Need::Manage).await?;
    let body: CreateEventBody = read_json(req, &app).await?;
    let endpoint_id = target(&body)?;
    access.admit(endpoint_id)?;
    let wishes = Wishes::read(req, body.return_id, body.ack.as_deref())?;
    let content = Content {
        event_type: body.event_type,
        data: body.data,
        custom_headers: body.custom_headers,
        idempotency_key: body.idempotency_key,
        ordering_key: body.ordering_key,
    };
    let content = content.or_key_of(req)?;
    if access.is_portal() && !is_blank(content.idempotency_key.as_ref()) {
        // Keys are one space for the project: a customer could claim one that an event for others is to have.
        return Err(ApiError::invalid("idempotency_key: a portal link cannot set one"));
    }
    let job = content.checked(&project)?.job(EventTarget::Single { endpoint_id }, trace(req.headers()).as_ref());
    if app.endpoints.get(&(project.id, endpoint_id)).is_none() {
        if Endpoint::find(&mut *app.conn().await?, project.id, endpoint_id).await?.is_none() {
            return Err(unknown_endpoint());
        }
        app.endpoints.put((project.id, endpoint_id), ());
    }
    let data = enqueue(&app, &job, wishes, res).await?;
    Ok(Reply::created("Event queued successfully", data))
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
        None => {
            let data = body.data.is_none().then_some(NO_DATA);
            let event_type = body.event_type.is_none().then_some(NO_EVENT_TYPE);
            Err(missing([data, event_type]).err().unwrap_or_else(|| ApiError::invalid("please provide an endpoint ID")))
        }
    }
}
