//! Events with an ordering key: what goes to one endpoint is sent one after the other, in the order in which it was stored,
//! and beside what has another key.

use std::{ops::Range, sync::Arc, time::Duration};

use apalis::prelude::Data;
use chrono::Utc;
use posthouse_jobs::{CreateEvent, SweepDeliveries};
use posthouse_schema::{
    event,
    event_delivery::EventDelivery,
    ids::{EndpointId, EventId},
    words::DeliveryStatus,
};
use posthouse_worker::handlers;
use serde_json::{json, value::RawValue};

use crate::{
    receiver::{Receiver, plain},
    world::{World, config, direct, until},
};

/// An event of this line whose data is its place.
fn event(world: &World, endpoint: EndpointId, (key, place): (&str, usize)) -> CreateEvent {
    CreateEvent {
        ordering_key: Some(key.into()),
        data: RawValue::from_string(format!("[\"{key}\",{place}]")).unwrap(),
        ..world.event(endpoint, "invoice.paid")
    }
}

/// Events of a line, each to be stored after the one before it.
fn line(world: &World, endpoint: EndpointId, key: &str, places: Range<usize>) -> Vec<CreateEvent> {
    let mut after: Option<EventId> = None;
    places
        .map(|place| {
            let event = CreateEvent { after, ..event(world, endpoint, (key, place)) };
            after = Some(event.event_id);
            event
        })
        .collect()
}

/// The places of what was received of this key, in the order in which it came.
fn received(receiver: &Receiver, key: &str) -> Vec<usize> {
    let bodies = receiver.received().into_iter().map(|request| request.body);
    let read = bodies.map(|body| serde_json::from_slice::<(String, usize)>(&body).unwrap());
    read.filter(|(own, _)| own == key).map(|(_, place)| place).collect()
}

#[tokio::test]
async fn one_line_is_sent_in_order_and_others_beside_it() {
    let world = World::start(config(), direct(), None).await;
    let receiver = Receiver::start().await;
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    let (a, b) = (line(&world, endpoint, "a", 0..30), line(&world, endpoint, "b", 0..30));
    // As they would come from two batches, and the later ones first into the queue.
    let mixed: Vec<CreateEvent> = a.into_iter().zip(b).flat_map(|(a, b)| [a, b]).rev().collect();
    world.queues.push_all(&mixed).await.unwrap();
    world.ended(60, DeliveryStatus::Success).await;
    let expected: Vec<usize> = (0..30).collect();
    assert_eq!(received(&receiver, "a"), expected);
    assert_eq!(received(&receiver, "b"), expected);
    world.stop().await;
}

#[tokio::test]
async fn a_line_waits_for_its_first_and_others_do_not() {
    let mut config = config();
    config.strategy.duration = 3;
    let world = World::start(config, direct(), None).await;
    let receiver = Receiver::start().await;
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    receiver.then(&[&plain("500 Internal Server Error", "")]);
    world.queues.push(&event(&world, endpoint, ("a", 0))).await.unwrap();
    until("the first fails", async || {
        world.deliveries().await.iter().any(|delivery| delivery.status == DeliveryStatus::Retry)
    })
    .await;
    world.queues.push_all(&line(&world, endpoint, "a", 1..3)).await.unwrap();
    world.queues.push(&event(&world, endpoint, ("b", 0))).await.unwrap();
    until("the others wait", async || {
        let waits = |delivery: &&EventDelivery| delivery.description == "waits for the one before it";
        world.deliveries().await.iter().filter(waits).count() == 2
    })
    .await;
    until("the other line goes on", async || received(&receiver, "b").len() == 1).await;
    assert_eq!(received(&receiver, "a"), [0], "only the first, which failed");
    for delivery in world.ended(4, DeliveryStatus::Success).await {
        assert!(world.attempts(&delivery).await.len() <= 2, "waiting is no attempt");
    }
    assert_eq!(received(&receiver, "a"), [0, 0, 1, 2]);
    world.stop().await;
}

#[tokio::test]
async fn what_fails_for_good_lets_the_next_one_go() {
    let mut config = config();
    config.strategy.retry_count = 1;
    let world = World::start(config, direct(), None).await;
    let receiver = Receiver::start().await;
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    receiver.then(&[&plain("500 Internal Server Error", ""), &plain("500 Internal Server Error", "")]);
    world.queues.push_all(&line(&world, endpoint, "a", 0..4)).await.unwrap();
    until("all have ended", async || {
        let deliveries = world.deliveries().await;
        deliveries.len() == 4 && deliveries.iter().all(|delivery| delivery.status.is_final())
    })
    .await;
    assert_eq!(received(&receiver, "a"), [0, 1, 2, 3]);
    world.stop().await;
}

/// What is received of four events whose first fails three times, with this policy, and how the first ended.
async fn with_failing_head(policy: serde_json::Value) -> (Vec<usize>, EventDelivery) {
    let mut config = config();
    config.strategy.retry_count = 10;
    config.circuit_breaker = Some(json!({"failure_threshold": 0}));
    let world = World::start(config, direct(), None).await;
    let receiver = Receiver::start().await;
    let endpoint = world.endpoint(&receiver.url(), |endpoint, _| endpoint.ordering = Some(policy)).await;
    receiver.then(&[plain("500 Internal Server Error", "").as_str(); 2]);
    let first = event(&world, endpoint, ("a", 0));
    world.queues.push(&first).await.unwrap();
    until("the first fails twice", async || receiver.received().len() == 2).await;
    until("the first is stored", async || {
        event::are_stored(&mut *world.conn().await, world.project, &[first.event_id]).await.unwrap()
    })
    .await;
    world.queues.push_all(&line(&world, endpoint, "a", 1..4)).await.unwrap();
    until("all have ended", async || {
        let deliveries = world.deliveries().await;
        deliveries.len() == 4 && deliveries.iter().all(|delivery| delivery.status.is_final())
    })
    .await;
    let deliveries = world.deliveries().await;
    let ended = deliveries.into_iter().find(|delivery| delivery.event_id == first.event_id).unwrap();
    let came = received(&receiver, "a");
    world.stop().await;
    (came, ended)
}

#[tokio::test]
async fn a_failing_head_can_be_skipped_and_goes_on_by_itself() {
    let (came, first) = with_failing_head(json!({"failing_head": "skip", "attempts": 2})).await;
    assert_eq!((first.status, came.len()), (DeliveryStatus::Success, 6));
    assert_eq!(came[..2], [0, 0]);
    let others: Vec<usize> = came.into_iter().filter(|place| *place > 0).collect();
    assert_eq!(others, [1, 2, 3]);
}

#[tokio::test]
async fn a_failing_head_can_be_parked() {
    let (came, first) = with_failing_head(json!({"failing_head": "park", "attempts": 2})).await;
    assert_eq!((came.as_slice(), first.status), (&[0, 0, 1, 2, 3][..], DeliveryStatus::Failure));
    assert!(first.description.contains("parked after 2 attempts"), "{}", first.description);
}

#[tokio::test]
async fn a_line_whose_wake_was_lost_is_found_by_the_sweep() {
    let world = World::start(config(), direct(), None).await;
    let receiver = Receiver::start().await;
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    world.queues.push_all(&line(&world, endpoint, "a", 0..2)).await.unwrap();
    world.ended(2, DeliveryStatus::Success).await;
    // As if a worker had died between the end of the first and the waking of the second.
    let statement = "UPDATE event_deliveries SET status = 'Scheduled', held_by = 'ordering', next_send_time = now() - interval '10 minutes' WHERE line_place = (SELECT max(line_place) FROM event_deliveries)";
    diesel_async::RunQueryDsl::execute(diesel::sql_query(statement), &mut *world.conn().await).await.unwrap();
    let sweep = SweepDeliveries { tick: Utc::now().into() };
    handlers::sweep_deliveries(sweep, Data::new(Arc::clone(&world.context))).await.unwrap();
    world.ended(2, DeliveryStatus::Success).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(received(&receiver, "a"), [0, 1, 1]);
    world.stop().await;
}
