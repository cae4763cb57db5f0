//! The row that tells people what was sent and what came back.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use posthouse_schema::{
    delivery_attempt::{AttemptTimings, DeliveryAttempt},
    event_delivery::OutgoingDelivery,
    ids::DeliveryAttemptId,
    json::{Headers, RedirectList},
};

use super::{course::Course, request::DeliveryRequest, send::Sent};

/// The record of one attempt, which began and ended at `span`.
#[must_use]
pub fn record(
    id: DeliveryAttemptId,
    delivery: &OutgoingDelivery,
    request: &DeliveryRequest,
    (sent, course): (&Sent, &Course),
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
        status_code: answer.map(|answer| answer.status).or(course.status).map(i32::from),
        error,
        error_class,
        request_headers: sent_headers(request),
        response_headers: answer.map(|answer| answer.headers.clone()).unwrap_or_default(),
        response_body: answer.map(|answer| answer.body.clone()),
        ip_address: course.connection.address.map(|address| address.to_string()),
        requested_at,
        responded_at: answer.map(|_| ended_at),
        duration_ms: milliseconds(ended_at - requested_at),
        timings: AttemptTimings {
            queue_ms: Some(milliseconds(requested_at - delivery.next_send_time).max(0)),
            dns_us: course.connection.dns.map(microseconds),
            connect_us: course.connection.connect.map(microseconds),
            tls_us: course.connection.tls.map(microseconds),
            first_byte_us: course.first_byte.map(microseconds),
        },
        redirects: (!course.redirects.is_empty()).then(|| RedirectList(course.redirects.clone())),
    }
}

fn milliseconds(time: TimeDelta) -> i32 {
    i32::try_from(time.num_milliseconds()).unwrap_or(i32::MAX)
}

fn microseconds(time: Duration) -> i32 {
    i32::try_from(time.as_micros()).unwrap_or(i32::MAX)
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
