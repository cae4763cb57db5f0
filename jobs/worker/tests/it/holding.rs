//! Deliveries that wait for their endpoint: its rate limit, and its circuit breaker. Waiting is no attempt, and says so.

use std::time::Duration;

use chrono::TimeDelta;
use posthouse_jobs::CreateEvent;
use posthouse_schema::{
    endpoint::Endpoint,
    event_delivery::EventDelivery,
    ids::EndpointId,
    words::{DeliveryStatus, EndpointStatus, RetryStrategy},
};

use crate::{
    receiver::{Receiver, plain},
    world::{World, config, direct, until},
};

async fn send(world: &World, endpoint: EndpointId, count: usize) {
    let events: Vec<CreateEvent> = (0..count).map(|_| world.event(endpoint, "invoice.paid")).collect();
    world.queues.push_all(&events).await.unwrap();
}

async fn some_say(world: &World, what: &str) {
    let says = |delivery: &EventDelivery| delivery.description.starts_with(what);
    until(what, async || world.deliveries().await.iter().any(says)).await;
}

#[tokio::test]
async fn no_second_has_more_requests_than_the_endpoint_allows() {
    let world = World::start(config(), direct(), None).await;
    let receiver = Receiver::start().await;
    let endpoint = world
        .endpoint(&receiver.url(), |endpoint, _| {
            (endpoint.rate_limit, endpoint.rate_limit_duration_seconds) = (5, 1);
        })
        .await;
    send(&world, endpoint, 17).await;
    some_say(&world, "rate limited until 20").await;
    let mut times = Vec::new();
    for delivery in world.ended(17, DeliveryStatus::Success).await {
        let attempts = world.attempts(&delivery).await;
        assert_eq!((attempts.len(), delivery.description.as_str()), (1, ""), "waiting is no attempt");
        times.push(attempts[0].requested_at);
    }
    times.sort_unstable();
    for six in times.windows(6) {
        // A request is noted a moment after its turn was given.
        assert!(six[5] - six[0] > TimeDelta::milliseconds(900), "{six:?}");
    }
    assert!(times[16] - times[0] < TimeDelta::seconds(5), "12 behind the first 5 take 2.4 s: {times:?}");
    world.stop().await;
}

#[tokio::test]
async fn a_raised_limit_lets_go_what_it_held() {
    let world = World::start(config(), direct(), None).await;
    let receiver = Receiver::start().await;
    let endpoint = world
        .endpoint(&receiver.url(), |endpoint, _| {
            (endpoint.rate_limit, endpoint.rate_limit_duration_seconds) = (1, 16);
        })
        .await;
    send(&world, endpoint, 2).await;
    some_say(&world, "rate limited until 20").await;
    let statement = "UPDATE endpoints SET rate_limit = 100";
    diesel_async::RunQueryDsl::execute(diesel::sql_query(statement), &mut *world.conn().await).await.unwrap();
    let began = std::time::Instant::now();
    world.ended(2, DeliveryStatus::Success).await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    world.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_fails_is_left_alone_and_probed() {
    let mut config = config();
    config.strategy.retry_count = 10;
    config.circuit_breaker = Some(serde_json::json!({"minimum_request_count": 4, "error_timeout": 2}));
    let world = World::start(config, direct(), None).await;
    let receiver = Receiver::start().await;
    let failed = plain("500 Internal Server Error", "");
    receiver.then(&[&failed, &failed, &failed, &failed]);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    send(&world, endpoint, 4).await;
    some_say(&world, "breaker open until 20").await;
    // These come while it is open, and wait without having been tried.
    send(&world, endpoint, 3).await;
    until("all wait", async || {
        let deliveries = world.deliveries().await;
        deliveries.len() == 7 && deliveries.iter().all(|delivery| delivery.description.starts_with("breaker open"))
    })
    .await;
    assert_eq!(receiver.received().len(), 4);
    let delivered = world.ended(7, DeliveryStatus::Success).await;
    let attempts: Vec<i32> = delivered.iter().map(|delivery| delivery.attempt_count).collect();
    assert_eq!(attempts, [2, 2, 2, 2, 1, 1, 1]);
    world.stop().await;
}

#[tokio::test]
async fn one_that_fails_whenever_it_is_probed_is_disabled() {
    let mut config = config();
    (config.strategy.retry_count, config.disable_endpoint) = (50, true);
    let breaker =
        serde_json::json!({"minimum_request_count": 2, "error_timeout": 1, "consecutive_failure_threshold": 2});
    config.circuit_breaker = Some(breaker);
    let world = World::start(config, direct(), None).await;
    let receiver = Receiver::start().await;
    receiver.then(&[plain("500 Internal Server Error", "").as_str(); 20]);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    send(&world, endpoint, 3).await;
    until("the endpoint is disabled", async || {
        let found = Endpoint::find(&mut *world.conn().await, world.project, endpoint).await.unwrap().unwrap();
        found.status == EndpointStatus::Inactive
    })
    .await;
    world.ended(3, DeliveryStatus::Discarded).await;
    assert!(receiver.received().len() <= 3 + 2, "{} requests", receiver.received().len());
    world.stop().await;
}

#[tokio::test]
async fn one_that_asks_for_fewer_requests_does_not_open_it() {
    let mut config = config();
    config.strategy.retry_count = 5;
    config.circuit_breaker = Some(serde_json::json!({"minimum_request_count": 2, "error_timeout": 600}));
    let world = World::start(config, direct(), None).await;
    let receiver = Receiver::start().await;
    receiver.then(&[plain("429 Too Many Requests", "").as_str(); 4]);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    send(&world, endpoint, 4).await;
    world.ended(4, DeliveryStatus::Success).await;
    world.stop().await;
}

#[tokio::test]
async fn what_is_not_delivered_by_its_deadline_is_given_up() {
    let mut config = config();
    (config.strategy.strategy, config.strategy.schedule) = (RetryStrategy::Custom, vec![1; 50]);
    config.strategy.deadline = 3;
    let world = World::start(config, direct(), None).await;
    let receiver = Receiver::start().await;
    receiver.then(&[plain("500 Internal Server Error", "").as_str(); 50]);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    send(&world, endpoint, 1).await;
    let failed = world.ended(1, DeliveryStatus::Failure).await;
    assert!((2..=3).contains(&failed[0].attempt_count), "{failed:?}");
    assert_eq!((failed[0].retry_limit, failed[0].strategy), (51, RetryStrategy::Custom));
    // One that waits for its endpoint is given up as well.
    let slow = world
        .endpoint(&receiver.url(), |endpoint, _| {
            (endpoint.rate_limit, endpoint.rate_limit_duration_seconds) = (1, 16);
        })
        .await;
    send(&world, slow, 2).await;
    until("the second is given up", async || {
        let deliveries = world.deliveries().await;
        deliveries.iter().any(|delivery| delivery.description == "the deadline for its delivery has passed")
    })
    .await;
    world.stop().await;
}
