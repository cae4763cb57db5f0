//! Sources are followed as they change in the database.

use std::time::Duration;

use serde_json::json;

use crate::{
    broker::{Broker, numbered, password_file, publish},
    program::{SOON, eventually},
    redis_server::RedisServer,
    world::World,
};

/// A poll interval in which no test ends.
const RARELY: Duration = Duration::from_mins(30);

#[tokio::test]
async fn what_is_told_takes_effect_long_before_the_next_poll() {
    let (broker, mut redis) = (Broker::start().await, RedisServer::start().await);
    let world = World::on(&redis.url()).await;
    let source_id = world.source(&broker.source("t")).await;
    let ingest = world.ingest_that_looks_every(RARELY).await;
    ingest.connected(source_id).await;
    for is_disabled in [true, false] {
        world.set_disabled(source_id, is_disabled).await;
        world.queues.announce_source_change().await.unwrap();
        eventually("it takes effect", SOON, async || ingest.is_connected(source_id) != is_disabled).await;
    }
    let other_id = world.source(&broker.source("other")).await;
    world.queues.announce_source_change().await.unwrap();
    ingest.connected(other_id).await;
    // Nobody hears what is told now; it is looked at once somebody can.
    redis.stop().await;
    world.delete(source_id).await;
    redis.resume().await;
    eventually("it is left", SOON, async || !ingest.is_connected(source_id)).await;
    assert!(ingest.is_connected(other_id));
    ingest.stop().await;
}

#[tokio::test]
async fn what_is_not_told_takes_effect_at_the_next_poll() {
    let (broker, mut redis) = (Broker::start().await, RedisServer::start().await);
    let world = World::on(&redis.url()).await;
    let source_id = world.source(&broker.source("t")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    redis.stop().await;
    let other_id = world.source(&broker.source("other")).await;
    world.set_disabled(source_id, true).await;
    ingest.connected(other_id).await;
    eventually("it is left", SOON, async || !ingest.is_connected(source_id)).await;
    redis.resume().await;
    ingest.stop().await;
}

#[tokio::test]
async fn a_changed_topic_is_followed_and_the_old_one_left() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("old/#")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    broker.publish("old/a", &[numbered(0)]).await;
    world.wait_for_numbers(0..1, SOON).await;
    world.set_settings(source_id, &broker.source("new")).await;
    let unsubscribed = "\told/#";
    eventually("the old filter is left", SOON, async || {
        broker.log().split("Received UNSUBSCRIBE").nth(1).is_some_and(|rest| rest.contains(unsubscribed))
    })
    .await;
    ingest.connected(source_id).await;
    broker.publish("old/a", &[numbered(99)]).await;
    broker.publish("new", &[numbered(1)]).await;
    assert_eq!(world.wait_for_numbers(0..2, SOON).await, [0, 1]);
    ingest.stop().await;
}

/// The topic changed while no ingest ran, so that nobody knew what to unsubscribe.
#[tokio::test]
async fn a_topic_changed_meanwhile_is_left_at_its_first_message() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("old")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    ingest.stop().await;
    world.set_settings(source_id, &broker.source("new")).await;
    broker.publish("old", &[numbered(0)]).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    world.wait_for_numbers(0..1, SOON).await;
    eventually("the old filter is left", SOON, async || broker.log().contains("Received UNSUBSCRIBE")).await;
    broker.publish("old", &[numbered(99)]).await;
    broker.publish("new", &[numbered(1)]).await;
    assert_eq!(world.wait_for_numbers(0..2, SOON).await, [0, 1]);
    ingest.stop().await;
}

#[tokio::test]
async fn a_changed_password_takes_effect_and_a_broken_source_delays_no_other() {
    let hashed = "allow_anonymous false\npassword_file {folder}/passwords\n";
    let broker = Broker::start_with(hashed, &[("passwords", &password_file(&[("sensor", "right")]).await)]).await;
    let (open, world) = (Broker::start().await, World::new().await);
    let with = |password: &str| broker.source_with("t", &json!({"username": "sensor", "password": password}));
    let source_id = world.source(&with("wrong")).await;
    let other_id = world.source(&open.source("t")).await;
    let unreachable =
        world.source(&json!({"type": "mqtt", "mqtt": {"host": "127.0.0.1", "port": 1, "topic": "t"}})).await;
    let nonsense = world.source(&json!({"type": "mqtt", "mqtt": {"host": 7}})).await;
    let unsupported = world.source(&json!({"type": "smoke", "smoke": {}})).await;
    let ingest = world.ingest().await;
    ingest.connected(other_id).await;
    open.publish("t", &[numbered(0)]).await;
    world.wait_for_numbers(0..1, SOON).await;
    for id in [source_id, unreachable, nonsense, unsupported] {
        assert!(!ingest.is_connected(id));
    }
    world.set_settings(source_id, &with("right")).await;
    ingest.connected(source_id).await;
    let mut options = broker.options("publisher");
    options.set_credentials("sensor", "right");
    publish(options, "t", &[numbered(1)], rumqttc::QoS::AtLeastOnce, false).await;
    world.wait_for_numbers(0..2, SOON).await;
    ingest.stop().await;
}

#[tokio::test]
async fn a_disabled_source_pauses_and_goes_on_with_what_the_broker_kept() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("t")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    world.set_disabled(source_id, true).await;
    eventually("it is left", SOON, async || !ingest.is_connected(source_id)).await;
    broker.publish("t", &[numbered(0)]).await;
    // The other source is connected after a later read of the sources: the disabled one had its chance.
    let other_id = world.source(&broker.source("other")).await;
    ingest.connected(other_id).await;
    assert!(world.events().await.is_empty());
    world.set_disabled(source_id, false).await;
    assert_eq!(world.wait_for_numbers(0..1, SOON).await, [0]);
    ingest.stop().await;
}

#[tokio::test]
async fn a_deleted_source_is_left_and_its_session_given_up() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let (consumed, disabled) = (world.source(&broker.source("a")).await, world.source(&broker.source("b")).await);
    let ingest = world.ingest().await;
    ingest.connected(consumed).await;
    ingest.connected(disabled).await;
    world.set_disabled(disabled, true).await;
    eventually("it is left", SOON, async || !ingest.is_connected(disabled)).await;
    for id in [consumed, disabled] {
        world.delete(id).await;
        // `c1`: a connection that asks for a clean session, which is how 3.1.1 ends one.
        eventually("the session is given up", SOON, async || broker.log().contains(&format!("posthouse-{id} (p2, c1")))
            .await;
        eventually("its series are gone", SOON, async || ingest.metric(&id.to_string()).is_none()).await;
    }
    ingest.stop().await;
}

#[tokio::test]
async fn two_sources_with_equal_settings_are_two_sources() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let (one, two) = (world.source(&broker.source("t")).await, world.source(&broker.source("t")).await);
    let ingest = world.ingest().await;
    ingest.connected(one).await;
    ingest.connected(two).await;
    broker.publish("t", &[numbered(0)]).await;
    let mut sources: Vec<_> = world.wait_for(2).await.iter().map(|event| event.source_id.unwrap()).collect();
    sources.sort_unstable();
    assert_eq!(sources, [one.min(two), one.max(two)]);
    ingest.stop().await;
}
