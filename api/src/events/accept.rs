//! Accepting an event: checked, given its id, and in Redis before the caller hears of it. The same for every target.

use std::{collections::BTreeMap, time::Duration};

use chrono::Utc;
use posthouse_jobs::{CreateEvent, EventTarget, TraceContext};
use posthouse_schema::{
    event,
    ids::{EventId, ProjectId},
    project::Project,
    project_config::DEFAULT_REQUEST_ID_HEADER,
};
use salvo::{
    Request, Response,
    http::{HeaderMap, HeaderValue},
};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{headers, wire::EventIdWire};
use crate::{app::App, body::bounded, error::ApiError, query};

/// Carries the id of the new event, which the contract's answer does not.
const EVENT_ID: &str = "x-posthouse-event-id";
pub(super) const NO_DATA: &str = "data:please provide your data";
pub(super) const NO_EVENT_TYPE: &str = "event_type:please provide an event type";
/// How long an answer waits for an event to be stored.
const STORED_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks whether it is, at first and at most.
const LOOKS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// What an event says, whoever it is for.
pub(super) struct Content {
    pub(super) event_type: Option<String>,
    pub(super) data: Option<Box<RawValue>>,
    pub(super) custom_headers: Option<BTreeMap<String, String>>,
    pub(super) idempotency_key: Option<String>,
    pub(super) ordering_key: Option<String>,
}

/// Content that can be accepted.
pub(super) struct Checked {
    project_id: ProjectId,
    event_type: String,
    data: Box<RawValue>,
    headers: BTreeMap<String, Vec<String>>,
    idempotency_key: String,
    ordering_key: Option<String>,
}

/// An error that names every fault there is.
pub(super) fn missing<const N: usize>(faults: [Option<&str>; N]) -> Result<(), ApiError> {
    let faults: Vec<&str> = faults.into_iter().flatten().collect();
    if faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(faults.join(", "))) }
}

/// Whether a text is missing, or says nothing.
pub(super) fn is_blank(text: Option<&String>) -> bool {
    text.is_none_or(|text| text.trim().is_empty())
}

impl Content {
    /// The same, with the key of the header `Idempotency-Key` where the body has none.
    pub(super) fn or_key_of(mut self, req: &Request) -> Result<Self, ApiError> {
        if is_blank(self.idempotency_key.as_ref())
            && let Some(key) = req.headers().get("idempotency-key")
        {
            let key = key.to_str().map_err(|_| ApiError::invalid("Idempotency-Key: visible ASCII is expected"))?;
            self.idempotency_key = Some(key.to_string());
        }
        Ok(self)
    }

    /// Everything but the target is sound.
    pub(super) fn checked(self, project: &Project) -> Result<Checked, ApiError> {
        let no_event_type = is_blank(self.event_type.as_ref()).then_some(NO_EVENT_TYPE);
        missing([self.data.is_none().then_some(NO_DATA), no_event_type])?;
        let (event_type, data) = (self.event_type.unwrap_or_default(), self.data.unwrap_or_default());
        bounded("event_type", &event_type)?;
        let idempotency_key = self.idempotency_key.unwrap_or_default();
        bounded("idempotency_key", &idempotency_key)?;
        if HeaderValue::from_str(&idempotency_key).is_err() {
            return Err(ApiError::invalid(
                "idempotency_key: it is sent as a header, and holds characters that no header can",
            ));
        }
        let has_own_header = !project.config.request_id_header.eq_ignore_ascii_case(DEFAULT_REQUEST_ID_HEADER);
        if idempotency_key.is_empty() && has_own_header {
            return Err(ApiError::invalid("idempotency_key is required when a custom request_id_header is configured"));
        }
        let headers = headers::checked(self.custom_headers.unwrap_or_default())?;
        let ordering_key = self.ordering_key.filter(|key| !key.is_empty());
        if let Some(key) = &ordering_key {
            bounded("ordering_key", key)?;
        }
        Ok(Checked { project_id: project.id, event_type, data, headers, idempotency_key, ordering_key })
    }
}

impl Checked {
    /// The job that stores the event, which belongs to this trace.
    pub(super) fn job(mut self, target: EventTarget, trace: Option<&TraceContext>) -> CreateEvent {
        if let Some(trace) = trace {
            trace.store(&mut self.headers);
        }
        CreateEvent {
            project_id: self.project_id,
            event_id: EventId::generate(),
            target,
            event_type: self.event_type,
            data: self.data,
            headers: self.headers,
            idempotency_key: self.idempotency_key,
            source_id: None,
            url_query_params: String::new(),
            url_path: String::new(),
            ordering_key: self.ordering_key,
            after: None,
            accepted_at: Utc::now(),
        }
    }
}

/// The trace that a request belongs to, where it names one.
pub fn trace(headers: &HeaderMap) -> Option<TraceContext> {
    let values = |name| headers.get_all(name).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
    TraceContext::read(values("traceparent"), values("tracestate"))
}

/// What the caller wants to hear, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wishes {
    returns_id: bool,
    waits_for_storage: bool,
}

impl Wishes {
    /// As the body says it, or the query (`return=id`, `ack=postgres`).
    pub(super) fn read(req: &Request, return_id: Option<bool>, ack: Option<&str>) -> Result<Self, ApiError> {
        let asked = query::one(req, "return");
        if asked.as_ref().is_some_and(|word| word != "id") {
            return Err(ApiError::invalid("return: id is expected"));
        }
        let queried = query::one(req, "ack");
        let waits_for_storage = match ack.filter(|word| !word.is_empty()).or(queried.as_deref()) {
            None | Some("queue") => false,
            Some("postgres") => true,
            Some(_) => return Err(ApiError::invalid("ack: one of queue, postgres is expected")),
        };
        Ok(Self { returns_id: return_id.unwrap_or(asked.is_some()), waits_for_storage })
    }

    /// The same, and waits until the event is stored where it has a place in a line: then whoever sends one event after the
    /// other has them delivered in this order.
    pub(super) fn or_in_order(self, job: &CreateEvent) -> Self {
        Self { waits_for_storage: self.waits_for_storage || job.ordering_key.is_some(), ..self }
    }

    /// Waits until the events are stored, where that is wished for.
    pub(super) async fn fulfil(self, app: &App, project: ProjectId, events: &[EventId]) -> Result<(), ApiError> {
        if !self.waits_for_storage || events.is_empty() {
            return Ok(());
        }
        let (began, mut pause) = (Instant::now(), LOOKS.0);
        while began.elapsed() < STORED_WITHIN {
            tokio::time::sleep(pause).await;
            let mut conn = app.conn().await.map_err(|_| ApiError::Unconfirmed)?;
            if event::are_stored(&mut conn, project, events).await.map_err(|_| ApiError::Unconfirmed)? {
                return Ok(());
            }
            pause = (pause * 2).min(LOOKS.1);
        }
        Err(ApiError::Unconfirmed)
    }
}

/// Puts the job into the queue, and the event's id into a header of the answer.
///
/// # Errors
/// 503 when Redis did not take it.
pub async fn push(app: &App, job: &CreateEvent, res: &mut Response) -> Result<(), ApiError> {
    let pushing = app.queues.push(job);
    app.requests.accept(std::slice::from_ref(job), pushing).await.map_err(ApiError::queue)?;
    if let Ok(id) = HeaderValue::from_str(&job.event_id.to_string()) {
        res.headers_mut().insert(EVENT_ID, id);
    }
    Ok(())
}

/// As [`push`], and does what the caller wishes besides.
pub(super) async fn enqueue(
    app: &App,
    job: &CreateEvent,
    wishes: Wishes,
    res: &mut Response,
) -> Result<Option<EventIdWire>, ApiError> {
    push(app, job, res).await?;
    wishes.or_in_order(job).fulfil(app, job.project_id, &[job.event_id]).await?;
    Ok(wishes.returns_id.then(|| EventIdWire { uid: job.event_id.to_string() }))
}
