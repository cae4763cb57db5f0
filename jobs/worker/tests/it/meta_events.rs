//! Meta events: stored, signed, retried, and sent once more after Redis has forgotten them.

use std::sync::Arc;

use apalis::prelude::Data;
use chrono::Utc;
use diesel_async::RunQueryDsl as _;
use posthouse_jobs::{DeliverMetaEvent, SweepDeliveries};
use posthouse_schema::{
    meta_event::MetaEvent,
    page::{Direction, PageRequest, Sort},
    project_config::ProjectConfig,
    words::{DeliveryStatus, MetaEventKind},
};
use posthouse_worker::handlers;
use serde_json::{Value, json};

use crate::{
    receiver::{Receiver, plain},
    world::{World, config, direct, is_idle, until},
};

/// Settings that send these kinds to the receiver.
fn telling(receiver: &Receiver, kinds: &[&str]) -> ProjectConfig {
    let mut config = config();
    config.meta_event.is_enabled = true;
    config.meta_event.url = receiver.url();
    config.meta_event.secret = "meta-secret".into();
    config.meta_event.event_type = Some(kinds.iter().map(ToString::to_string).collect());
    config
}

async fn all(world: &World) -> Vec<MetaEvent> {
    let page = PageRequest { per_page: 100, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
    let (hour, now) = (chrono::TimeDelta::hours(1), Utc::now());
    MetaEvent::list(&mut *world.conn().await, world.project, (now - hour, now + hour), &page).await.unwrap().rows
}

/// Waits until there is one, in this state.
async fn ended(world: &World, status: DeliveryStatus) -> MetaEvent {
    until("the meta event's end", async || all(world).await.iter().any(|event| event.status == status)).await;
    let [event] = all(world).await.try_into().unwrap();
    event
}

#[tokio::test]
async fn a_delivery_that_ended_is_told_of_and_signed() {
    let (ops, receiver) = (Receiver::start().await, Receiver::start().await);
    let world = World::start(telling(&ops, &["eventdelivery.success", "eventdelivery.failed"]), direct(), None).await;
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    let event = ended(&world, DeliveryStatus::Success).await;
    let [request] = ops.received().try_into().unwrap();
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let delivery = world.deliveries().await.remove(0);
    assert_eq!(
        (body["event_type"].as_str(), event.payload.as_slice()),
        (Some("eventdelivery.success"), request.body.as_slice())
    );
    let data = &body["data"];
    assert_eq!((data["uid"].clone(), data["status"].clone()), (json!(delivery.id), json!("Success")));
    assert_eq!((data["metadata"]["num_trials"].clone(), data["metadata"]["data"]["b"].clone()), (json!(1), json!(1.0)));
    assert_eq!(
        (data["attempt"]["http_status"].clone(), data["attempt"]["response_data"].clone()),
        (json!(200), json!("thanks"))
    );
    assert!(!body.to_string().contains(crate::world::SECRET));
    assert_eq!(request.header("webhook-id"), Some(event.id.to_string().as_str()));
    assert_eq!(request.header("x-convoy-signature").map(str::len), Some(64));
    assert_eq!(request.header("x-convoy-idempotency-key").map(str::len), Some(64));
    let attempt = event.attempt.unwrap();
    assert_eq!((attempt.status_code, attempt.response_body.as_deref()), (Some(200), Some("thanks")));
    world.stop().await;
}

#[tokio::test]
async fn a_delivery_that_failed_is_told_of_and_one_kind_can_be_left_out() {
    let (ops, receiver) = (Receiver::start().await, Receiver::start().await);
    let mut config = telling(&ops, &["eventdelivery.failed"]);
    config.strategy.retry_count = 1;
    let world = World::start(config, direct(), None).await;
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    receiver.then(&[&plain("200 OK", ""), &plain("500 No", "")]);
    for _ in 0..2 {
        world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    }
    let event = ended(&world, DeliveryStatus::Success).await;
    assert_eq!(event.event_type, "eventdelivery.failed");
    let body: Value = serde_json::from_slice(&event.payload).unwrap();
    assert_eq!(
        (&body["data"]["description"], &body["data"]["attempt"]["status"]),
        (&json!("Retry limit exceeded"), &json!(false))
    );
    world.stop().await;
}

#[tokio::test]
async fn a_meta_event_is_tried_again_and_keeps_its_id() {
    let ops = Receiver::start().await;
    let world = World::start(telling(&ops, &["endpoint.created"]), direct(), None).await;
    ops.then(&[&plain("500 No", "no"), &plain("200 OK", "yes")]);
    let job = DeliverMetaEvent::announce(world.project, MetaEventKind::EndpointCreated, &json!({"uid": "e"})).unwrap();
    assert!(world.queues.push(&job).await.unwrap());
    let event = ended(&world, DeliveryStatus::Success).await;
    let requests = ops.received();
    assert_eq!((event.attempt_count, requests.len()), (2, 2));
    assert_eq!(requests[0].body, br#"{"event_type":"endpoint.created","data":{"uid":"e"}}"#);
    assert_eq!(requests[0].body, requests[1].body);
    for name in ["webhook-id", "x-convoy-idempotency-key", "x-convoy-signature"] {
        assert!(requests[0].header(name).is_some() && requests[0].header(name) == requests[1].header(name), "{name}");
    }
    world.stop().await;
}

#[tokio::test]
async fn what_redis_forgot_is_sent_by_the_sweep_and_what_nobody_wants_is_not() {
    let ops = Receiver::start().await;
    let world = World::start(telling(&ops, &["endpoint.created"]), direct(), None).await;
    let job = DeliverMetaEvent::announce(world.project, MetaEventKind::EndpointCreated, &json!({})).unwrap();
    world.queues.push(&job).await.unwrap();
    ended(&world, DeliveryStatus::Success).await;
    let overdue = "UPDATE meta_events SET status = 'Scheduled', next_send_time = now() - interval '5 minutes'";
    diesel::sql_query(overdue).execute(&mut *world.conn().await).await.unwrap();
    let sweep = SweepDeliveries { tick: Utc::now().into() };
    handlers::sweep_deliveries(sweep.clone(), Data::new(Arc::clone(&world.context))).await.unwrap();
    let event = ended(&world, DeliveryStatus::Success).await;
    assert_eq!((event.attempt_count, ops.received().len()), (2, 2));

    let off = "UPDATE projects SET config = jsonb_set(config, '{meta_event,is_enabled}', 'false')";
    diesel::sql_query(off).execute(&mut *world.conn().await).await.unwrap();
    diesel::sql_query(overdue).execute(&mut *world.conn().await).await.unwrap();
    world.queues.push(&DeliverMetaEvent { new: None, ..job.clone() }).await.unwrap();
    ended(&world, DeliveryStatus::Failure).await;
    let late = DeliverMetaEvent::announce(world.project, MetaEventKind::EndpointCreated, &json!({})).unwrap();
    world.queues.push(&late).await.unwrap();
    until("nothing left to do", async || is_idle::<DeliverMetaEvent>(&world).await).await;
    assert_eq!((all(&world).await.len(), ops.received().len()), (1, 2));
    world.stop().await;
}

#[tokio::test]
async fn the_rules_of_egress_hold_for_meta_events() {
    let ops = Receiver::start().await;
    let mut config = telling(&ops, &["endpoint.created"]);
    config.meta_event.url = "http://169.254.169.254/latest".into();
    let world = World::start(config, direct(), None).await;
    let job = DeliverMetaEvent::announce(world.project, MetaEventKind::EndpointCreated, &json!({})).unwrap();
    world.queues.push(&job).await.unwrap();
    let event = ended(&world, DeliveryStatus::Failure).await;
    assert_eq!(event.attempt_count, 1, "what is refused is not tried again");
    assert!(event.attempt.unwrap().error.unwrap().starts_with("refused by egress: "));
    world.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_was_disabled_is_told_of_once() {
    let (ops, receiver) = (Receiver::start().await, Receiver::start().await);
    let world = World::start(telling(&ops, &["endpoint.disabled"]), direct(), None).await;
    receiver.then(&[plain("410 Gone", "").as_str(); 2]);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    let events = [world.event(endpoint, "invoice.paid"), world.event(endpoint, "invoice.paid")];
    world.queues.push_all(&events).await.unwrap();
    let told = ended(&world, DeliveryStatus::Success).await;
    let body: Value = serde_json::from_slice(&told.payload).unwrap();
    let data = &body["data"];
    assert_eq!(
        (&body["event_type"], &data["uid"], &data["status"], &data["reason"]),
        (&json!("endpoint.disabled"), &json!(endpoint), &json!("inactive"), &json!("it answered 410 Gone"))
    );
    until("all deliveries end", async || world.deliveries().await.iter().all(|row| row.status.is_final())).await;
    assert_eq!((all(&world).await.len(), ops.received().len()), (1, 1));
    world.stop().await;
}
