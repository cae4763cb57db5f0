//! A subscription's function makes the payload of its deliveries, once, and harms nobody else when it fails.

use posthouse_jobs::{DeliverEvent, EventTarget};
use posthouse_schema::{
    event_delivery::EventDelivery,
    subscription::SubscriptionValues,
    words::{DeliveryStatus, EndpointStatus},
};

use crate::{
    receiver::{Receiver, plain},
    world::{DATA, World, config, direct, is_idle, until},
};

fn with(function: &str) -> impl FnOnce(&mut SubscriptionValues) {
    let function = Some(function.to_string());
    move |subscription| subscription.function = function
}

#[tokio::test]
async fn every_attempt_sends_what_the_function_made_once() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    receiver.then(&[&plain("500 Oops", "")]);
    let function = with("function transform(p) { return {b: p.b, at: Math.random()} }");
    let endpoint = world.endpoint(&receiver.url(), |_, subscription| function(subscription)).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    let [delivery] = &world.ended(1, DeliveryStatus::Success).await[..] else { panic!("one delivery") };
    let bodies: Vec<Vec<u8>> = receiver.received().into_iter().map(|request| request.body).collect();
    let [first, second] = &bodies[..] else { panic!("{bodies:?}") };
    assert!(first == second && first.starts_with(br#"{"b":1,"at":0."#), "{bodies:?}");
    assert_eq!(delivery.payload.as_ref(), Some(first));
    world.stop().await;
}

#[tokio::test]
async fn a_function_that_fails_ends_its_own_delivery_alone() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let plain = world.endpoint(&receiver.url(), |_, _| {}).await;
    let throwing = with("function transform(p) { return p.missing.name }");
    let throwing = world.endpoint(&receiver.url(), |_, subscription| throwing(subscription)).await;
    let nothing = with("function transform(p) {}");
    let nothing = world.endpoint(&receiver.url(), |_, subscription| nothing(subscription)).await;
    let fine = with("function transform(p) { return p.a }");
    let fine = world.endpoint(&receiver.url(), |_, subscription| fine(subscription)).await;
    let mut event = world.event(plain, "invoice.paid");
    event.target = EventTarget::Broadcast;
    world.queues.push(&event).await.unwrap();
    until("all have ended", async || {
        let deliveries = world.deliveries().await;
        deliveries.len() == 4 && deliveries.iter().all(|delivery| delivery.status.is_final())
    })
    .await;
    let deliveries = world.deliveries().await;
    let of = |endpoint| deliveries.iter().find(|delivery: &&EventDelivery| delivery.endpoint_id == endpoint).unwrap();
    assert_eq!((of(plain).status, of(fine).status), (DeliveryStatus::Success, DeliveryStatus::Success));
    let (status, reason) = (of(throwing).status, &of(throwing).description);
    assert_eq!(status, DeliveryStatus::Failure);
    assert!(reason.starts_with("the subscription's function failed: TypeError: "), "{reason}");
    assert!(of(nothing).description.contains("must return a value"), "{}", of(nothing).description);
    assert_eq!((of(throwing).attempt_count, of(nothing).attempt_count), (0, 0));
    let mut bodies: Vec<Vec<u8>> = receiver.received().into_iter().map(|request| request.body).collect();
    bodies.sort();
    assert_eq!(bodies, ["\"ä\"".as_bytes(), DATA.as_bytes()]);
    // Whoever makes it due again by hand gets no other payload sent.
    let again =
        DeliverEvent { project_id: world.project, event_delivery_id: of(nothing).id, endpoint_id: Some(nothing) };
    diesel_async::RunQueryDsl::execute(
        diesel::sql_query("UPDATE event_deliveries SET status = 'Scheduled' WHERE status = 'Failure'"),
        &mut *world.conn().await,
    )
    .await
    .unwrap();
    world.queues.push(&again).await.unwrap();
    until("it has ended again", async || {
        let deliveries = world.deliveries().await;
        deliveries.iter().any(|delivery| delivery.id == again.event_delivery_id && delivery.status.is_final())
    })
    .await;
    assert_eq!(receiver.received().len(), 2);
    world.stop().await;
}

#[tokio::test]
async fn events_without_functions_do_not_wait_for_endless_ones() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let endless = with("function transform(p) { for (;;) {} }");
    let endless = world.endpoint(&receiver.url(), |_, subscription| endless(subscription)).await;
    let plain = world.endpoint(&receiver.url(), |_, _| {}).await;
    for _ in 0..20 {
        world.queues.push(&world.event(endless, "invoice.paid")).await.unwrap();
    }
    world.queues.push(&world.event(plain, "invoice.paid")).await.unwrap();
    until("the plain event has arrived", async || receiver.received().len() == 1).await;
    assert!(world.deliveries().await.iter().all(|delivery| delivery.endpoint_id == plain));
}

#[tokio::test]
async fn a_changed_function_holds_for_the_next_event_and_a_paused_endpoint_keeps_what_was_made() {
    use posthouse_schema::endpoint::Endpoint;
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let one = with("function transform(p) { return 1 }");
    let endpoint = world.endpoint(&receiver.url(), |_, subscription| one(subscription)).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    world.ended(1, DeliveryStatus::Success).await;
    diesel_async::RunQueryDsl::execute(
        diesel::sql_query("UPDATE subscriptions SET function = 'function transform(p) { return 2 }'"),
        &mut *world.conn().await,
    )
    .await
    .unwrap();
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    world.ended(2, DeliveryStatus::Success).await;
    let bodies: Vec<Vec<u8>> = receiver.received().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, [b"1", b"2"]);
    let key = (world.project, endpoint);
    let from = [EndpointStatus::Active];
    Endpoint::set_status(&mut *world.conn().await, key, &from, EndpointStatus::Paused).await.unwrap().unwrap();
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    until("it is kept back", async || world.deliveries().await.iter().any(|d| d.status == DeliveryStatus::Discarded))
        .await;
    let deliveries = world.deliveries().await;
    let kept = deliveries.iter().find(|delivery| delivery.status == DeliveryStatus::Discarded).unwrap();
    assert_eq!(kept.payload.as_deref(), Some(&b"2"[..]));
    assert!(is_idle::<DeliverEvent>(&world).await);
    world.stop().await;
}
