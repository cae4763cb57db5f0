//! Several instances share the sources without reading one twice.

use std::time::Duration;

use posthouse_ingest::lease::TERM;
use posthouse_jobs::queue::{ConnectionTest, ConnectionTestState};
use posthouse_schema::ids::{ProjectId, SourceId};

use crate::{
    broker::{Broker, numbers},
    program::{SOON, eventually},
    world::World,
};

/// A term, and the pause after which the others ask again.
const TAKEOVER: Duration = Duration::from_secs(TERM.as_secs() + 15);

/// Of two instances one does it, also for a source that the other reads.
async fn connections_are_tried_once(broker: &Broker, world: &World, source_id: SourceId) {
    let (tests, queues) = (5, world.queues.queues());
    for number in 0..tests {
        let given = (number > 0).then(|| broker.source("t"));
        let test = ConnectionTest::new(world.project_id, source_id, given.as_ref()).unwrap();
        queues.ask_connection_test(&test).await.unwrap();
        eventually("it is tried", SOON, async || {
            let state = queues.connection_test_state(&test.id).await.unwrap();
            matches!(state, ConnectionTestState::Done(result) if result.failed_step.is_none())
        })
        .await;
    }
    assert_eq!(
        broker.log().lines().filter(|line| line.contains("connected") && line.contains(" as posthouse-test-")).count(),
        tests
    );
    let elsewhere = ConnectionTest::new(ProjectId::generate(), source_id, None).unwrap();
    queues.ask_connection_test(&elsewhere).await.unwrap();
    eventually("another project's source is none", SOON, async || {
        let state = queues.connection_test_state(&elsewhere.id).await.unwrap();
        matches!(state, ConnectionTestState::Done(result) if result.failed_step.as_deref() == Some("settings"))
    })
    .await;
}

#[tokio::test]
async fn two_instances_read_each_message_once_and_one_takes_over_when_the_other_dies() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("t")).await;
    let (one, two) = (world.ingest().await, world.ingest().await);
    eventually("one consumes", SOON, async || one.is_connected(source_id) != two.is_connected(source_id)).await;
    broker.publish("t", &numbers(0..500)).await;
    assert_eq!(world.wait_for_numbers(0..500, SOON).await.len(), 500);
    connections_are_tried_once(&broker, &world, source_id).await;
    assert_eq!(world.numbers().await.len(), 500, "and take nothing");
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
