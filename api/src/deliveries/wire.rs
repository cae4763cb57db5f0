//! Deliveries and attempts on the wire, contract sections 2.5 and 2.6.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use posthouse_schema::{
    delivery_attempt::{AttemptTimings, DeliveryAttempt},
    event::Event,
    event_delivery::EventDelivery,
    json::{Headers, Redirect},
    words::DeliveryStatus,
};
use salvo::{http::StatusCode, oapi::ToSchema};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    endpoints::wire::{EndpointWire, zero_time},
    events::wire::raw,
    sources::metadata::SourceMetadata,
};

/// Longest wait between attempts, in seconds.
pub const RETRY_SECONDS_MAX: i64 = 7_200;

/// Which deliveries to send again although they succeeded.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ForceResendBody {
    /// Their ids, at most 1,000.
    pub ids: Vec<String>,
}

/// A count.
#[derive(Debug, Serialize, ToSchema)]
pub struct CountWire {
    /// How many.
    pub num: i64,
}

/// Deliveries by status.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusTotalsWire {
    /// How many are in each status.
    pub totals: BTreeMap<String, i64>,
    /// Always `live`: counted now.
    pub source: String,
}

/// One event on its way to one endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryWire {
    /// The delivery; also the `webhook-id` of its requests.
    pub uid: String,
    /// Its project.
    pub project_id: String,
    /// The event.
    pub event_id: String,
    /// Where it goes.
    pub endpoint_id: String,
    /// Always empty.
    pub device_id: String,
    /// The subscription that matched.
    pub subscription_id: String,
    /// Headers that the event adds.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The URL in use, where it is not the endpoint's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_url: Option<String>,
    /// Query appended to the URL.
    pub url_query_params: String,
    /// The event's key.
    pub idempotency_key: String,
    /// Always empty; see `latency_seconds`.
    pub latency: String,
    /// Seconds from acceptance to success.
    pub latency_seconds: f64,
    /// The event's type.
    pub event_type: String,
    /// `at_least_once` or `at_most_once`.
    pub delivery_mode: String,
    /// Enough of the endpoint to recognise it.
    pub endpoint_metadata: EndpointWire,
    /// Enough of the event to recognise it.
    pub event_metadata: EventMetadata,
    /// Enough of the source to recognise it.
    pub source_metadata: SourceMetadata,
    /// Always empty: there are no devices.
    pub device_metadata: DeviceMetadata,
    /// `Scheduled`, `Processing`, `Retry`, `Success`, `Failure` or `Discarded`.
    pub status: String,
    /// What is sent, and when.
    pub metadata: DeliveryMetadata,
    /// Always null: there are no devices.
    pub cli_metadata: Option<serde_json::Value>,
    /// Why it is in its state.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// When the event was accepted.
    pub acknowledged_at: DateTime<Utc>,
    /// When the event was accepted.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// An event as its deliveries show it, in the whole shape of an event: only these three fields say something.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventMetadata {
    /// The event.
    pub uid: String,
    /// Its type.
    pub event_type: String,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// Always null.
    pub endpoints: Option<Vec<String>>,
    /// Always null.
    pub headers: Option<BTreeMap<String, Vec<String>>>,
    /// Always empty.
    pub url_query_params: String,
    /// Always empty.
    pub url_path: String,
    /// Always empty.
    pub idempotency_key: String,
    /// Always false.
    pub is_duplicate_event: bool,
    /// Always empty.
    pub status: String,
    /// Always null.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Always year 1.
    pub updated_at: DateTime<Utc>,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Always empty: there are no devices.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceMetadata {
    /// Always empty.
    pub uid: String,
    /// Always year 1.
    pub last_seen_at: DateTime<Utc>,
    /// Always year 1.
    pub created_at: DateTime<Utc>,
    /// Always year 1.
    pub updated_at: DateTime<Utc>,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// What a delivery sends, and when.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryMetadata {
    /// What is sent: the event's data, or what the subscription's function made of it; null where that failed.
    #[salvo(schema(value_type = serde_json::Value))]
    pub data: Option<Box<RawValue>>,
    /// The same as a text.
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

/// One request of a delivery.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptWire {
    /// The attempt.
    pub uid: String,
    /// The delivery.
    pub msg_id: String,
    /// The URL that was requested.
    pub url: String,
    /// Always POST.
    pub method: String,
    /// Where it went.
    pub endpoint_id: String,
    /// The version of the server.
    pub api_version: String,
    /// Its project.
    pub project_id: String,
    /// The address that was connected to, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// Headers as sent; credentials are hidden.
    pub request_http_header: BTreeMap<String, String>,
    /// Headers as received.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub response_http_header: BTreeMap<String, String>,
    /// Such as `200 OK`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<String>,
    /// The beginning of the answer's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_data: Option<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What went wrong, as one of a few words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_class: Option<String>,
    /// Whether it succeeded; missing when it did not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub status: bool,
    /// Milliseconds from the request to the answer or the failure.
    pub duration_ms: i32,
    /// Where the time went; missing for attempts from before this was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timings: Option<TimingsWire>,
    /// The answers that led elsewhere before this one, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redirects: Vec<RedirectWire>,
    /// When the request began.
    pub requested_at: DateTime<Utc>,
    /// When the answer was complete.
    pub responded_at: Option<DateTime<Utc>>,
    /// When the request began.
    pub created_at: DateTime<Utc>,
    /// When it was recorded.
    pub updated_at: DateTime<Utc>,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Where an attempt's time went, in milliseconds; null for what did not happen, such as all but the first byte on a
/// connection that was open. Of the last request, where answers led elsewhere.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimingsWire {
    /// How long the delivery had waited beyond its time.
    pub queue_ms: Option<i32>,
    /// Resolving the name.
    pub dns_ms: Option<f64>,
    /// Connecting to the address.
    pub connect_ms: Option<f64>,
    /// The TLS handshake.
    pub tls_ms: Option<f64>,
    /// From the beginning of the request to the head of its answer, with all of the above.
    pub first_byte_ms: Option<f64>,
    /// The whole attempt, as `duration_ms`.
    pub total_ms: i32,
}

/// An answer that led elsewhere.
#[derive(Debug, Serialize, ToSchema)]
pub struct RedirectWire {
    /// Such as `307 Temporary Redirect`.
    pub http_status: String,
    /// Where it led.
    pub url: String,
}

impl DeliveryWire {
    /// The delivery with what its event, its endpoint and its source add; each may be gone.
    #[must_use]
    pub fn new(
        row: EventDelivery,
        event: Option<&Event>,
        endpoint: Option<EndpointWire>,
        source: SourceMetadata,
    ) -> Self {
        let created_at = row.id.created_at();
        let endpoint_id = row.endpoint_id.to_string();
        let project_id = row.project_id.to_string();
        Self {
            uid: row.id.to_string(),
            event_id: row.event_id.to_string(),
            device_id: String::new(),
            subscription_id: row.subscription_id.to_string(),
            headers: event.map(|event| event.headers.0.clone()).unwrap_or_default(),
            target_url: row.target_url.clone(),
            url_query_params: event.map(|event| event.url_query_params.clone()).unwrap_or_default(),
            idempotency_key: event.map(|event| event.idempotency_key.clone()).unwrap_or_default(),
            latency: String::new(),
            latency_seconds: row.latency_seconds.unwrap_or(0.0),
            event_metadata: EventMetadata::of(&row),
            source_metadata: source,
            device_metadata: DeviceMetadata::none(),
            event_type: row.event_type.clone(),
            delivery_mode: row.delivery_mode.to_string(),
            endpoint_metadata: endpoint.unwrap_or_else(|| EndpointWire::gone(endpoint_id.clone(), project_id.clone())),
            endpoint_id,
            project_id,
            status: row.status.to_string(),
            metadata: DeliveryMetadata::new(&row, event),
            cli_metadata: None,
            description: row.description,
            acknowledged_at: row.acknowledged_at,
            created_at,
            updated_at: row.updated_at,
            deleted_at: None,
        }
    }
}

impl DeliveryMetadata {
    fn new(row: &EventDelivery, event: Option<&Event>) -> Self {
        let was_never_sent = row.status == DeliveryStatus::Discarded && row.attempt_count == 0;
        let payload = row.payload.as_deref().or_else(|| event.map(|event| event.payload.as_slice()));
        Self {
            data: payload.and_then(raw),
            raw: payload.map(|payload| String::from_utf8_lossy(payload).into_owned()).unwrap_or_default(),
            strategy: row.strategy.to_string(),
            next_send_time: row.next_send_time,
            num_trials: row.attempt_count,
            interval_seconds: row.retry_interval_seconds,
            retry_limit: row.retry_limit,
            max_retry_seconds: if was_never_sent { 0 } else { RETRY_SECONDS_MAX },
        }
    }
}

impl EventMetadata {
    fn of(row: &EventDelivery) -> Self {
        Self {
            uid: row.event_id.to_string(),
            event_type: row.event_type.clone(),
            created_at: row.id.created_at(),
            endpoints: None,
            headers: None,
            url_query_params: String::new(),
            url_path: String::new(),
            idempotency_key: String::new(),
            is_duplicate_event: false,
            status: String::new(),
            acknowledged_at: None,
            updated_at: zero_time(),
            deleted_at: None,
        }
    }
}

impl DeviceMetadata {
    fn none() -> Self {
        let never = zero_time();
        Self { uid: String::new(), last_seen_at: never, created_at: never, updated_at: never, deleted_at: None }
    }
}

impl From<DeliveryAttempt> for AttemptWire {
    fn from(row: DeliveryAttempt) -> Self {
        Self {
            uid: row.id.to_string(),
            msg_id: row.event_delivery_id.to_string(),
            url: row.url,
            method: row.method,
            endpoint_id: row.endpoint_id.to_string(),
            api_version: concat!("v", env!("CARGO_PKG_VERSION")).into(),
            project_id: row.project_id.to_string(),
            ip_address: row.ip_address,
            request_http_header: joined(&row.request_headers),
            response_http_header: joined(&row.response_headers),
            http_status: row.status_code.map(status_text),
            response_data: row.response_body.map(|body| String::from_utf8_lossy(&body).into_owned()),
            error: row.error,
            error_class: row.error_class,
            status: row.is_success,
            duration_ms: row.duration_ms,
            timings: TimingsWire::of(row.timings, row.duration_ms),
            redirects: row.redirects.into_iter().flat_map(|list| list.0).map(RedirectWire::from).collect(),
            requested_at: row.requested_at,
            responded_at: row.responded_at,
            created_at: row.requested_at,
            updated_at: row.responded_at.unwrap_or(row.requested_at),
            deleted_at: None,
        }
    }
}

impl TimingsWire {
    fn of(timings: AttemptTimings, total_ms: i32) -> Option<Self> {
        if timings == AttemptTimings::default() {
            return None;
        }
        let milliseconds = |micros: Option<i32>| micros.map(|micros| f64::from(micros) / 1_000.0);
        Some(Self {
            queue_ms: timings.queue_ms,
            dns_ms: milliseconds(timings.dns_us),
            connect_ms: milliseconds(timings.connect_us),
            tls_ms: milliseconds(timings.tls_us),
            first_byte_ms: milliseconds(timings.first_byte_us),
            total_ms,
        })
    }
}

impl From<Redirect> for RedirectWire {
    fn from(redirect: Redirect) -> Self {
        Self { http_status: status_text(i32::from(redirect.status)), url: redirect.url }
    }
}

/// Names as people write them, several values joined by a space.
pub fn joined(headers: &Headers) -> BTreeMap<String, String> {
    headers.0.iter().map(|(name, values)| (title_case(name), values.join(" "))).collect()
}

fn title_case(name: &str) -> String {
    let word = |word: &str| {
        let mut chars = word.chars();
        chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// A status code with its reason, such as `200 OK`.
pub fn status_text(code: i32) -> String {
    let reason = u16::try_from(code)
        .ok()
        .and_then(|code| StatusCode::from_u16(code).ok())
        .and_then(|code| code.canonical_reason());
    reason.map_or_else(|| code.to_string(), |reason| format!("{code} {reason}"))
}

#[cfg(test)]
mod tests {
    use posthouse_schema::{
        ids::{DeliveryAttemptId, EndpointId, EventDeliveryId, EventId, ProjectId, SubscriptionId},
        json::RedirectList,
    };
    use serde_json::json;

    use super::*;

    fn shown(change: impl FnOnce(&mut DeliveryAttempt)) -> serde_json::Value {
        let mut attempt = DeliveryAttempt {
            project_id: ProjectId::generate(),
            id: DeliveryAttemptId::generate(),
            event_delivery_id: EventDeliveryId::derive(EventId::generate(), SubscriptionId::generate()),
            endpoint_id: EndpointId::generate(),
            url: "https://shop.example/".into(),
            method: "POST".into(),
            is_success: true,
            status_code: Some(200),
            error: None,
            error_class: None,
            request_headers: Headers::default(),
            response_headers: Headers::default(),
            response_body: None,
            ip_address: Some("192.0.2.1".into()),
            requested_at: DateTime::UNIX_EPOCH,
            responded_at: None,
            duration_ms: 31,
            timings: AttemptTimings::default(),
            redirects: None,
        };
        change(&mut attempt);
        serde_json::to_value(AttemptWire::from(attempt)).unwrap()
    }

    #[test]
    fn an_attempt_tells_where_its_time_went_and_where_it_was_led() {
        let old = shown(|_| {});
        assert_eq!((old.get("timings"), old.get("redirects"), &old["ip_address"]), (None, None, &json!("192.0.2.1")));
        let new = shown(|attempt| {
            let (connect_us, first_byte_us) = (Some(1_500), Some(30_250));
            attempt.timings =
                AttemptTimings { queue_ms: Some(4), connect_us, first_byte_us, ..AttemptTimings::default() };
            let url = "https://new.example/".into();
            attempt.redirects = Some(RedirectList(vec![Redirect { status: 308, url }]));
        });
        let timings = json!({
            "queue_ms": 4, "dns_ms": null, "connect_ms": 1.5, "tls_ms": null, "first_byte_ms": 30.25, "total_ms": 31
        });
        assert_eq!(new["timings"], timings);
        let led = json!([{"http_status": "308 Permanent Redirect", "url": "https://new.example/"}]);
        assert_eq!(new["redirects"], led);
    }
}
