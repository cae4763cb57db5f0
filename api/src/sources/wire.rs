//! Sources on the wire, contract section 2.10.

use chrono::{DateTime, Utc};
use posthouse_schema::{source::Source, words::SourceKind};
use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{broker::shown_amqp, verifier::VerifierBody};
use crate::locked;

/// What a source is made or changed with. In a change, what is missing keeps its value.
#[derive(Deserialize, ToSchema)]
pub struct SourceBody {
    /// What it is called.
    pub name: Option<String>,
    /// `http` for a provider that posts to the source's URL, `pub_sub` for a message broker. `rest_api` and
    /// `db_change_stream` are kept, and not served.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `github`, `twitter` or `shopify`: requests are signed as this provider does, with the secret of `verifier.hmac`.
    pub provider: Option<String>,
    /// Whether it takes nothing in.
    pub is_disabled: Option<bool>,
    /// How requests prove themselves.
    pub verifier: Option<VerifierBody>,
    /// What an ingest request is answered with.
    pub custom_response: Option<CustomResponseBody>,
    /// Inbound headers that are forwarded although they carry credentials, such as `Authorization`.
    pub forward_headers: Option<Vec<String>>,
    /// The broker: `{"type", "workers", …}` with the settings under the name of the type. `mqtt`: `{"host", "port", "topic",
    /// "qos", "client_id", "username", "password", "tls", "ca_certificate", "version", "session_expiry_seconds",
    /// "retained", "event_type"}`; host and topic are required. `amqp`:
    /// `{"schema", "host", "port", "queue", "vhost", "auth": {"user", "password"}, "bindExchange": {"exchange",
    /// "routingKey"}, "deadLetterExchange", "prefetch", "ca_certificate"}`; host and queue are required. `kafka`:
    /// `{"brokers", "topic_name", "consumer_group_id", "start", "auth": {"type", "hash", "username", "password", "tls"},
    /// "ca_certificate"}`; brokers and topic_name are required. `nats`:
    /// `{"servers", "stream", "subject", "durable", "start", "redeliver_after_seconds", "auth": {"username", "password",
    /// "token", "credentials"}, "tls", "ca_certificate"}`; servers and stream are required. `redis`: `{"host", "port",
    /// "database", "stream", "group", "body_field", "start", "redeliver_after_seconds", "auth": {"username", "password"},
    /// "tls", "ca_certificate"}`; host and stream are required. `sqs`: `{"access_key_id", "secret_key", "default_region",
    /// "queue_name", "session_token", "endpoint", "redeliver_after_seconds", "ca_certificate"}`; the first four are required.
    /// `google`: `{"project_id", "subscription_id", "service_account", "endpoint", "redeliver_after_seconds",
    /// "ca_certificate"}`; the first three are required, and `service_account` is the account's JSON key, as it is or in
    /// base64.
    pub pub_sub: Option<Value>,
    /// Where an idempotency key is made from: `request.header.<name>`, `request.query.<name>` or `request.body.<path>`, any
    /// number of them together.
    pub idempotency_keys: Option<Vec<String>>,
    /// Where the event type is read from, in the same way; without it, the type is the source's `mask_id`.
    pub event_type_location: Option<String>,
    /// JavaScript of a source of type `pub_sub`: `transform` gets what the broker brings, whatever JSON it is, and returns the
    /// message. An empty text removes it.
    pub body_function: Option<String>,
    /// The same for the message's headers, an object of texts.
    pub header_function: Option<String>,
    /// Seconds for which it may receive nothing until the meta event `source.failing` tells so, once; 0 for never.
    pub stale_after_seconds: Option<u32>,
    /// Messages of the broker, or requests of the provider, that are taken in within `rate_limit_duration`; 0 for no limit. A
    /// broker is held back; a provider is answered 429.
    pub rate_limit: Option<i64>,
    /// The duration, in seconds; at most a day.
    pub rate_limit_duration: Option<i64>,
}

/// What an ingest request is answered with. An empty body means our own answer.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CustomResponseBody {
    /// The body.
    pub body: Option<String>,
    /// Its content type; `text/plain` where it is empty.
    pub content_type: Option<String>,
}

/// A source. Passwords of brokers are not shown; secrets of verifiers only to those who may change them.
#[derive(Serialize, ToSchema)]
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
    pub verifier: VerifierBody,
    /// What an ingest request is answered with.
    pub custom_response: CustomResponseBody,
    /// `{"twitter": {"crc_verified_at"}}` once Twitter has challenged the source, else null.
    pub provider_config: Option<Value>,
    /// Inbound headers that are forwarded although they carry credentials.
    pub forward_headers: Option<Vec<String>>,
    /// The broker, without its secrets. Of `amqp`, the binding is `bindedExchange` and `routingKey`.
    pub pub_sub: Value,
    /// Where an idempotency key is made from.
    pub idempotency_keys: Option<Vec<String>>,
    /// Where the event type is read from.
    pub event_type_location: String,
    /// What makes a message of what the broker brings.
    pub body_function: Option<String>,
    /// What makes a message's headers.
    pub header_function: Option<String>,
    /// Seconds for which it may receive nothing until that is told; missing for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_after_seconds: Option<i32>,
    /// Since when it is known that it was silent for longer; missing where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_since: Option<DateTime<Utc>>,
    /// Messages or requests that are taken in within `rate_limit_duration`; 0 for no limit.
    pub rate_limit: i32,
    /// The duration, in seconds.
    pub rate_limit_duration: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Who looks at a source.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// What the source's URL begins with for them.
    pub base: String,
    /// Whether they may change the source, and so know its secrets.
    pub is_manager: bool,
}

impl SourceWire {
    /// The source for someone.
    #[must_use]
    pub fn new(row: Source, viewer: &Viewer) -> Self {
        let verifier = VerifierBody::stored(locked::document(row.verifier()).as_ref());
        let pub_sub = pub_sub(row.kind, locked::document(row.pub_sub()));
        Self {
            uid: row.id.to_string(),
            project_id: row.project_id.to_string(),
            url: format!("{}/ingest/{}", viewer.base, row.mask_id),
            mask_id: row.mask_id,
            name: row.name,
            kind: row.kind.to_string(),
            // As recorded: null from when it was made until it is first challenged.
            provider_config: row.crc_verified_at.map(|at| twitter_config(Some(at))),
            provider: row.provider,
            is_disabled: row.is_disabled,
            verifier: if viewer.is_manager { verifier } else { verifier.redacted() },
            custom_response: CustomResponseBody::stored(row.custom_response.as_ref()),
            forward_headers: Some(row.forward_headers.0),
            pub_sub,
            idempotency_keys: Some(row.idempotency_keys.0),
            event_type_location: row.event_type_location,
            body_function: row.body_function,
            header_function: row.header_function,
            stale_after_seconds: row.stale_after_seconds,
            stale_since: row.stale_since,
            rate_limit: row.rate_limit,
            rate_limit_duration: row.rate_limit_duration_seconds,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: None,
        }
    }

    /// The same in the answer to its making, where lists that were not given are null, and Twitter's part is there.
    #[must_use]
    pub fn just_made(mut self) -> Self {
        if self.provider == "twitter" {
            self.provider_config = Some(twitter_config(None));
        }
        for list in [&mut self.forward_headers, &mut self.idempotency_keys] {
            *list = list.take().filter(|list| !list.is_empty());
        }
        self
    }
}

fn twitter_config(crc_verified_at: Option<DateTime<Utc>>) -> Value {
    json!({"twitter": {"crc_verified_at": crc_verified_at}})
}

impl CustomResponseBody {
    fn stored(value: Option<&Value>) -> Self {
        let text = |field: &str| {
            let text = value.and_then(|value| value.get(field)).and_then(Value::as_str);
            Some(text.unwrap_or_default().to_string())
        };
        Self { body: text("body"), content_type: text("content_type") }
    }
}

/// Every kind of broker is named; those that are not there are null.
fn pub_sub(kind: SourceKind, stored: Option<Value>) -> Value {
    let mut shown = json!({"type": "", "workers": 0, "sqs": null, "google": null, "kafka": null, "amqp": null});
    if kind == SourceKind::PubSub
        && let (Value::Object(shown), Some(Value::Object(stored))) = (&mut shown, stored.map(redact))
    {
        shown.extend(stored);
        if let Some(amqp) = shown.get_mut("amqp") {
            shown_amqp(amqp);
        }
    }
    shown
}

/// What hides a stored secret in an answer; sent back in a change, it keeps the stored one.
pub const REDACTED: &str = "[REDACTED]";
const SECRET_FIELDS: [&str; 8] =
    ["password", "secret", "header_value", "secret_key", "session_token", "service_account", "token", "credentials"];

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
