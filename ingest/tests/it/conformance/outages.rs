//! The connection, the broker, Redis or ingest itself goes away while messages flow: each message is accepted once or
//! more, and none is lost.

use std::time::Duration;

use super::{
    RIGHT, TestBroker,
    flow::{Flow, messages, patience},
    repeats::assert_distinct,
};
use crate::{
    program::{SOON, eventually},
    redis_server::RedisServer,
    world::{Instance, World},
};

/// Longest wait for a broker to be back, and for the last message. It holds a lease's term and several waits between
/// attempts to connect, and is longer with more messages.
const LONG: Duration = Duration::from_secs(240);

pub async fn loses_nothing<B: TestBroker + 'static>() {
    let (mut broker, mut redis) = (B::start().await, RedisServer::start().await);
    let (proxy, world) = (broker.proxy().await, World::on(&redis.url()).await);
    B::make(broker.port(), "flow").await;
    let source_id = world.source(&broker.source("flow", proxy.port(), RIGHT)).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    let mut flow = Flow::start::<B>(broker.port(), "flow", messages(), 40);

    flow.reaches(10).await;
    let before = proxy.accepted();
    proxy.cut();
    eventually("it connects again", SOON, async || proxy.accepted() > before && ingest.is_connected(source_id)).await;

    flow.reaches(40).await;
    broker.stop().await;
    flow.goes_on_to(60);
    eventually("the loss is seen", SOON, async || !ingest.is_connected(source_id)).await;
    broker.resume().await;
    eventually("it connects again", patience(LONG), async || ingest.is_connected(source_id)).await;

    flow.reaches(60).await;
    redis.stop().await;
    flow.goes_on_to(80);
    pushes_fail(&ingest, 2.0).await;
    let accepted = ingest.metric("ingest_accepted_total{");
    pushes_fail(&ingest, 1.0).await;
    assert_eq!(ingest.metric("ingest_accepted_total{"), accepted, "nothing is accepted while Redis is away");
    redis.resume().await;

    flow.reaches(80).await;
    redis.stop().await;
    flow.goes_on_to(100);
    pushes_fail(&ingest, 1.0).await;
    ingest.kill().await;
    redis.resume().await;
    let ingest = world.ingest().await;

    flow.ends().await;
    let numbers = world.wait_for_numbers(0..messages(), patience(LONG)).await;
    assert!(numbers.len() <= 3 * messages(), "{} of {}: much comes again without need", numbers.len(), messages());
    ingest.stop().await;
    if B::NAMES_MESSAGES {
        assert_distinct(&world.events().await);
    }
}

/// Waits until so many more pushes have failed.
async fn pushes_fail(ingest: &Instance, more: f64) {
    let failures = || ingest.metric("ingest_push_failures_total").unwrap();
    let before = failures();
    eventually("pushes fail", Duration::from_secs(40), async || failures() >= before + more).await;
}
