//! Several instances share the sources without reading one twice.

use std::time::Duration;

use posthouse_ingest::lease::TERM;

use crate::{
    broker::{Broker, numbers},
    program::{SOON, eventually},
    world::World,
};

/// A term, and the pause after which the others ask again.
const TAKEOVER: Duration = Duration::from_secs(TERM.as_secs() + 15);

#[tokio::test]
async fn two_instances_read_each_message_once_and_one_takes_over_when_the_other_dies() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("t")).await;
    let (one, two) = (world.ingest().await, world.ingest().await);
    eventually("one consumes", SOON, async || one.is_connected(source_id) != two.is_connected(source_id)).await;
    broker.publish("t", &numbers(0..500)).await;
    assert_eq!(world.wait_for_numbers(0..500, SOON).await.len(), 500);
    let (holder, other) = if one.is_connected(source_id) { (one, two) } else { (two, one) };
    assert!(!other.is_connected(source_id));
    assert!(!broker.log().contains("already connected"), "the lease keeps them from pushing each other out");
    holder.kill().await;
    // While nobody consumes, the broker keeps them in the session.
    broker.publish("t", &numbers(500..1000)).await;
    assert_eq!(world.wait_for_numbers(0..1000, TAKEOVER).await.len(), 1000);
    assert!(other.is_connected(source_id));
    other.stop().await;
}

#[tokio::test]
async fn an_instance_that_stops_hands_over_at_once() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("t")).await;
    let one = world.ingest().await;
    one.connected(source_id).await;
    let two = world.ingest().await;
    one.stop().await;
    // Sooner than the term would have ended.
    eventually("the other consumes", TERM - Duration::from_secs(3), async || two.is_connected(source_id)).await;
    broker.publish("t", &numbers(0..10)).await;
    assert_eq!(world.wait_for_numbers(0..10, SOON).await.len(), 10);
    two.stop().await;
}
