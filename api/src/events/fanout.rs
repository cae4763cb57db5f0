//! Events for all endpoints of an owner, and for everyone who subscribed.

use posthouse_boxed::boxed;
use posthouse_jobs::EventTarget;
use posthouse_schema::event;
use salvo::prelude::*;

use super::{
    accept::{Content, NO_DATA, NO_EVENT_TYPE, Wishes, enqueue, is_blank, missing, trace},
    wire::{BroadcastEventBody, EventIdWire, FanoutEventBody},
};
use crate::{
    auth::{Need, authorized},
    body::{bounded, read_json},
    error::ApiResult,
    reply::Reply,
};

const NO_OWNER: &str = "owner_id:please provide an owner id";

/// Sends an event to all endpoints of an owner
///
/// Every endpoint with this `owner_id` that subscribes to the event's type gets it. An owner without endpoints is no error.
#[endpoint(tags("Events"), operation_id = "CreateEndpointFanoutEvent", request_body = FanoutEventBody)]
#[boxed]
pub async fn fanout_event(req: &mut Request, depot: &mut Depot, res: &mut Response) -> ApiResult<Option<EventIdWire>> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: FanoutEventBody = read_json(req, &app).await?;
    missing([
        is_blank(body.owner_id.as_ref()).then_some(NO_OWNER),
        is_blank(body.event_type.as_ref()).then_some(NO_EVENT_TYPE),
        body.data.is_none().then_some(NO_DATA),
    ])?;
    let owner_id = body.owner_id.unwrap_or_default();
    bounded("owner_id", &owner_id)?;
    let wishes = Wishes::read(req, body.return_id, body.ack.as_deref())?;
    let content = Content {
        event_type: body.event_type,
        data: body.data,
        custom_headers: body.custom_headers,
        idempotency_key: body.idempotency_key,
        ordering_key: body.ordering_key,
    };
    let job =
        content.or_key_of(req)?.checked(&project)?.job(EventTarget::Fanout { owner_id }, trace(req.headers()).as_ref());
    // Only for the wording: whether it is a duplicate is settled when it is stored.
    let key = &job.idempotency_key;
    let is_known = !key.is_empty() && {
        let owner = event::owner_of_key(&mut *app.conn().await?, project.id, key).await?;
        owner.is_some_and(|owner| project.config.key_window().covers(owner, job.accepted_at))
    };
    let data = enqueue(&app, &job, wishes, res).await?;
    Ok(Reply::created(
        if is_known {
            "Duplicate event received, but will not be sent"
        } else {
            "Endpoint fanout event queued successfully"
        },
        data,
    ))
}

/// Sends an event to everyone who subscribed
///
/// Every endpoint of the project with a subscription to the event's type gets it, once.
#[endpoint(tags("Events"), operation_id = "CreateBroadcastEvent", request_body = BroadcastEventBody)]
#[boxed]
pub async fn broadcast_event(
    req: &mut Request,
    depot: &mut Depot,
    res: &mut Response,
) -> ApiResult<Option<EventIdWire>> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: BroadcastEventBody = read_json(req, &app).await?;
    missing([is_blank(body.event_type.as_ref()).then_some(NO_EVENT_TYPE), body.data.is_none().then_some(NO_DATA)])?;
    let wishes = Wishes::read(req, body.return_id, body.ack.as_deref())?;
    let content = Content {
        event_type: body.event_type,
        data: body.data,
        custom_headers: body.custom_headers,
        idempotency_key: body.idempotency_key,
        ordering_key: body.ordering_key,
    };
    let job = content.or_key_of(req)?.checked(&project)?.job(EventTarget::Broadcast, trace(req.headers()).as_ref());
    let data = enqueue(&app, &job, wishes, res).await?;
    Ok(Reply::created("Broadcast event created successfully", data))
}
