//! Events for a URL that need not be an endpoint yet. The endpoint and its subscription are found or made before the event
//! is accepted: what is wrong with the URL is answered at once, the secret never passes the queue, and the job, which names
//! the subscription, can run twice.

use posthouse_boxed::boxed;
use posthouse_jobs::EventTarget;
use posthouse_schema::{
    dynamic_endpoint::{self, NewDynamicEndpoint},
    ids::EndpointId,
    project::Project,
};
use salvo::prelude::*;

use super::{
    accept::{Content, NO_DATA, NO_EVENT_TYPE, Wishes, enqueue, is_blank, missing, trace},
    wire::{DynamicEventBody, EventIdWire},
};
use crate::{
    app::App,
    auth::{Need, authorized},
    body::{bounded, read_json},
    endpoints::{self, wire::EndpointBody},
    error::{ApiError, ApiResult},
    reply::Reply,
    version::Version,
};

const NO_URL: &str = "url:please provide an endpoint url";
/// Event types that one event can give its subscription.
const EVENT_TYPES_MAX: usize = 100;

/// Sends an event to a URL
///
/// The endpoint with exactly this URL gets it; where the project has none, one is made, with a subscription. The URL is
/// checked, and both are there, before the answer. Neither the subscription's event types nor its filters hold the event
/// back. `event_types`, where given, become the subscription's; `secret` is of use only to a new endpoint.
#[endpoint(tags("Events"), operation_id = "CreateDynamicEvent", request_body = DynamicEventBody)]
#[boxed]
pub async fn dynamic_event(req: &mut Request, depot: &mut Depot, res: &mut Response) -> ApiResult<Option<EventIdWire>> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: DynamicEventBody = read_json(req, &app).await?;
    missing([
        is_blank(body.url.as_ref()).then_some(NO_URL),
        is_blank(body.event_type.as_ref()).then_some(NO_EVENT_TYPE),
        body.data.is_none().then_some(NO_DATA),
    ])?;
    let wishes = Wishes::read(req, body.return_id, body.ack.as_deref())?;
    let url = body.url.unwrap_or_default();
    let content = Content {
        event_type: body.event_type,
        data: body.data,
        custom_headers: body.custom_headers,
        idempotency_key: body.idempotency_key,
        ordering_key: body.ordering_key,
    };
    // Everything that can be refused comes before the endpoint is made.
    let checked = content.or_key_of(req)?.checked(&project)?;
    let target = resolve(&app, &project, Dynamic { url, secret: body.secret, event_types: body.event_types }).await?;
    let data = enqueue(&app, &checked.job(target, trace(req.headers()).as_ref()), wishes, res).await?;
    Ok(Reply::created("Dynamic event created successfully", data))
}

/// What a dynamic event says of its receiver.
pub(super) struct Dynamic {
    pub(super) url: String,
    pub(super) secret: Option<String>,
    pub(super) event_types: Option<Vec<String>>,
}

/// The target of a dynamic event; its endpoint and its subscription are there then.
pub(super) async fn resolve(app: &App, project: &Project, dynamic: Dynamic) -> Result<EventTarget, ApiError> {
    let url = dynamic.url.trim().to_string();
    if url.contains(['{', '}']) {
        return Err(ApiError::invalid("dynamic event URL must be concrete, not an endpoint URL template"));
    }
    let event_types = dynamic.event_types.unwrap_or_default();
    if event_types.len() > EVENT_TYPES_MAX || event_types.iter().any(|name| name.trim().is_empty()) {
        return Err(ApiError::invalid(format!(
            "event_types: at most {EVENT_TYPES_MAX} names are accepted, and none that is empty"
        )));
    }
    event_types.iter().try_for_each(|name| bounded("event_types", name))?;
    let secret = endpoints::input::secret(dynamic.secret, None)?;
    let body = EndpointBody {
        name: Some(format!("endpoint-{}", EndpointId::generate())),
        url: Some(url.clone()),
        advanced_signatures: Some(true),
        ..EndpointBody::default()
    };
    let endpoint = endpoints::input::values(body, project, Version::NEWEST, None)?;
    endpoints::input::permitted(&url, app.settings.endpoint_rules.as_deref())?;
    let new = NewDynamicEndpoint { endpoint: &endpoint, secret: &secret, event_types: &event_types };
    let subscription_id = dynamic_endpoint::resolve(&mut *app.conn().await?, project.id, &new).await?;
    Ok(EventTarget::Dynamic { url, subscription_id })
}
