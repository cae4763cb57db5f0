//! Many events at once, for any targets. Each is answered by itself: one that is refused keeps no other back.

use std::collections::{HashMap, HashSet};

use posthouse_boxed::boxed;
use posthouse_jobs::{CreateEvent, EventTarget, TraceContext};
use posthouse_schema::{
    endpoint::Endpoint,
    ids::{EndpointId, EventId},
    project::Project,
};
use salvo::prelude::*;

use super::{
    accept::{Content, Wishes, is_blank, trace},
    dynamic::{self, Dynamic},
    wire::{BatchEvent, BatchItemWire, EventBatchBody},
};
use crate::{
    app::App,
    auth::{Need, authorized},
    body::{bounded, parse, read_json},
    error::{ApiError, ApiResult},
    reply::Reply,
};

/// Events that one request can hold.
const EVENTS_MAX: usize = 1_000;

/// Sends many events
///
/// Up to 1,000 events, each for whomever it names: `endpoint_id`, `owner_id`, `url`, or `"broadcast": true`. The answer has
/// an item for each, in the same order: the `uid` of the event, or the `error` for which it was refused. On a 503 nothing is
/// said of any of them; sending them again is safe for those with an `idempotency_key`.
#[endpoint(tags("Events"), operation_id = "CreateEventBatch", request_body = EventBatchBody)]
#[boxed]
pub async fn event_batch(req: &mut Request, depot: &mut Depot) -> ApiResult<Vec<BatchItemWire>> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: EventBatchBody = read_json(req, &app).await?;
    if body.events.is_empty() || body.events.len() > EVENTS_MAX {
        return Err(ApiError::invalid(format!("events: between 1 and {EVENTS_MAX} are expected")));
    }
    let wishes = Wishes::read(req, None, body.ack.as_deref())?;
    let events: Vec<_> = body.events.iter().map(|event| parse::<BatchEvent>(event.get().as_bytes())).collect();
    let known = known_endpoints(&app, &project, events.iter().flatten()).await?;
    let trace = trace(req.headers());
    let (mut jobs, mut items) = (Vec::with_capacity(events.len()), Vec::with_capacity(events.len()));
    for event in events {
        let accepted = match event {
            Ok(event) => accept(&app, &project, event, (&known, trace.as_ref())).await,
            Err(error) => Err(error),
        };
        items.push(match accepted {
            Ok(job) => {
                let uid = job.event_id.to_string();
                jobs.push(job);
                BatchItemWire { uid: Some(uid), error: None }
            }
            Err(ApiError::Invalid(reason)) => BatchItemWire { uid: None, error: Some(reason.into_owned()) },
            Err(error) => return Err(error),
        });
    }
    chain(&mut jobs);
    app.requests.accept(&jobs, app.queues.push_all(&jobs)).await.map_err(ApiError::queue)?;
    let ids: Vec<EventId> = jobs.iter().map(|job| job.event_id).collect();
    let wishes = jobs.iter().fold(wishes, Wishes::or_in_order);
    wishes.fulfil(&app, project.id, &ids).await?;
    let message = format!("{} queued, {} refused", jobs.len(), items.len() - jobs.len());
    Ok(if jobs.is_empty() { Reply::ok(message, items) } else { Reply::created(message, items) })
}

/// Has each event stored after the one before it that has the same ordering key.
fn chain(jobs: &mut [CreateEvent]) {
    let mut last = HashMap::new();
    for job in jobs {
        if let Some(key) = &job.ordering_key {
            job.after = last.insert(key.clone(), job.event_id);
        }
    }
}

/// The endpoints of these events that exist, asked for in one query at most.
async fn known_endpoints(
    app: &App,
    project: &Project,
    events: impl Iterator<Item = &BatchEvent>,
) -> Result<HashSet<EndpointId>, ApiError> {
    let wanted: HashSet<EndpointId> =
        events.filter_map(|event| event.endpoint_id.as_ref()?.trim().parse().ok()).collect();
    let (mut known, mut unknown) = (HashSet::new(), Vec::new());
    for id in wanted {
        if app.endpoints.get(&(project.id, id)).is_some() {
            known.insert(id);
        } else {
            unknown.push(id);
        }
    }
    if !unknown.is_empty() {
        for endpoint in Endpoint::find_many(&mut *app.conn().await?, project.id, &unknown).await? {
            app.endpoints.put((project.id, endpoint.id), ());
            known.insert(endpoint.id);
        }
    }
    Ok(known)
}

async fn accept(
    app: &App,
    project: &Project,
    event: BatchEvent,
    (known, trace): (&HashSet<EndpointId>, Option<&TraceContext>),
) -> Result<CreateEvent, ApiError> {
    let content = Content {
        event_type: event.event_type,
        data: event.data,
        custom_headers: event.custom_headers,
        idempotency_key: event.idempotency_key,
        ordering_key: event.ordering_key,
    };
    let checked = content.checked(project)?;
    let targets = [&event.endpoint_id, &event.owner_id, &event.url];
    let named = targets.into_iter().filter(|text| !is_blank(text.as_ref())).count();
    if named + usize::from(event.broadcast.unwrap_or(false)) != 1 {
        return Err(ApiError::invalid("exactly one of endpoint_id, owner_id, url and broadcast is expected"));
    }
    let present = |text: Option<String>| text.map(|text| text.trim().to_string()).filter(|text| !text.is_empty());
    let target = if let Some(id) = present(event.endpoint_id) {
        let id = id.parse().ok().filter(|id| known.contains(id));
        EventTarget::Single { endpoint_id: id.ok_or_else(|| ApiError::invalid("endpoint not found"))? }
    } else if let Some(owner_id) = present(event.owner_id) {
        bounded("owner_id", &owner_id)?;
        EventTarget::Fanout { owner_id }
    } else if let Some(url) = present(event.url) {
        dynamic::resolve(app, project, Dynamic { url, secret: event.secret, event_types: event.event_types }).await?
    } else {
        EventTarget::Broadcast
    };
    Ok(checked.job(target, trace))
}
