//! The row that tells people what was sent and what came back.

use chrono::{DateTime, Utc};
use posthouse_schema::{
    delivery_attempt::DeliveryAttempt, event_delivery::OutgoingDelivery, ids::DeliveryAttemptId, json::Headers,
};

use super::{request::DeliveryRequest, send::Sent};

/// The record of one attempt, which began and ended at `span`.
#[must_use]
pub fn record(
    id: DeliveryAttemptId,
    delivery: &OutgoingDelivery,
    request: &DeliveryRequest,
    sent: &Sent,
    span: (DateTime<Utc>, DateTime<Utc>),
) -> DeliveryAttempt {
    let (requested_at, ended_at) = span;
    let (answer, error, error_class) = match sent {
        Sent::Answered(answer) => (Some(answer), None, None),
        Sent::Failed { class, message } => (None, Some(message.clone()), Some((*class).to_string())),
        Sent::Refused { code } => (None, Some(format!("refused by egress: {code}")), Some("refused_by_egress".into())),
        Sent::EgressUnavailable(reason) => (None, Some(reason.clone()), Some("egress_unavailable".into())),
    };
    DeliveryAttempt {
        project_id: delivery.project_id,
        id,
        event_delivery_id: delivery.id,
        endpoint_id: delivery.endpoint_id,
        url: request.url.to_string(),
        method: "POST".into(),
        is_success: answer.is_some_and(|answer| (200..300).contains(&answer.status)),
        status_code: answer.map(|answer| i32::from(answer.status)),
        error,
        error_class,
        request_headers: sent_headers(request),
        response_headers: answer.map(|answer| answer.headers.clone()).unwrap_or_default(),
        response_body: answer.map(|answer| answer.body.clone()),
        ip_address: answer.and_then(|answer| answer.address.clone()),
        requested_at,
        responded_at: answer.map(|_| ended_at),
        duration_ms: i32::try_from((ended_at - requested_at).num_milliseconds()).unwrap_or(i32::MAX),
    }
}

fn sent_headers(request: &DeliveryRequest) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in &request.headers {
        // The endpoint's credentials are marked; no reader of an attempt may see them.
        let value =
            if value.is_sensitive() { "***".into() } else { String::from_utf8_lossy(value.as_bytes()).into_owned() };
        headers.0.entry(name.as_str().to_string()).or_default().push(value);
    }
    headers
}
