//! Redis, the broker or ingest itself goes away while messages flow: none is lost.

use std::time::{Duration, Instant};

use posthouse_ingest::lease::TERM;

use crate::{
    broker::{Broker, numbers},
    program::{SOON, eventually},
    redis_server::RedisServer,
    world::World,
};

#[tokio::test]
async fn redis_away_for_some_seconds_holds_the_broker_back_and_loses_nothing() {
    let (broker, mut redis) = (Broker::start().await, RedisServer::start().await);
    let world = World::on(&redis.url()).await;
    let source_id = world.source(&broker.source("t")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    broker.publish("t", &numbers(0..200)).await;
    world.wait_for_numbers(0..200, SOON).await;
    redis.stop().await;
    broker.publish("t", &numbers(200..600)).await;
    eventually("pushes fail", SOON, async || ingest.metric("ingest_push_failures_total").unwrap() >= 2.0).await;
    assert_eq!(ingest.metric("ingest_accepted_total{"), Some(200.0));
    // Nothing of what Redis does not hold was acknowledged.
    assert_eq!(acknowledged(&broker), 200);
    redis.resume().await;
    let numbers = world.wait_for_numbers(0..600, Duration::from_secs(40)).await;
    assert_eq!(numbers.len(), 600, "held back on one connection, nothing comes twice");
    assert!(ingest.is_connected(source_id));
    ingest.stop().await;
}

#[tokio::test]
async fn what_was_read_and_not_acknowledged_comes_again_after_a_kill() {
    let (broker, mut redis) = (Broker::start().await, RedisServer::start().await);
    let world = World::on(&redis.url()).await;
    let source_id = world.source(&broker.source("t")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    redis.stop().await;
    broker.publish("t", &numbers(0..50)).await;
    eventually("messages are in hand", SOON, async || {
        ingest.metric("ingest_received_total{").is_some_and(|count| count > 0.0)
    })
    .await;
    ingest.kill().await;
    redis.resume().await;
    assert!(world.events().await.is_empty());
    let next = world.ingest().await;
    world.wait_for_numbers(0..50, Duration::from_secs(40)).await;
    next.stop().await;
}

#[tokio::test]
async fn a_broker_that_restarts_is_found_again() {
    let (mut broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("t")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    broker.publish("t", &numbers(0..100)).await;
    broker.stop().await;
    eventually("the loss is seen", SOON, async || !ingest.is_connected(source_id)).await;
    broker.resume().await;
    broker.publish("t", &numbers(100..200)).await;
    world.wait_for_numbers(0..200, Duration::from_secs(40)).await;
    ingest.stop().await;
}

#[tokio::test]
async fn a_source_that_is_connected_goes_on_while_the_database_is_away() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("t")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    world.drop_database().await;
    // One message a second, for longer than the lease lasts.
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    let mut sent = 0;
    let started = Instant::now();
    while started.elapsed() < TERM + Duration::from_secs(3) {
        seconds.tick().await;
        broker.publish("t", &numbers(sent..sent + 1)).await;
        sent += 1;
    }
    world.wait_for_numbers(0..sent, SOON).await;
    ingest.stop().await;
}

/// PUBACKs that the broker got from ingest.
fn acknowledged(broker: &Broker) -> usize {
    broker.log().lines().filter(|line| line.contains("Received PUBACK from posthouse-")).count()
}
