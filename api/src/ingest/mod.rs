//! Events from providers: a request to the URL of a source is verified, becomes an event, and is in Redis before the
//! provider hears of it.

mod answer;
mod form;
mod forward;
mod json_path;
mod key;
pub mod location;
mod mac;
mod payload;
pub mod source;
mod timed;
pub mod verifier;

use bytes::Bytes;
use chrono::Utc;
use posthouse_boxed::boxed;
use posthouse_jobs::{CreateEvent, EventTarget};
use posthouse_schema::{
    event::{self, KeyWindow},
    ids::EventId,
    project::Project,
    project_config::DEFAULT_REQUEST_ID_HEADER,
    source::Source,
};
use salvo::{
    http::header::{ALLOW, HeaderValue},
    prelude::*,
};

use self::{
    answer::{ChallengeAnswer, IngestAnswer},
    json_path::JsonPath,
    location::Location,
    payload::Payload,
    source::HttpSource,
    verifier::Verifier,
};
use crate::{
    app::{App, app},
    body::{bounded, read_at_most},
    error::ApiError,
    events::accept::push,
    query,
};

const NOT_VERIFIED: &str = "Request verification failed";

/// The routes at the root.
pub fn router() -> Router {
    Router::with_path("ingest/{mask_id}").post(ingest_event).get(answer_challenge).goal(other_method)
}

/// Takes a provider's webhook in
///
/// The request must prove itself as the source says. JSON is kept byte for byte, forms become a flat JSON object, other text
/// a JSON string, other bytes `{"raw_base64": "…"}`. The answer holds the length of what was taken in, or is the source's own.
#[endpoint(tags("Ingest"), operation_id = "IngestEvent")]
#[boxed]
pub async fn ingest_event(req: &mut Request, depot: &mut Depot, res: &mut Response) -> Result<IngestAnswer, ApiError> {
    let app = app(depot)?;
    let source = find(req, &app).await?;
    if source.is_disabled {
        return Err(ApiError::Forbidden("the source is disabled"));
    }
    let project = app.project(source.project_id).await?.ok_or(ApiError::NotFound("Resource not found"))?;
    let verifier =
        source.verifier.as_ref().ok_or_else(|| ApiError::invalid("source has no valid verifier configured"))?;
    let body = read_at_most(req, bytes_max(&app, &project)).await?;
    let content_type = text(req, "content-type").to_string();
    let payload = verified(req, verifier, &content_type, &body).await?;
    // Only now: those who merely know the URL must not use up the project's limit.
    app.limits.event(project.id).await?;
    if let (Verifier::Slack(_), Some(challenge)) = (verifier, slack_challenge(&payload)) {
        return Ok(IngestAnswer::SlackChallenge(challenge));
    }
    source.take_turn(&app).await?;
    let job = new_event(req, &source, &project, &payload)?;
    let is_known = is_known(&app, &job, project.config.key_window()).await;
    push(&app, &job, res).await?;
    if !job.idempotency_key.is_empty() && !is_known {
        app.recent_keys.put((job.project_id, job.idempotency_key), job.event_id);
    }
    Ok(match &source.custom_response {
        Some(custom) => IngestAnswer::Custom(custom.clone()),
        None if is_known => IngestAnswer::Duplicate(payload.length),
        None => IngestAnswer::Received(payload.length),
    })
}

/// Answers Twitter's challenge
///
/// Query: `crc_token`. Only for sources of the provider `twitter`.
#[endpoint(tags("Ingest"), operation_id = "IngestChallenge")]
#[boxed]
pub async fn answer_challenge(req: &mut Request, depot: &mut Depot) -> Result<ChallengeAnswer, ApiError> {
    let app = app(depot)?;
    let source = find(req, &app).await?;
    if !source.is_twitter {
        return Err(ApiError::invalid("only sources of the provider twitter answer challenges"));
    }
    let token = query::one(req, "crc_token").ok_or_else(|| ApiError::invalid("crc_token: the challenge is missing"))?;
    let answer = source.verifier.as_ref().and_then(|verifier| verifier.answer_challenge(&token));
    let response_token = answer.ok_or_else(|| ApiError::invalid("source has no valid verifier configured"))?;
    Source::note_crc(&mut *app.conn().await?, source.project_id, source.id).await?;
    Ok(ChallengeAnswer { response_token })
}

/// 405: only providers speak here.
#[handler]
fn other_method(res: &mut Response) {
    res.status_code(StatusCode::METHOD_NOT_ALLOWED);
    res.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
}

async fn find(req: &Request, app: &App) -> Result<std::sync::Arc<HttpSource>, ApiError> {
    let source = HttpSource::find(app, &req.param::<String>("mask_id").unwrap_or_default()).await?;
    if source.is_http { Ok(source) } else { Err(ApiError::invalid("Source type needs to be HTTP")) }
}

/// The project's limit, never beyond the instance's.
fn bytes_max(app: &App, project: &Project) -> usize {
    match usize::try_from(project.config.max_payload_read_size) {
        Ok(0) | Err(_) => app.settings.body_bytes_max,
        Ok(bytes) => bytes.min(app.settings.body_bytes_max),
    }
}

fn text<'a>(req: &'a Request, header: &str) -> &'a str {
    req.headers().get(header).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The payload of a request that proves itself, by its raw bytes, or by what a form is as JSON.
async fn verified(req: &Request, verifier: &Verifier, content_type: &str, body: &Bytes) -> Result<Payload, ApiError> {
    let now = Utc::now();
    let is_raw = verifier.accepts(req.headers(), body, now);
    if !is_raw && !matches!(verifier, Verifier::Signature(_)) {
        return Err(ApiError::invalid(NOT_VERIFIED));
    }
    let payload = Payload::read(content_type, body).await;
    if is_raw {
        return payload;
    }
    // Some senders sign the JSON that their form stands for.
    match payload {
        Ok(payload) if verifier.accepts(req.headers(), payload.data.get().as_bytes(), now) => Ok(payload),
        _ => Err(ApiError::invalid(NOT_VERIFIED)),
    }
}

/// What Slack wants to read back when a URL is entered there.
fn slack_challenge(payload: &Payload) -> Option<String> {
    let field = |name: &str| JsonPath::parse(name).ok()?.scalar(&payload.data);
    if field("type")? == "url_verification" { field("challenge") } else { None }
}

fn new_event(
    req: &Request,
    source: &HttpSource,
    project: &Project,
    payload: &Payload,
) -> Result<CreateEvent, ApiError> {
    let (headers, query) = (req.headers(), req.uri().query().unwrap_or_default());
    let secret_header = source.verifier.as_ref().and_then(Verifier::secret_header);
    let event_id = EventId::generate();
    let selected = key::idempotency_key(source.id, &source.idempotency_keys, headers, query, &payload.data);
    // A project with a header of its own for the key cannot deliver an event without one.
    let has_own_header = !project.config.request_id_header.eq_ignore_ascii_case(DEFAULT_REQUEST_ID_HEADER);
    let fallback = || if has_own_header { event_id.to_string() } else { String::new() };
    Ok(CreateEvent {
        project_id: source.project_id,
        event_id,
        target: EventTarget::Source { source_id: source.id },
        event_type: event_type(req, source, payload)?,
        data: payload.data.clone(),
        headers: forward::forwarded(headers, secret_header, &source.forward_headers, &source.mask)?,
        idempotency_key: selected.unwrap_or_else(fallback),
        source_id: Some(source.id),
        url_query_params: query.into(),
        url_path: format!("/ingest/{}", source.mask),
        ordering_key: None,
        after: None,
        accepted_at: Utc::now(),
    })
}

/// The value at the source's place for it, else the mask.
fn event_type(req: &Request, source: &HttpSource, payload: &Payload) -> Result<String, ApiError> {
    let Some(location) = &source.event_type else { return Ok(source.mask.clone()) };
    let missing = match location {
        Location::Header(name) => format!("event type not found in request header {name}"),
        Location::Query(name) => format!("event type not found in request query parameter {name}"),
        Location::Body(path) => format!("event type not found in request body at {path}"),
    };
    let found = match location {
        Location::Body(path) => path.scalar(&payload.data).filter(|value| !value.is_empty()),
        other => other.read(req.headers(), req.uri().query().unwrap_or_default(), &payload.data),
    };
    let event_type = found.ok_or_else(|| ApiError::invalid(missing))?;
    bounded("event type", &event_type)?;
    Ok(event_type)
}

/// Whether an earlier event has the key. Only for the wording, which is not worth a refusal: it is settled when the event is
/// stored.
async fn is_known(app: &App, job: &CreateEvent, window: KeyWindow) -> bool {
    let key = &job.idempotency_key;
    if key.is_empty() {
        return false;
    }
    let covers = |owner: EventId| window.covers(owner, job.accepted_at);
    if app.recent_keys.get(&(job.project_id, key.clone())).is_some_and(covers) {
        return true;
    }
    let Ok(mut conn) = app.conn().await else { return false };
    event::owner_of_key(&mut conn, job.project_id, key).await.is_ok_and(|owner| owner.is_some_and(covers))
}
