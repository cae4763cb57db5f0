//! The spans of a worker, where traces are made: one for storing an event, and one for each attempt of a delivery, which is
//! the parent that the endpoint is told.

use hyper::header::HeaderValue;
use posthouse_jobs::{CreateEvent, TraceContext};
use posthouse_schema::event_delivery::OutgoingDelivery;
use posthouse_service::traces::{self, Beginning, Kind, Span};

use super::{
    request::{self, DeliveryRequest, TRACE_PARENT},
    send::Sent,
};

/// Begins the span of storing an event.
pub fn storing(job: &CreateEvent) -> Option<Span> {
    let context = || TraceContext::of_event(job.event_id, &job.headers);
    let mut span = traces::begin("store event", Kind::Consumer, || context().child())?;
    span.set_text("posthouse.project.id", job.project_id);
    span.set_text("posthouse.event.id", job.event_id);
    span.set_text("posthouse.event.type", &job.event_type);
    Some(span)
}

/// Begins the span of an attempt, and names it in the request, unless the event names another one.
pub fn attempt(delivery: &OutgoingDelivery, request: &mut DeliveryRequest) -> Option<Span> {
    let context = || TraceContext::of_event(delivery.event_id, &delivery.headers.0);
    let id = request::span_id(delivery);
    let mut span = traces::begin("deliver event", Kind::Client, || Beginning { span: Some(id), ..context().child() })?;
    let is_ours =
        request.headers.get(TRACE_PARENT).is_some_and(|value| value.as_bytes() == context().parent_of(id).as_bytes());
    if is_ours && let Ok(place) = HeaderValue::try_from(span.place().to_string()) {
        request.headers.insert(TRACE_PARENT, place);
    }
    span.set_text("posthouse.project.id", delivery.project_id);
    span.set_text("posthouse.event.id", delivery.event_id);
    span.set_text("posthouse.delivery.id", delivery.id);
    span.set_text("posthouse.endpoint.id", delivery.endpoint_id);
    span.set("posthouse.attempt", i64::from(delivery.attempt_count).saturating_add(1));
    span.set("http.request.method", "POST");
    span.set_text("server.address", request.url.host_str().unwrap_or_default());
    Some(span)
}

/// Ends it with what came of it.
pub fn ended(span: Option<Span>, sent: &Sent) {
    let Some(mut span) = span else { return };
    match sent {
        Sent::Answered(answer) => {
            span.set("http.response.status_code", i64::from(answer.status));
            if !(200..300).contains(&answer.status) {
                span.fail(format!("the endpoint answered {}", answer.status));
            }
        }
        Sent::Failed { class, .. } => {
            span.set("error.type", *class);
            span.fail(*class);
        }
        Sent::Refused { code } => {
            span.set("error.type", code.clone());
            span.fail("refused by egress");
        }
        Sent::EgressUnavailable(_) => span.fail("egress is unavailable"),
    }
}
