//! A source as requests need it: read and made ready once in a few seconds, not for every request.

use std::sync::Arc;

use posthouse_jobs::queue::Rate;
use posthouse_schema::{
    ids::{ProjectId, SourceId},
    sealed::Unopened,
    source::Source,
    words::SourceKind,
};
use salvo::http::HeaderValue;
use serde_json::Value;

use super::{location::Location, verifier::Verifier};
use crate::{app::App, error::ApiError};

/// Characters of a mask; all are letters and digits.
pub const MASK_CHARS: usize = 16;
const UNKNOWN: ApiError = ApiError::NotFound("Resource not found");

/// A source that takes requests.
pub struct HttpSource {
    /// The project that its events belong to.
    pub project_id: ProjectId,
    /// The source.
    pub id: SourceId,
    /// Its part of the URL.
    pub mask: String,
    /// Whether Twitter may challenge it.
    pub is_twitter: bool,
    /// Whether it takes nothing in.
    pub is_disabled: bool,
    /// Whether it takes requests at all.
    pub is_http: bool,
    /// How requests prove themselves; `None` where what is stored is not understood, and nothing is accepted.
    pub verifier: Option<Verifier>,
    /// Where the idempotency key is made from.
    pub idempotency_keys: Vec<Location>,
    /// Where the event type is.
    pub event_type: Option<Location>,
    /// Headers that are forwarded although they are held back otherwise.
    pub forward_headers: Vec<String>,
    /// What requests are answered with.
    pub custom_response: Option<CustomResponse>,
    /// How many requests it takes in.
    rate: Option<Rate>,
}

/// What requests are answered with instead of our own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomResponse {
    /// The content type.
    pub content_type: HeaderValue,
    /// The body.
    pub body: String,
}

impl HttpSource {
    /// The source of this mask, as it was within the last seconds.
    ///
    /// # Errors
    /// 404 for a mask that no live source has; 503 when the database is away, or the verifier cannot be read.
    pub async fn find(app: &App, mask: &str) -> Result<Arc<Self>, ApiError> {
        if mask.len() != MASK_CHARS || !mask.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(UNKNOWN);
        }
        let mask = mask.to_string();
        if let Some(found) = app.sources.get(&mask) {
            return found.ok_or(UNKNOWN);
        }
        let row = Source::find_by_mask_all_projects(&mut *app.conn().await?, &mask).await?;
        // One that cannot be read here is not remembered: its provider tries again, perhaps at another instance.
        let found = row.map(Self::of).transpose()?.map(Arc::new);
        // That there is none is remembered as well, so that guessing costs the database little.
        app.sources.put(mask, found.clone());
        found.ok_or(UNKNOWN)
    }

    fn of(row: Source) -> Result<Self, Unopened> {
        // Stored places were checked when they were set; one that is not understood selects nothing.
        let places = row.idempotency_keys.0.iter().filter_map(|text| Location::parse(text).ok()).collect();
        let verifier = row.verifier()?;
        Ok(Self {
            project_id: row.project_id,
            id: row.id,
            is_twitter: row.provider == "twitter",
            is_disabled: row.is_disabled,
            is_http: row.kind == SourceKind::Http,
            verifier: Verifier::of(&row.provider, verifier.as_ref()).ok(),
            idempotency_keys: places,
            event_type: Location::parse(&row.event_type_location).ok(),
            forward_headers: row.forward_headers.0,
            custom_response: row.custom_response.as_ref().and_then(CustomResponse::of),
            mask: row.mask_id,
            rate: Rate::of_seconds(row.rate_limit, row.rate_limit_duration_seconds),
        })
    }

    /// Takes a request from what the source may take in, which all instances share.
    ///
    /// # Errors
    /// 429 where there is nothing left; 503 when Redis is away.
    pub async fn take_turn(&self, app: &App) -> Result<(), ApiError> {
        let Some(rate) = self.rate else { return Ok(()) };
        let turns = app.queues.take_turns(&format!("source:{}", self.id), rate, 1).await.map_err(ApiError::queue)?;
        if turns.taken == 1 { Ok(()) } else { Err(ApiError::SourceFull(turns.wait)) }
    }
}

impl CustomResponse {
    fn of(stored: &Value) -> Option<Self> {
        let text = |field: &str| stored.get(field).and_then(Value::as_str).unwrap_or_default();
        let (body, content_type) = (text("body"), text("content_type"));
        if body.is_empty() {
            return None;
        }
        let content_type = if content_type.is_empty() { "text/plain; charset=utf-8" } else { content_type };
        Some(Self { content_type: HeaderValue::from_str(content_type).ok()?, body: body.into() })
    }
}
