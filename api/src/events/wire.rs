//! Events on the wire, contract sections 2.3 and 2.4.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use posthouse_schema::event::Event;
use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::sources::metadata::SourceMetadata;

/// An event for one endpoint.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateEventBody {
    /// The endpoint that the event is for.
    pub endpoint_id: Option<String>,
    /// Not supported by this version; use `endpoint_id`.
    pub app_id: Option<String>,
    /// Dotted name, such as `invoice.paid`.
    pub event_type: Option<String>,
    /// Any JSON; delivered byte for byte.
    #[salvo(schema(value_type = serde_json::Value))]
    pub data: Option<Box<RawValue>>,
    /// Headers to add to the deliveries.
    pub custom_headers: Option<BTreeMap<String, String>>,
    /// Marks repeats: a second event with the same key is stored as a duplicate and not delivered.
    pub idempotency_key: Option<String>,
    /// Deliveries to one endpoint with the same key are sent one after the other, in the order in which the events were
    /// stored; the answer comes when this one is.
    pub ordering_key: Option<String>,
    /// Whether the answer's `data` names the event.
    pub return_id: Option<bool>,
    /// When to answer: `queue` (the default), when the event is safe in the queue, or `postgres`, when it is stored.
    pub ack: Option<String>,
}

/// An event for all endpoints of an owner.
#[derive(Debug, Deserialize, ToSchema)]
pub struct FanoutEventBody {
    /// Whose endpoints the event is for.
    pub owner_id: Option<String>,
    /// Dotted name, such as `invoice.paid`.
    pub event_type: Option<String>,
    /// Any JSON; delivered byte for byte.
    #[salvo(schema(value_type = serde_json::Value))]
    pub data: Option<Box<RawValue>>,
    /// Headers to add to the deliveries.
    pub custom_headers: Option<BTreeMap<String, String>>,
    /// Marks repeats: a second event with the same key is stored as a duplicate and not delivered.
    pub idempotency_key: Option<String>,
    /// Deliveries to one endpoint with the same key are sent one after the other, in the order in which the events were
    /// stored; the answer comes when this one is.
    pub ordering_key: Option<String>,
    /// Whether the answer's `data` names the event.
    pub return_id: Option<bool>,
    /// When to answer: `queue` (the default), when the event is safe in the queue, or `postgres`, when it is stored.
    pub ack: Option<String>,
}

/// An event for everyone who subscribed.
#[derive(Debug, Deserialize, ToSchema)]
pub struct BroadcastEventBody {
    /// Dotted name, such as `invoice.paid`.
    pub event_type: Option<String>,
    /// Any JSON; delivered byte for byte.
    #[salvo(schema(value_type = serde_json::Value))]
    pub data: Option<Box<RawValue>>,
    /// Headers to add to the deliveries.
    pub custom_headers: Option<BTreeMap<String, String>>,
    /// Marks repeats: a second event with the same key is stored as a duplicate and not delivered.
    pub idempotency_key: Option<String>,
    /// Deliveries to one endpoint with the same key are sent one after the other, in the order in which the events were
    /// stored; the answer comes when this one is.
    pub ordering_key: Option<String>,
    /// Whether the answer's `data` names the event.
    pub return_id: Option<bool>,
    /// When to answer: `queue` (the default), when the event is safe in the queue, or `postgres`, when it is stored.
    pub ack: Option<String>,
}

/// An event for a URL.
#[derive(Deserialize, ToSchema)]
pub struct DynamicEventBody {
    /// Where the event goes: http or https.
    pub url: Option<String>,
    /// Signs the requests to a new endpoint; made for you where it is missing.
    pub secret: Option<String>,
    /// Event types that the endpoint's subscription has from now on.
    pub event_types: Option<Vec<String>>,
    /// Dotted name, such as `invoice.paid`.
    pub event_type: Option<String>,
    /// Any JSON; delivered byte for byte.
    #[salvo(schema(value_type = serde_json::Value))]
    pub data: Option<Box<RawValue>>,
    /// Headers to add to the deliveries.
    pub custom_headers: Option<BTreeMap<String, String>>,
    /// Marks repeats: a second event with the same key is stored as a duplicate and not delivered.
    pub idempotency_key: Option<String>,
    /// Deliveries to one endpoint with the same key are sent one after the other, in the order in which the events were
    /// stored; the answer comes when this one is.
    pub ordering_key: Option<String>,
    /// Whether the answer's `data` names the event.
    pub return_id: Option<bool>,
    /// When to answer: `queue` (the default), when the event is safe in the queue, or `postgres`, when it is stored.
    pub ack: Option<String>,
}

/// Many events.
#[derive(Deserialize, ToSchema)]
pub struct EventBatchBody {
    /// Up to 1,000 events.
    #[salvo(schema(value_type = Vec<BatchEvent>))]
    pub events: Vec<Box<RawValue>>,
    /// When to answer: `queue` (the default), when the events are safe in the queue, or `postgres`, when they are stored.
    pub ack: Option<String>,
}

/// One of many events. Exactly one of `endpoint_id`, `owner_id`, `url` and `broadcast` says whom it is for.
#[derive(Deserialize, ToSchema)]
pub struct BatchEvent {
    /// The endpoint that the event is for.
    pub endpoint_id: Option<String>,
    /// Whose endpoints the event is for.
    pub owner_id: Option<String>,
    /// The URL that the event is for.
    pub url: Option<String>,
    /// Whether the event is for everyone who subscribed.
    pub broadcast: Option<bool>,
    /// Signs the requests to an endpoint that is made for `url`.
    pub secret: Option<String>,
    /// Event types that the subscription of `url` has from now on.
    pub event_types: Option<Vec<String>>,
    /// Dotted name, such as `invoice.paid`.
    pub event_type: Option<String>,
    /// Any JSON; delivered byte for byte.
    #[salvo(schema(value_type = serde_json::Value))]
    pub data: Option<Box<RawValue>>,
    /// Headers to add to the deliveries.
    pub custom_headers: Option<BTreeMap<String, String>>,
    /// Marks repeats: a second event with the same key is stored as a duplicate and not delivered.
    pub idempotency_key: Option<String>,
    /// Deliveries to one endpoint with the same key are sent one after the other, in the order in which the events were
    /// stored; the answer comes when this one is.
    pub ordering_key: Option<String>,
}

/// What became of one of many events.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchItemWire {
    /// The event; null where it was refused.
    pub uid: Option<String>,
    /// Why it was refused; null where it was not.
    pub error: Option<String>,
}

/// An event of its own, as its answer names it.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventIdWire {
    /// The event.
    pub uid: String,
}

/// An event.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventWire {
    /// The event.
    pub uid: String,
    /// Dotted name.
    pub event_type: String,
    /// The source it came in by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// Its project.
    pub project_id: String,
    /// The endpoints that it was matched to.
    pub endpoints: Vec<String>,
    /// Headers that its deliveries carry.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Enough of the source to recognise it.
    pub source_metadata: SourceMetadata,
    /// Query of the ingested request.
    pub url_query_params: String,
    /// Path of the ingested request.
    pub url_path: String,
    /// The caller's repeat marker.
    pub idempotency_key: String,
    /// Whether an earlier event has the same key.
    pub is_duplicate_event: bool,
    /// What happened, as it was sent.
    #[salvo(schema(value_type = serde_json::Value))]
    pub data: Option<Box<RawValue>>,
    /// The same as a text.
    pub raw: String,
    /// `Pending`, `Processing`, `Success`, `Failure` or `Retry`.
    pub status: String,
    /// Why it was matched to nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// When it was accepted.
    pub acknowledged_at: DateTime<Utc>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// The payload as JSON; what is no JSON is shown by `raw` alone.
#[must_use]
pub fn raw(payload: &[u8]) -> Option<Box<RawValue>> {
    std::str::from_utf8(payload).ok().and_then(|text| RawValue::from_string(text.to_string()).ok())
}

impl EventWire {
    /// The event with the name of its source.
    #[must_use]
    pub fn new(row: Event, source_name: Option<&str>) -> Self {
        let source_id = row.source_id.map(|id| id.to_string());
        let mut seen = HashSet::new();
        let endpoints = row.endpoint_ids.iter().flatten().filter(|id| seen.insert(**id));
        Self {
            uid: row.id.to_string(),
            event_type: row.event_type,
            project_id: row.project_id.to_string(),
            // A replay adds those that it reached.
            endpoints: endpoints.map(ToString::to_string).collect(),
            headers: row.headers.0,
            source_metadata: SourceMetadata::new(
                source_id.clone().unwrap_or_default(),
                source_name.unwrap_or_default().into(),
            ),
            source_id,
            url_query_params: row.url_query_params,
            url_path: row.url_path,
            idempotency_key: row.idempotency_key,
            is_duplicate_event: row.is_duplicate,
            data: raw(&row.payload),
            raw: String::from_utf8_lossy(&row.payload).into_owned(),
            status: row.status.to_string(),
            failure_reason: row.failure_reason,
            acknowledged_at: row.acknowledged_at,
            created_at: row.id.created_at(),
            updated_at: row.updated_at,
            deleted_at: None,
        }
    }
}
