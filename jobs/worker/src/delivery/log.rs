//! The lines that a delivery leaves in the log. Each names it, its event, its endpoint, its project and its trace, so that
//! one search finds all of a delivery. An attempt that succeeds, or will be repeated, is told at the level `debug` alone.

use chrono::TimeDelta;
use posthouse_jobs::TraceContext;
use posthouse_schema::{
    event_delivery::{Outcome, OutgoingDelivery},
    words::DeliveryStatus,
};

use super::send::Sent;

macro_rules! line {
    ($level:ident, $delivery:expr, $($rest:tt)+) => {
        tracing::$level!(
            project.id = %$delivery.project_id,
            event.id = %$delivery.event_id,
            delivery.id = %$delivery.id,
            endpoint.id = %$delivery.endpoint_id,
            trace.id = %TraceContext::of_event($delivery.event_id, &$delivery.headers.0).id(),
            $($rest)+
        )
    };
}

/// An attempt was made, and this came of it.
pub(super) fn attempted(delivery: &OutgoingDelivery, sent: &Sent, outcome: &Outcome, took: TimeDelta) {
    let attempt = outcome.attempt_count;
    let (status_code, error) = match sent {
        Sent::Answered(answer) => (Some(answer.status), None),
        Sent::Failed { class, .. } => (None, Some(*class)),
        Sent::Refused { code } => (None, Some(code.as_str())),
        Sent::EgressUnavailable(_) => (None, None),
    };
    let duration_ms = took.num_milliseconds();
    match outcome.status {
        DeliveryStatus::Failure => line!(
            info,
            delivery,
            attempt,
            status_code,
            error,
            duration_ms,
            reason = outcome.description,
            "A delivery has failed for good."
        ),
        status => line!(debug, delivery, attempt, status_code, error, duration_ms, %status, "An attempt was made."),
    }
}

/// It cannot be sent now.
pub(super) fn waits(delivery: &OutgoingDelivery, reason: &str) {
    line!(warn, delivery, reason, "Egress is unavailable; the delivery waits.");
}

/// No request can be made of it.
pub(super) fn given_up(delivery: &OutgoingDelivery, reason: &str) {
    line!(info, delivery, reason, "A delivery has failed for good without an attempt.");
}

/// It is sent no more.
pub(super) fn discarded(delivery: &OutgoingDelivery, reason: &str) {
    line!(info, delivery, reason, "A delivery was discarded.");
}
