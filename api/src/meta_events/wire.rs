//! Meta events on the wire, contract section 2.13.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use posthouse_schema::meta_event::{MetaAttempt, MetaEvent};
use salvo::oapi::ToSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    deliveries::wire::{RETRY_SECONDS_MAX, joined, status_text},
    events::wire::raw,
};

/// Something that happened to the project itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetaEventWire {
    /// The meta event; also the `webhook-id` of its requests.
    pub uid: String,
    /// Its project.
    pub project_id: String,
    /// What happened, such as `endpoint.created`.
    pub event_type: String,
    /// What is sent, and when.
    pub metadata: MetaEventMetadata,
    /// The newest request with its answer.
    pub attempt: Option<MetaAttemptWire>,
    /// `Scheduled`, `Retry`, `Success` or `Failure`.
    pub status: String,
    /// When it happened.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// What a meta event sends, and when.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetaEventMetadata {
    /// The body: `{"event_type", "data"}`.
    #[salvo(schema(value_type = serde_json::Value))]
    pub data: Option<Box<RawValue>>,
    /// Always empty.
    pub raw: String,
    /// `linear` or `exponential`.
    pub strategy: String,
    /// When the next attempt is due.
    pub next_send_time: DateTime<Utc>,
    /// Attempts made.
    pub num_trials: i32,
    /// The first wait, in seconds.
    pub interval_seconds: i32,
    /// Attempts in total.
    pub retry_limit: i32,
    /// Longest wait, in seconds.
    pub max_retry_seconds: i64,
}

/// One request of a meta event with its answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetaAttemptWire {
    /// Headers as sent.
    pub request_http_header: BTreeMap<String, String>,
    /// Headers as received.
    pub response_http_header: BTreeMap<String, String>,
    /// The beginning of the answer's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_data: Option<String>,
    /// Such as `200 OK`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl From<MetaEvent> for MetaEventWire {
    fn from(row: MetaEvent) -> Self {
        Self {
            uid: row.id.to_string(),
            project_id: row.project_id.to_string(),
            event_type: row.event_type,
            metadata: MetaEventMetadata {
                data: raw(&row.payload),
                raw: String::new(),
                strategy: row.strategy.to_string(),
                next_send_time: row.next_send_time,
                num_trials: row.attempt_count,
                interval_seconds: row.retry_interval_seconds,
                retry_limit: row.retry_limit,
                max_retry_seconds: RETRY_SECONDS_MAX,
            },
            attempt: row.attempt.map(MetaAttemptWire::from),
            status: row.status.to_string(),
            created_at: row.id.created_at(),
            updated_at: row.updated_at,
            deleted_at: None,
        }
    }
}

impl From<MetaAttempt> for MetaAttemptWire {
    fn from(attempt: MetaAttempt) -> Self {
        Self {
            request_http_header: joined(&attempt.request_headers),
            response_http_header: joined(&attempt.response_headers),
            response_data: attempt.response_body,
            http_status: attempt.status_code.map(|code| status_text(code.into())),
            error: attempt.error,
        }
    }
}
