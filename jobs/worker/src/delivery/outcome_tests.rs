//! One test per edge of the delivery's state machine.

use posthouse_schema::{
    ids::{EndpointId, EventDeliveryId, EventId, ProjectId, SubscriptionId},
    json::Headers,
    words::RetryStrategy,
};

use super::*;

pub fn delivery(attempts: i32, limit: i32) -> OutgoingDelivery {
    OutgoingDelivery {
        project_id: ProjectId::generate(),
        id: EventDeliveryId::derive(EventId::generate(), SubscriptionId::generate()),
        event_id: EventId::generate(),
        endpoint_id: EndpointId::generate(),
        subscription_id: SubscriptionId::generate(),
        event_type: "a".into(),
        status: DeliveryStatus::Scheduled,
        delivery_mode: DeliveryMode::AtLeastOnce,
        target_url: None,
        strategy: RetryStrategy::Linear,
        retry_interval_seconds: 10,
        retry_limit: limit,
        attempt_count: attempts,
        next_send_time: DateTime::UNIX_EPOCH,
        held_by: None,
        ordering_key: None,
        retry_schedule: None,
        give_up_at: None,
        acknowledged_at: DateTime::UNIX_EPOCH,
        payload: Vec::new(),
        headers: Headers::default(),
        idempotency_key: String::new(),
        url_query_params: String::new(),
        routing_version: 0,
    }
}

fn answered(status: u16) -> Sent {
    Sent::Answered(Answer { status, headers: Headers::default(), body: Vec::new() })
}

fn failed(class: &'static str) -> Sent {
    Sent::Failed { class, message: String::new() }
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::from_millis(1_500)
}

fn status(delivery: &OutgoingDelivery, sent: &Sent) -> DeliveryStatus {
    outcome(delivery, sent, now(), 0.0).status
}

#[test]
fn any_2xx_succeeds_with_its_latency() {
    for code in [200, 201, 204, 299] {
        let outcome = outcome(&delivery(2, 3), &answered(code), now(), 0.0);
        assert_eq!(
            (outcome.status, outcome.attempt_count, outcome.latency_seconds),
            (DeliveryStatus::Success, 3, Some(1.5))
        );
    }
}

#[test]
fn everything_else_is_retried_until_the_limit() {
    for sent in [answered(100), answered(302), answered(404), answered(500), failed("timeout"), failed("dns")] {
        let retry = outcome(&delivery(0, 2), &sent, now(), 0.0);
        assert_eq!((retry.status, retry.attempt_count), (DeliveryStatus::Retry, 1));
        assert_eq!(retry.next_send_time, now() + Duration::from_secs(10));
        let last = outcome(&delivery(1, 2), &sent, now(), 0.0);
        assert_eq!((last.status, last.attempt_count), (DeliveryStatus::Failure, 2));
        assert_eq!(last.description, "Retry limit exceeded");
    }
}

#[test]
fn a_refusal_and_a_410_end_at_once() {
    let refused = outcome(&delivery(0, 9), &Sent::Refused { code: "metadata".into() }, now(), 0.0);
    assert_eq!(
        (refused.status, refused.description.as_str()),
        (DeliveryStatus::Failure, "refused by egress: metadata")
    );
    assert_eq!(status(&delivery(0, 9), &answered(410)), DeliveryStatus::Failure);
}

#[test]
fn at_most_once_repeats_only_what_cannot_have_arrived() {
    let once = OutgoingDelivery { delivery_mode: DeliveryMode::AtMostOnce, ..delivery(0, 9) };
    assert_eq!(outcome(&once, &answered(500), now(), 0.0).description, "Endpoint returned status code 500");
    for class in ["timeout", "response", "closed", "protocol"] {
        assert_eq!(status(&once, &failed(class)), DeliveryStatus::Failure, "{class}");
    }
    for class in ["dns", "connect", "tls"] {
        assert_eq!(status(&once, &failed(class)), DeliveryStatus::Retry, "{class}");
    }
}

#[test]
fn retry_after_counts_on_429_and_503_alone() {
    let asks = |status: u16, value: &str| {
        let headers = Headers([("retry-after".to_string(), vec![value.to_string()])].into());
        Sent::Answered(Answer { status, headers, body: Vec::new() })
    };
    for (sent, seconds) in [
        (asks(429, "60"), 60),
        (asks(503, " 30 "), 30),
        (asks(500, "60"), 10),
        (asks(429, "soon"), 10),
        (asks(429, "-1"), 10),
    ] {
        assert_eq!(
            outcome(&delivery(0, 9), &sent, now(), 0.0).next_send_time,
            now() + Duration::from_secs(seconds),
            "{sent:?}"
        );
    }
}

#[test]
fn a_custom_schedule_and_a_deadline_say_when_and_until_when() {
    let custom =
        OutgoingDelivery { strategy: RetryStrategy::Custom, retry_schedule: Some(vec![5, 300]), ..delivery(1, 3) };
    assert_eq!(outcome(&custom, &answered(500), now(), 0.0).next_send_time, now() + Duration::from_secs(300));
    let until = |seconds| OutgoingDelivery { give_up_at: Some(now() + Duration::from_secs(seconds)), ..custom.clone() };
    assert_eq!(status(&until(301), &answered(500)), DeliveryStatus::Retry);
    assert_eq!(status(&until(300), &answered(500)), DeliveryStatus::Failure, "there is no time for another attempt");
    assert_eq!(status(&until(1), &answered(200)), DeliveryStatus::Success);
}
