//! Brokers that give a message to another when its time is over are told that it is still being worked on.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    broker::numbers,
    conformance::{RIGHT, TestBroker, publish},
    program::{SOON, eventually},
    pubsub_server::PubSubServer,
    redis_server::RedisServer,
    sqs_server::SqsServer,
    world::World,
};

/// Long beside what a busy machine may sleep through: each message is held again after a third of it.
const REDELIVER_AFTER: Duration = Duration::from_secs(15);

/// Redis is away for longer than a message's time, and two are ready to take what comes again.
async fn nobody_else_is_given_what_waits<B: TestBroker>() {
    let (broker, mut redis) = (B::start().await, RedisServer::start().await);
    let world = World::on(&redis.url()).await;
    B::make(broker.port(), "t").await;
    let mut settings = broker.source("t", broker.port(), RIGHT);
    settings["workers"] = json!(2);
    settings[B::KIND]["redeliver_after_seconds"] = json!(REDELIVER_AFTER.as_secs());
    let source_id = world.source(&settings).await;
    let ingest = world.ingest().await;
    let connections = format!("ingest_connected{{source_id=\"{source_id}\"");
    eventually("two consume", SOON, async || ingest.metric(&connections) == Some(2.0)).await;
    redis.stop().await;
    publish(&broker, "t", &numbers(0..30)).await;
    let received = async || ingest.metric("ingest_received_total{").is_some_and(|count| count > 0.0);
    eventually("messages are in hand", SOON, received).await;
    let since = Instant::now();
    let is_over = async || since.elapsed() > REDELIVER_AFTER * 4 / 3;
    eventually("their time is over", REDELIVER_AFTER * 2, is_over).await;
    redis.resume().await;
    assert_eq!(world.wait_for_numbers(0..30, SOON).await.len(), 30, "none was given twice");
    assert_eq!(ingest.metric("ingest_received_total{"), Some(30.0));
    ingest.stop().await;
}

#[tokio::test]
async fn sqs_hides_what_is_in_hand() {
    Box::pin(nobody_else_is_given_what_waits::<SqsServer>()).await;
}

#[tokio::test]
async fn google_leases_what_is_in_hand() {
    Box::pin(nobody_else_is_given_what_waits::<PubSubServer>()).await;
}
