//! Sources on the wire, contract section 2.10.

use chrono::{DateTime, Utc};
use posthouse_schema::source::Source;
use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a source is made or changed with.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SourceBody {
    /// What it is called.
    pub name: Option<String>,
    /// `pub_sub` for a message broker; `http` is kept, and not served by this version.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Not used by this version.
    pub provider: Option<String>,
    /// Whether it takes nothing in.
    pub is_disabled: Option<bool>,
    /// How requests prove themselves.
    pub verifier: Option<Value>,
    /// What an ingest request is answered with: `{"body", "content_type"}`.
    pub custom_response: Option<Value>,
    /// Inbound headers that are forwarded.
    pub forward_headers: Option<Vec<String>>,
    /// The broker: `{"type": "mqtt", "workers": 1, "mqtt": {"host", "port", "topic", "qos", "client_id", "username",
    /// "password", "tls", "ca_certificate"}}`; host and topic are required.
    pub pub_sub: Option<Value>,
    /// Where an idempotency key is made from.
    pub idempotency_keys: Option<Vec<String>>,
    /// Where the event type is read from.
    pub event_type_location: Option<String>,
    /// Not run by this version, and refused.
    pub body_function: Option<String>,
    /// Not run by this version, and refused.
    pub header_function: Option<String>,
}

/// A source. Passwords and secrets are not shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceWire {
    /// The source.
    pub uid: String,
    /// Its project.
    pub project_id: String,
    /// Its part of the ingest URL.
    pub mask_id: String,
    /// What it is called.
    pub name: String,
    /// Where a provider posts to.
    pub url: String,
    /// Where its events come from.
    #[serde(rename = "type")]
    pub kind: String,
    /// The provider.
    pub provider: String,
    /// Whether it takes nothing in.
    pub is_disabled: bool,
    /// How requests prove themselves.
    pub verifier: Option<Value>,
    /// What an ingest request is answered with.
    pub custom_response: Option<Value>,
    /// Always null.
    pub provider_config: Option<Value>,
    /// Inbound headers that are forwarded.
    pub forward_headers: Vec<String>,
    /// The broker.
    pub pub_sub: Option<Value>,
    /// Where an idempotency key is made from.
    pub idempotency_keys: Vec<String>,
    /// Where the event type is read from.
    pub event_type_location: String,
    /// Always null.
    pub body_function: Option<String>,
    /// Always null.
    pub header_function: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
}

impl From<Source> for SourceWire {
    fn from(row: Source) -> Self {
        Self {
            uid: row.id.to_string(),
            project_id: row.project_id.to_string(),
            url: format!("/ingest/{}", row.mask_id),
            mask_id: row.mask_id,
            name: row.name,
            kind: row.kind.to_string(),
            provider: row.provider,
            is_disabled: row.is_disabled,
            verifier: row.verifier.map(redact),
            custom_response: row.custom_response,
            provider_config: None,
            forward_headers: row.forward_headers.0,
            pub_sub: row.pub_sub.map(redact),
            idempotency_keys: row.idempotency_keys.0,
            event_type_location: row.event_type_location,
            body_function: None,
            header_function: None,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: None,
        }
    }
}

/// What hides a stored secret in an answer; sent back in a change, it keeps the stored one.
pub const REDACTED: &str = "[REDACTED]";
const SECRET_FIELDS: [&str; 5] = ["password", "secret", "header_value", "secret_key", "service_account"];

fn redact(mut value: Value) -> Value {
    if let Value::Object(fields) = &mut value {
        for (name, field) in fields {
            let is_secret =
                SECRET_FIELDS.contains(&name.as_str()) && field.as_str().is_some_and(|text| !text.is_empty());
            *field = if is_secret { REDACTED.into() } else { redact(field.take()) };
        }
    }
    value
}
