//! Functions of sources between a broker and the queue.

use posthouse_jobs::EventTarget;

use crate::{
    broker::{Broker, numbered, numbers},
    program::{SOON, eventually},
    world::{FUNCTION_TIME, World},
};

/// Makes a message of a number.
const OF_NUMBER: &str = "function transform(n) { return {event_type: 'n', data: n, custom_headers: {'x-convoy-message-type': 'broadcast'}} }";

#[tokio::test]
async fn functions_make_messages_of_what_a_broker_brings() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("t")).await;
    let header = "function transform(h) { return {...h, 'X-Seen': 'yes', 'x-convoy-message-type': 'fanout'} }";
    world.set_functions(source_id, "function transform(n) { return {event_type: 'n', data: n, owner_id: 'acme', custom_headers: {'X-N': String(n)}} }", header).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    broker.publish("t", &(0..100).map(|n| n.to_string()).collect::<Vec<_>>()).await;
    world.wait_for_numbers(0..100, SOON).await;
    let events = world.events().await;
    for event in &events {
        assert_eq!(event.target, EventTarget::Fanout { owner_id: "acme".into() });
        let number = event.data.get();
        assert_eq!(
            (&event.headers["X-N"][..], &event.headers["x-seen"][..]),
            (&[number.to_owned()][..], &["yes".to_owned()][..])
        );
    }
    ingest.stop().await;
}

#[tokio::test]
async fn a_failing_function_stops_nothing_and_a_better_one_holds_at_once() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("t")).await;
    let picky = "function transform(n) { if (n % 2) throw new Error('odd: ' + n); return {event_type: 'n', data: n, custom_headers: {'x-convoy-message-type': 'broadcast'}} }";
    world.set_functions(source_id, picky, "").await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    broker.publish("t", &(0..4).map(|n| n.to_string()).collect::<Vec<_>>()).await;
    let rejected = world.wait_for_rejected(2).await;
    let mut details: Vec<&str> = rejected.iter().map(|job| job.detail.as_str()).collect();
    details.sort_unstable();
    assert_eq!(details, ["the body_function failed: Error: odd: 1", "the body_function failed: Error: odd: 3"]);
    assert!(rejected.iter().all(|job| job.reason == "function" && job.payload_bytes == 1));
    assert_eq!(world.wait_for(2).await.len(), 2);
    world.set_functions(source_id, OF_NUMBER, "").await;
    // Both tasks are the same source's: the new function's ends up with a number that the old one refuses.
    eventually("the new function holds", SOON, async || {
        broker.publish("t", &["9".to_owned()]).await;
        world.numbers().await.contains(&9)
    })
    .await;
    ingest.stop().await;
}

/// Neither an endless function nor the wait for it loses a message or keeps another source from its own.
#[tokio::test]
async fn an_endless_function_holds_up_its_source_alone_and_loses_nothing() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let (endless, plain) = (world.source(&broker.source("endless")).await, world.source(&broker.source("plain")).await);
    world.set_functions(endless, "function transform(n) { for (;;) {} }", "").await;
    let ingest = world.ingest().await;
    ingest.connected(endless).await;
    ingest.connected(plain).await;
    broker.publish("endless", &["7".to_owned()]).await;
    broker.publish("plain", &numbers(0..50)).await;
    world.wait_for_numbers(0..50, SOON).await;
    assert!(world.rejected().await.is_empty(), "it runs still");
    // The source is given another function while the old one runs: its message is left to the broker, and comes again.
    world.set_functions(endless, OF_NUMBER, "").await;
    broker.publish("plain", &[numbered(50)]).await;
    eventually("the message comes again", FUNCTION_TIME + SOON, async || world.numbers().await.contains(&7)).await;
    assert!(world.rejected().await.is_empty());
    ingest.stop().await;
}
