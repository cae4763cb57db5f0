//! What became of a delivery, as a meta event: the delivery as the API shows it, with its newest attempt. Credentials were
//! taken out of the attempt when it was recorded.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use posthouse_jobs::DeliverMetaEvent;
use posthouse_schema::{
    delivery_attempt::DeliveryAttempt,
    delivery_target::DeliveryTarget,
    event_delivery::{Outcome, OutgoingDelivery},
    json::Headers,
    project_config::ProjectConfig,
    words::{DeliveryStatus, EndpointStatus, MetaEventKind},
};
use serde::Serialize;
use serde_json::value::RawValue;

/// Bytes of an event's data up to which they are part of a meta event.
const DATA_BYTES_MAX: usize = 65_536;

#[derive(Serialize)]
struct DeliveryData<'a> {
    uid: String,
    project_id: String,
    event_id: String,
    endpoint_id: String,
    subscription_id: String,
    event_type: &'a str,
    delivery_mode: &'a str,
    idempotency_key: &'a str,
    url_query_params: &'a str,
    status: &'a str,
    description: &'a str,
    latency_seconds: f64,
    metadata: Metadata<'a>,
    attempt: Option<Attempt<'a>>,
    acknowledged_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    data: Option<&'a RawValue>,
    strategy: &'a str,
    num_trials: i32,
    interval_seconds: i32,
    retry_limit: i32,
}

#[derive(Serialize)]
struct Attempt<'a> {
    uid: String,
    url: &'a str,
    method: &'a str,
    status: bool,
    http_status: Option<i32>,
    error: Option<&'a str>,
    error_class: Option<&'a str>,
    request_http_header: BTreeMap<&'a str, String>,
    response_http_header: BTreeMap<&'a str, String>,
    response_data: Option<String>,
    requested_at: DateTime<Utc>,
    responded_at: Option<DateTime<Utc>>,
}

/// The announcement of a delivery's end. `None`: it has not ended, or its project has not asked to be told.
#[must_use]
pub fn of_end(
    config: &ProjectConfig,
    delivery: &OutgoingDelivery,
    outcome: &Outcome,
    attempt: Option<&DeliveryAttempt>,
) -> Option<DeliverMetaEvent> {
    let kind = match outcome.status {
        DeliveryStatus::Success => MetaEventKind::DeliverySuccess,
        DeliveryStatus::Failure => MetaEventKind::DeliveryFailed,
        _ => return None,
    };
    if !config.meta_event.wants(kind) {
        return None;
    }
    DeliverMetaEvent::announce(delivery.project_id, kind, &data(delivery, outcome, attempt)).ok()
}

#[derive(Serialize)]
struct DisabledEndpoint<'a> {
    uid: String,
    project_id: String,
    name: &'a str,
    url: &'a str,
    status: &'a str,
    reason: &'a str,
    disabled_at: DateTime<Utc>,
}

/// The announcement of an endpoint that was disabled for this reason. `None`: its project has not asked to be told.
#[must_use]
pub fn of_disabled(
    config: &ProjectConfig,
    target: &DeliveryTarget,
    reason: &str,
    disabled_at: DateTime<Utc>,
) -> Option<DeliverMetaEvent> {
    let kind = MetaEventKind::EndpointDisabled;
    if !config.meta_event.wants(kind) {
        return None;
    }
    let data = DisabledEndpoint {
        uid: target.id.to_string(),
        project_id: target.project_id.to_string(),
        name: &target.name,
        url: &target.url,
        status: EndpointStatus::Inactive.as_str(),
        reason,
        disabled_at,
    };
    DeliverMetaEvent::announce(target.project_id, kind, &data).ok()
}

fn data<'a>(
    delivery: &'a OutgoingDelivery,
    outcome: &'a Outcome,
    attempt: Option<&'a DeliveryAttempt>,
) -> DeliveryData<'a> {
    let is_small = delivery.payload.len() <= DATA_BYTES_MAX;
    DeliveryData {
        uid: delivery.id.to_string(),
        project_id: delivery.project_id.to_string(),
        event_id: delivery.event_id.to_string(),
        endpoint_id: delivery.endpoint_id.to_string(),
        subscription_id: delivery.subscription_id.to_string(),
        event_type: &delivery.event_type,
        delivery_mode: delivery.delivery_mode.as_str(),
        idempotency_key: &delivery.idempotency_key,
        url_query_params: &delivery.url_query_params,
        status: outcome.status.as_str(),
        description: &outcome.description,
        latency_seconds: outcome.latency_seconds.unwrap_or(0.0),
        metadata: Metadata {
            data: is_small.then(|| serde_json::from_slice(&delivery.payload).ok()).flatten(),
            strategy: delivery.strategy.as_str(),
            num_trials: outcome.attempt_count,
            interval_seconds: delivery.retry_interval_seconds,
            retry_limit: delivery.retry_limit,
        },
        attempt: attempt.map(Attempt::of),
        acknowledged_at: delivery.acknowledged_at,
        created_at: delivery.id.created_at(),
    }
}

impl<'a> Attempt<'a> {
    fn of(row: &'a DeliveryAttempt) -> Self {
        Self {
            uid: row.id.to_string(),
            url: &row.url,
            method: &row.method,
            status: row.is_success,
            http_status: row.status_code,
            error: row.error.as_deref(),
            error_class: row.error_class.as_deref(),
            request_http_header: joined(&row.request_headers),
            response_http_header: joined(&row.response_headers),
            response_data: row.response_body.as_deref().map(|body| String::from_utf8_lossy(body).into_owned()),
            requested_at: row.requested_at,
            responded_at: row.responded_at,
        }
    }
}

fn joined(headers: &Headers) -> BTreeMap<&str, String> {
    headers.0.iter().map(|(name, values)| (name.as_str(), values.join(" "))).collect()
}
