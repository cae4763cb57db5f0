//! Very many messages that wait in the session of a source that was away: more than there are packet ids, so that the
//! broker gives an id again as soon as its message is acknowledged.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    broker::{Broker, numbers},
    world::World,
};

const WAITING: usize = 80_000;
/// Longest time for all of them, on a busy machine.
const LIMIT: Duration = Duration::from_secs(240);

async fn comes_once(version: &Value) {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source_with("t", &json!({"version": version, "client_id": "reader"}))).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    ingest.stop().await;
    for part in 0..8 {
        broker.publish("t", &numbers(WAITING * part / 8..WAITING * (part + 1) / 8)).await;
    }
    let ingest = world.ingest().await;
    assert_eq!(world.wait_for_numbers(0..WAITING, LIMIT).await.len(), WAITING, "none comes twice");
    ingest.stop().await;
    let connections = broker.log().lines().filter(|line| line.contains(" as reader (")).count();
    assert_eq!(connections, 2, "one before, and one for all of them");
}

#[tokio::test]
async fn a_flood_of_messages_comes_once_by_mqtt_3() {
    comes_once(&json!("3.1.1")).await;
}

#[tokio::test]
async fn a_flood_of_messages_comes_once_by_mqtt_5() {
    comes_once(&json!("5")).await;
}
