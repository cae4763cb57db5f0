//! What an attempt means for its delivery: the state machine of contract section 3.7, pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use posthouse_schema::{
    event_delivery::{Outcome, OutgoingDelivery},
    words::{DeliveryMode, DeliveryStatus},
};

use super::{
    backoff::Schedule,
    send::{Answer, Sent},
};

/// Reads an answer's `Retry-After` in seconds, on the statuses that mean it.
#[must_use]
pub fn retry_after(answer: &Answer) -> Option<Duration> {
    let means_it = matches!(answer.status, 429 | 503);
    let seconds = answer.headers.get("retry-after")?.trim().parse().ok().filter(|_| means_it)?;
    Some(Duration::from_secs(seconds))
}

/// The state in which the attempt `sent` leaves the delivery. `chance` in 0..1 places the jitter of a wait.
#[must_use]
pub fn outcome(delivery: &OutgoingDelivery, sent: &Sent, now: DateTime<Utc>, chance: f64) -> Outcome {
    let attempt = delivery.attempt_count.saturating_add(1);
    let ends = |status, description: String| Outcome {
        project_id: delivery.project_id,
        id: delivery.id,
        status,
        attempt_count: attempt,
        next_send_time: now,
        latency_seconds: None,
        description,
    };
    match sent {
        Sent::Answered(answer) if (200..300).contains(&answer.status) => {
            let latency = (now - delivery.acknowledged_at).as_seconds_f64().max(0.0);
            Outcome { latency_seconds: Some(latency), ..ends(DeliveryStatus::Success, String::new()) }
        }
        Sent::Refused { code } => ends(DeliveryStatus::Failure, format!("refused by egress: {code}")),
        Sent::Answered(answer) if answer.status == 410 => {
            ends(DeliveryStatus::Failure, "the endpoint is gone (410) and was disabled".into())
        }
        // An answer proves that the request arrived: at-most-once must not repeat it.
        Sent::Answered(answer) if delivery.delivery_mode == DeliveryMode::AtMostOnce => {
            ends(DeliveryStatus::Failure, format!("Endpoint returned status code {}", answer.status))
        }
        Sent::Answered(answer) => retry(delivery, now, chance, retry_after(answer)).unwrap_or_else(|| exhausted(ends)),
        Sent::Failed { class, .. } if delivery.delivery_mode == DeliveryMode::AtMostOnce && !never_left(class) => {
            ends(DeliveryStatus::Failure, "the request may have arrived, and at-most-once does not repeat it".into())
        }
        Sent::Failed { .. } | Sent::EgressUnavailable(_) => {
            retry(delivery, now, chance, None).unwrap_or_else(|| exhausted(ends))
        }
    }
}

/// Whether a failure of this class came before the request could reach the endpoint.
fn never_left(class: &str) -> bool {
    matches!(class, "dns" | "connect" | "tls" | "oauth2")
}

fn exhausted(ends: impl Fn(DeliveryStatus, String) -> Outcome) -> Outcome {
    ends(DeliveryStatus::Failure, "Retry limit exceeded".into())
}

fn retry(
    delivery: &OutgoingDelivery,
    now: DateTime<Utc>,
    chance: f64,
    retry_after: Option<Duration>,
) -> Option<Outcome> {
    let attempt = delivery.attempt_count.saturating_add(1);
    let schedule = Schedule {
        strategy: delivery.strategy,
        interval: Duration::from_secs(u64::try_from(delivery.retry_interval_seconds).unwrap_or(0)),
        attempts_max: u32::try_from(delivery.retry_limit).unwrap_or(0),
        waits: delivery.retry_schedule.as_deref().unwrap_or_default(),
    };
    let wait = schedule.wait_after(u32::try_from(attempt).unwrap_or(u32::MAX), chance, retry_after)?;
    if delivery.give_up_at.is_some_and(|deadline| deadline <= now + wait) {
        return None;
    }
    Some(Outcome {
        project_id: delivery.project_id,
        id: delivery.id,
        status: DeliveryStatus::Retry,
        attempt_count: attempt,
        next_send_time: now + wait,
        latency_seconds: None,
        description: String::new(),
    })
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
pub(super) mod tests;
