//! From an accepted event to its receiver, attempt by attempt.

use hmac::{Hmac, KeyInit as _, Mac as _};
use posthouse_jobs::{CreateEvent, DeliverEvent, TraceContext};
use posthouse_schema::{
    endpoint::Endpoint,
    event::Event,
    ids::EventId,
    project_config::ProjectConfig,
    text_array::TextArray,
    words::{DeliveryMode, DeliveryStatus, EndpointStatus},
};
use sha2::Sha256;

use crate::{
    receiver::{Received, Receiver, plain},
    world::{DATA, SECRET, World, config, direct, headers, is_idle, until},
};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn mac(parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    hex::encode(mac.finalize().into_bytes())
}

#[tokio::test]
async fn an_event_arrives_byte_for_byte_signed_and_is_recorded() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    let mut event = world.event(endpoint, "invoice.paid");
    event.headers = headers(&[("X-Tenant", "7"), ("Content-Type", "text/evil"), ("webhook-id", "forged")]);
    event.idempotency_key = "order-1".into();
    world.queues.push(&event).await.unwrap();
    let [delivery] = &world.ended(1, DeliveryStatus::Success).await[..] else { panic!("one delivery") };
    let [request] = &receiver.received()[..] else { panic!("one request") };
    assert!(request.head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{}", request.head);
    assert_eq!(request.body, DATA.as_bytes());
    assert_eq!(request.header("x-convoy-signature"), Some(mac(&[DATA.as_bytes()]).as_str()));
    assert_eq!(request.header("webhook-id"), Some(delivery.id.to_string().as_str()));
    assert_eq!(request.header("x-convoy-idempotency-key"), Some("order-1"));
    assert_eq!((request.header("x-tenant"), request.header("content-type")), (Some("7"), Some("application/json")));
    let [attempt] = &world.attempts(delivery).await[..] else { panic!("one attempt") };
    assert_eq!(
        (attempt.is_success, attempt.status_code, attempt.ip_address.as_deref()),
        (true, Some(200), Some("127.0.0.1"))
    );
    assert_eq!(attempt.response_body.as_deref(), Some(&b"thanks"[..]));
    assert_eq!((delivery.attempt_count, delivery.latency_seconds.is_some()), (1, true));
    assert!(is_idle::<DeliverEvent>(&world).await);
    world.stop().await;
}

#[tokio::test]
async fn an_advanced_signature_carries_its_time() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let endpoint = world.endpoint(&receiver.url(), |endpoint, _| endpoint.advanced_signatures = true).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    world.ended(1, DeliveryStatus::Success).await;
    let requests = receiver.received();
    let signature = requests.first().unwrap().header("x-convoy-signature").unwrap();
    let (time, digest) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert_eq!(digest, mac(&[time.as_bytes(), b",", DATA.as_bytes()]));
    let age = chrono::Utc::now().timestamp() - time.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age}");
    world.stop().await;
}

#[tokio::test]
async fn failures_are_tried_again_with_one_webhook_id_until_one_succeeds() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    receiver.then(&[&plain("500 Oops", "no"), ""]);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    let [delivery] = &world.ended(1, DeliveryStatus::Success).await[..] else { panic!("one delivery") };
    let attempts = world.attempts(delivery).await;
    let seen: Vec<_> = attempts.iter().map(|attempt| (attempt.status_code, attempt.error_class.as_deref())).collect();
    assert_eq!(seen, [(Some(500), None), (None, Some("closed")), (Some(200), None)]);
    let requests = receiver.received();
    let ids: std::collections::HashSet<_> =
        requests.iter().filter_map(|request| request.header("webhook-id")).collect();
    assert_eq!((requests.len(), ids.len(), delivery.attempt_count), (3, 1, 3));
    world.stop().await;
}

#[tokio::test]
async fn attempts_are_limited_and_a_slow_endpoint_is_one_that_failed() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    // Less than it announces: the answer never ends.
    receiver.then(&["200 OK\r\nContent-Length: 10\r\n\r\nhalf", &plain("503 Busy", ""), &plain("404 Gone?", "")]);
    let endpoint = world.endpoint(&receiver.url(), |endpoint, _| endpoint.http_timeout_seconds = 1).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    let [delivery] = &world.ended(1, DeliveryStatus::Failure).await[..] else { panic!("one delivery") };
    let attempts = world.attempts(delivery).await;
    let seen: Vec<_> = attempts.iter().map(|attempt| (attempt.status_code, attempt.error_class.as_deref())).collect();
    assert_eq!(seen, [(None, Some("timeout")), (Some(503), None), (Some(404), None)]);
    assert_eq!((delivery.attempt_count, delivery.description.as_str()), (3, "Retry limit exceeded"));
    world.stop().await;
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let elsewhere = Receiver::start().await;
    receiver.then(&[&format!("307 Elsewhere\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", elsewhere.url())]);
    let endpoint =
        world.endpoint(&receiver.url(), |_, subscription| subscription.delivery_mode = DeliveryMode::AtMostOnce).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    // At most once: an answer proves that the request arrived, so it is not repeated.
    world.ended(1, DeliveryStatus::Failure).await;
    assert_eq!((receiver.received().len(), elsewhere.received().len()), (1, 0));
    world.stop().await;
}

#[tokio::test]
async fn of_a_long_answer_the_beginning_is_kept() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    receiver.then(&[&plain("200 OK", &"x".repeat(200_000))]);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    let [delivery] = &world.ended(1, DeliveryStatus::Success).await[..] else { panic!("one delivery") };
    let attempts = world.attempts(delivery).await;
    assert_eq!(attempts.first().unwrap().response_body.as_ref().unwrap().len(), 51_200);
    world.stop().await;
}

#[tokio::test]
async fn an_event_that_nobody_subscribed_to_is_stored_and_goes_nowhere() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    let unmatched = world.event(endpoint, "invoice.voided");
    world.queues.push(&unmatched).await.unwrap();
    let every = world.endpoint(&receiver.url(), |_, all| all.event_types = TextArray(vec!["*".into()])).await;
    world.queues.push(&world.event(every, "anything.at.all")).await.unwrap();
    let [delivery] = &world.ended(1, DeliveryStatus::Success).await[..] else { panic!("one delivery") };
    assert_eq!((delivery.endpoint_id, receiver.received().len()), (every, 1));
    until("every event is stored", async || is_idle::<CreateEvent>(&world).await).await;
    assert!(Event::find(&mut *world.conn().await, world.project, unmatched.event_id).await.unwrap().is_some());
    world.stop().await;
}

#[tokio::test]
async fn a_job_that_runs_twice_stores_and_sends_once() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    let event = world.event(endpoint, "invoice.paid");
    for _ in 0..3 {
        world.queues.push(&event).await.unwrap();
        world.ended(1, DeliveryStatus::Success).await;
    }
    // The same key in another event is stored as a duplicate, and goes nowhere.
    let mut repeated = world.event(endpoint, "invoice.paid");
    repeated.idempotency_key = "once".into();
    world.queues.push(&repeated).await.unwrap();
    world.ended(2, DeliveryStatus::Success).await;
    let mut duplicate = world.event(endpoint, "invoice.paid");
    duplicate.idempotency_key = "once".into();
    world.queues.push(&duplicate).await.unwrap();
    until("every event is stored", async || is_idle::<CreateEvent>(&world).await).await;
    let stored = Event::find(&mut *world.conn().await, world.project, duplicate.event_id).await.unwrap().unwrap();
    assert!(stored.is_duplicate);
    assert_eq!((world.deliveries().await.len(), receiver.received().len()), (2, 2));
    world.stop().await;
}

#[tokio::test]
async fn a_key_whose_window_is_over_delivers_again() {
    let windowed = ProjectConfig { idempotency_key_window: 60, ..config() };
    let (world, receiver) = (World::start(windowed, direct(), None).await, Receiver::start().await);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    let now = chrono::Utc::now();
    for (seconds_ago, deliveries) in [(61, 1), (30, 1), (0, 2)] {
        let at = now - chrono::TimeDelta::seconds(seconds_ago);
        let mut event = world.event(endpoint, "invoice.paid");
        (event.event_id, event.idempotency_key) = (EventId::first_at(at), "once".into());
        world.queues.push(&event).await.unwrap();
        until("the event is stored", async || is_idle::<CreateEvent>(&world).await).await;
        world.ended(deliveries, DeliveryStatus::Success).await;
    }
    world.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_and_gets_nothing_more() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    receiver.then(&[&plain("410 Gone", "")]);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    world.ended(1, DeliveryStatus::Failure).await;
    until("the endpoint is disabled", async || {
        let endpoint = Endpoint::find(&mut *world.conn().await, world.project, endpoint).await.unwrap().unwrap();
        endpoint.status == EndpointStatus::Inactive
    })
    .await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    until("the second event is worked on", async || {
        world.deliveries().await.len() == 2 && is_idle::<DeliverEvent>(&world).await
    })
    .await;
    assert_eq!(receiver.received().len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_hangs_holds_up_no_other_and_gets_few_requests() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let silent = Receiver::start().await;
    // Half an answer, and nothing more.
    silent.then(&["200 OK\r\nContent-Length: 10\r\n\r\nhalf"; 1_000]);
    let hanging = world.endpoint(&silent.url(), |endpoint, _| endpoint.http_timeout_seconds = 30).await;
    let healthy = world.endpoint(&receiver.url(), |_, _| {}).await;
    // More than the worker has places.
    let events: Vec<CreateEvent> = (0..200).map(|_| world.event(hanging, "invoice.paid")).collect();
    world.queues.push_all(&events).await.unwrap();
    until("as many requests as the gate lets pass", async || silent.received().len() == 8).await;
    let events: Vec<CreateEvent> = (0..200).map(|_| world.event(healthy, "invoice.paid")).collect();
    world.queues.push_all(&events).await.unwrap();
    until("all at the healthy one", async || receiver.received().len() == 200).await;
    assert_eq!(silent.received().len(), 8);
    world.stop().await;
}

#[tokio::test]
async fn every_attempt_of_an_event_is_in_its_trace() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    receiver.then(&[&plain("500 Internal Server Error", "")]);
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    world.ended(1, DeliveryStatus::Success).await;
    let mut named = world.event(endpoint, "invoice.paid");
    let trace = TraceContext::read(std::iter::once(PARENT), std::iter::once("a=1,b=2")).unwrap();
    trace.store(&mut named.headers);
    world.queues.push(&named).await.unwrap();
    world.ended(2, DeliveryStatus::Success).await;
    let mut own = world.event(endpoint, "invoice.paid");
    own.headers = headers(&[("traceparent", "of-the-caller")]);
    world.queues.push(&own).await.unwrap();
    world.ended(3, DeliveryStatus::Success).await;
    let received = receiver.received();
    let [first, second, third, fourth] = &received[..] else { panic!("{received:?}") };
    let parts = |request: &Received| -> Vec<String> {
        request.header("traceparent").unwrap().split('-').map(str::to_owned).collect()
    };
    assert_eq!(parts(first)[1], parts(second)[1], "a retry is in the same trace");
    assert_ne!(parts(first)[2], parts(second)[2], "and a span of its own");
    assert_eq!((first.header("webhook-id"), first.header("tracestate")), (second.header("webhook-id"), None));
    assert_eq!(parts(third)[1], PARENT.split('-').nth(1).unwrap());
    assert_ne!(parts(third)[2], PARENT.split('-').nth(2).unwrap());
    assert_eq!(third.header("tracestate"), Some("a=1,b=2"));
    assert_eq!((fourth.header("traceparent"), fourth.header("tracestate")), (Some("of-the-caller"), None));
    assert!(received.iter().all(|request| !request.head.to_ascii_lowercase().contains("posthouse-trace")));
    world.stop().await;
}
