//! Invariant 1 and 5: nothing accepted is lost when any role is killed, and what comes twice carries the same webhook id.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use posthouse_e2e::deployment::ROLES;

use crate::{
    events::send_all,
    world::{World, eventually},
};

const EVENTS: usize = 2_000;
const SENDERS: usize = 4;
/// 2,000 events last at least 25 s, time enough to kill and start every role.
const PAUSE: Duration = Duration::from_millis(50);

#[tokio::test]
async fn every_event_arrives_though_every_role_is_killed() {
    let mut world = World::start("it-crash").await;
    let endpoints = [world.endpoint("a").await, world.endpoint("b").await, world.endpoint("c").await];
    let accepted = AtomicUsize::new(0);
    let client = world.client.clone();
    let sending = send_all(&client, &endpoints, EVENTS, SENDERS, PAUSE, &accepted);
    let killing = async {
        for (number, name) in ROLES.into_iter().enumerate() {
            let due = (number + 1) * EVENTS / (ROLES.len() + 2);
            eventually(Duration::from_secs(120), "events flow", async || {
                let accepted = accepted.load(Ordering::Relaxed);
                if accepted >= due { Ok(()) } else { Err(format!("{accepted} accepted")) }
            })
            .await;
            assert!(accepted.load(Ordering::Relaxed) < EVENTS, "{name} is killed while events flow");
            world.deployment.crash(name).await.unwrap();
        }
    };
    let (requests, ()) = tokio::join!(sending, killing);
    let received = world.wait_for_events(EVENTS, Duration::from_secs(120)).await;
    let deliveries = world.wait_for_successes(EVENTS, Duration::from_secs(60)).await;
    println!("{requests} requests for {EVENTS} events; the receiver: {received:?}");

    assert_eq!(received.unverified, 0, "{received:?}");
    assert_eq!(received.webhook_ids, EVENTS, "what comes twice has the same webhook id: {received:?}");
    assert_eq!(received.duplicates, received.accepted - EVENTS, "every duplicate is counted: {received:?}");
    let ids: BTreeSet<&str> = deliveries.iter().map(|delivery| delivery["uid"].as_str().unwrap()).collect();
    let arrived: BTreeSet<String> =
        world.ground.receiver.ledger().requests("/").map(|r| r.webhook_id.clone()).collect();
    assert!(arrived.iter().all(|id| ids.contains(id.as_str())), "every webhook id is that of a delivery in the ledger");
    let events = world.client.list("events").await.unwrap();
    let originals = events.iter().filter(|event| event["is_duplicate_event"] == false).count();
    assert_eq!(originals, EVENTS, "{} events in all", events.len());
    world.stop().await;
}
