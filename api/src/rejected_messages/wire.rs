//! Rejected messages on the wire. The contract has none.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use posthouse_schema::rejected_message::RejectedMessage;
use salvo::oapi::ToSchema;
use serde::Serialize;

/// A message of a broker that could not become an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectedMessageWire {
    /// The message.
    pub uid: String,
    /// Its project.
    pub project_id: String,
    /// The source that it came in by.
    pub source_id: String,
    /// Why, in a word: `not_json`, `shape`, `missing_field`, `invalid_field`, `message_type`, `headers`, `too_large`, `function`
    /// or `source_gone`.
    pub reason: String,
    /// Why, in a sentence.
    pub detail: String,
    /// How many bytes it had.
    pub payload_bytes: i64,
    /// Whether all of them are kept, so that it can be read again.
    pub is_whole: bool,
    /// What its broker said of it, such as the topic.
    #[salvo(schema(value_type = std::collections::BTreeMap<String, String>))]
    pub metadata: serde_json::Value,
    /// How often it was read again in vain.
    pub redrive_count: i32,
    /// Since when it waits to be read again.
    pub redrive_requested_at: Option<DateTime<Utc>>,
    /// When it was rejected.
    pub created_at: DateTime<Utc>,
    /// The message, or the beginning that is kept of it; only where one is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// `text`, or `base64` where the message is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_encoding: Option<&'static str>,
}

impl From<RejectedMessage> for RejectedMessageWire {
    fn from(row: RejectedMessage) -> Self {
        Self {
            uid: row.id.to_string(),
            project_id: row.project_id.to_string(),
            source_id: row.source_id.to_string(),
            reason: row.reason,
            detail: row.detail,
            payload_bytes: row.payload_bytes,
            is_whole: row.is_whole,
            metadata: row.metadata,
            redrive_count: row.redrive_count,
            redrive_requested_at: row.redrive_requested_at,
            created_at: row.id.created_at(),
            payload: None,
            payload_encoding: None,
        }
    }
}

impl RejectedMessageWire {
    /// With the bytes that are kept of it.
    #[must_use]
    pub fn with_payload(mut self, payload: Vec<u8>) -> Self {
        let (payload, encoding) = match String::from_utf8(payload) {
            Ok(text) => (text, "text"),
            Err(bytes) => (BASE64_STANDARD.encode(bytes.as_bytes()), "base64"),
        };
        (self.payload, self.payload_encoding) = (Some(payload), Some(encoding));
        self
    }
}
