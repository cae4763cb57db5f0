//! Accepting an event: checked, given its id, and in Redis before the caller hears of it. The same for every target.

use std::collections::BTreeMap;

use chrono::Utc;
use posthouse_jobs::{CreateEvent, EventTarget};
use posthouse_schema::{ids::EventId, project::Project, project_config::DEFAULT_REQUEST_ID_HEADER};
use salvo::{Response, http::HeaderValue};
use serde_json::value::RawValue;

use super::headers;
use crate::{app::App, body::bounded, error::ApiError};

/// Carries the id of the new event, which the contract's answer does not.
const EVENT_ID: &str = "x-posthouse-event-id";
pub(super) const NO_DATA: &str = "data:please provide your data";
pub(super) const NO_EVENT_TYPE: &str = "event_type:please provide an event type";

/// What an event says, whoever it is for.
pub(super) struct Content {
    pub(super) event_type: Option<String>,
    pub(super) data: Option<Box<RawValue>>,
    pub(super) custom_headers: Option<BTreeMap<String, String>>,
    pub(super) idempotency_key: Option<String>,
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
    /// The job that stores the event.
    pub(super) fn accept(self, project: &Project, target: EventTarget) -> Result<CreateEvent, ApiError> {
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
        Ok(CreateEvent {
            project_id: project.id,
            event_id: EventId::generate(),
            target,
            event_type,
            data,
            headers: headers::checked(self.custom_headers.unwrap_or_default())?,
            idempotency_key,
            source_id: None,
            url_query_params: String::new(),
            url_path: String::new(),
            accepted_at: Utc::now(),
        })
    }
}

/// Puts the job into the queue, and the event's id into the answer.
///
/// # Errors
/// 503 when Redis did not take it.
pub async fn enqueue(app: &App, job: &CreateEvent, res: &mut Response) -> Result<(), ApiError> {
    app.queues.push(job).await.map_err(ApiError::queue)?;
    if let Ok(id) = HeaderValue::from_str(&job.event_id.to_string()) {
        res.headers_mut().insert(EVENT_ID, id);
    }
    Ok(())
}
