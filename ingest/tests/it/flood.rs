//! Very many messages at once: more than there are packet ids, so that the broker gives an id again as soon as its message is
//! acknowledged. Mosquitto does not wait for acknowledgements of what it sends at once.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::{
    broker::{Broker, numbers},
    world::World,
};

const COUNT: usize = 80_000;
/// Who publish at the same time.
const PUBLISHERS: usize = 8;
/// Longest time for all of them, on a busy machine.
const LIMIT: Duration = Duration::from_secs(240);
const READER: &str = "reader";

fn source(broker: &Broker, version: &str) -> Value {
    broker.source_with("t", &json!({"version": version, "client_id": READER}))
}

async fn publish(broker: &Broker) {
    let messages = numbers(0..COUNT);
    join_all(messages.chunks(COUNT / PUBLISHERS).map(|part| broker.publish("t", part))).await;
}

fn connections(log: &str) -> usize {
    log.lines().filter(|line| line.contains(&format!(" as {READER} ("))).count()
}

/// They wait in the session of a source that was away.
async fn waits(version: &str) {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&source(&broker, version)).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    ingest.stop().await;
    publish(&broker).await;
    let ingest = world.ingest().await;
    assert_eq!(world.wait_for_numbers(0..COUNT, LIMIT).await.len(), COUNT, "none comes twice");
    ingest.stop().await;
    assert_eq!(connections(&broker.log()), 2, "one connection before, and one for all of them");
}

/// They come while it reads.
async fn comes(version: &str) {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&source(&broker, version)).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    publish(&broker).await;
    assert_eq!(world.wait_for_numbers(0..COUNT, LIMIT).await.len(), COUNT, "none comes twice");
    ingest.stop().await;
    assert_eq!(connections(&broker.log()), 1);
}

#[tokio::test]
async fn a_flood_that_waited_comes_once_by_mqtt_3() {
    waits("3.1.1").await;
}

#[tokio::test]
async fn a_flood_that_waited_comes_once_by_mqtt_5() {
    waits("5").await;
}

#[tokio::test]
async fn a_flood_comes_once_by_mqtt_3() {
    comes("3.1.1").await;
}

#[tokio::test]
async fn a_flood_comes_once_by_mqtt_5() {
    comes("5").await;
}
