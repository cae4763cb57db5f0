//! Receivers that come with the event: a URL's endpoint, and an endpoint that nobody subscribed.

use diesel_async::RunQueryDsl as _;
use posthouse_jobs::{CreateEvent, EventTarget, ReplayEvent};
use posthouse_schema::{
    dynamic_endpoint,
    event::Event,
    ids::ReplayId,
    page::{Direction, PageRequest, Sort},
    subscription::{Subscription, SubscriptionFilter},
    words::{DeliveryStatus, EventStatus, TargetKind},
};

use crate::{
    receiver::Receiver,
    world::{World, config, direct, is_idle, until},
};

#[tokio::test]
async fn a_dynamic_event_is_delivered_whatever_its_type_and_can_be_replayed() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    let found = dynamic_endpoint::find(&mut *world.conn().await, world.project, &receiver.url()).await.unwrap();
    let mut event = world.event(endpoint, "never.subscribed");
    event.target = EventTarget::Dynamic { url: receiver.url(), subscription_id: found.unwrap() };
    world.queues.push(&event).await.unwrap();
    world.ended(1, DeliveryStatus::Success).await;
    let row = Event::find(&mut *world.conn().await, world.project, event.event_id).await.unwrap().unwrap();
    assert_eq!(
        (row.target_kind, row.target, row.endpoint_ids),
        (TargetKind::Dynamic, receiver.url(), vec![Some(endpoint)])
    );
    let replay = ReplayEvent {
        project_id: world.project,
        event_id: event.event_id,
        replay_id: ReplayId::generate(),
        requested_at: chrono::Utc::now(),
    };
    world.queues.push(&replay).await.unwrap();
    world.ended(2, DeliveryStatus::Success).await;
    assert_eq!(receiver.received().len(), 2);
    world.stop().await;
}

#[tokio::test]
async fn an_endpoint_without_subscription_gets_its_events_all_the_same() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    let page = PageRequest { per_page: 10, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
    let filter = SubscriptionFilter { endpoint_ids: vec![endpoint], name_part: None };
    without_subscriptions(&world).await;
    let events: Vec<CreateEvent> = (0..5).map(|_| world.event(endpoint, "anything")).collect();
    world.queues.push_all(&events).await.unwrap();
    world.ended(5, DeliveryStatus::Success).await;
    let made = Subscription::list(&mut *world.conn().await, world.project, &filter, &page).await.unwrap().rows;
    assert_eq!((made.len(), made[0].name.as_str()), (1, "e-subscription"));
    // A broadcast subscribes nobody.
    without_subscriptions(&world).await;
    let mut broadcast = world.event(endpoint, "anything");
    broadcast.target = EventTarget::Broadcast;
    world.queues.push(&broadcast).await.unwrap();
    until("every event is stored", async || is_idle::<CreateEvent>(&world).await).await;
    let row = Event::find(&mut *world.conn().await, world.project, broadcast.event_id).await.unwrap().unwrap();
    assert_eq!(row.status, EventStatus::Failure);
    world.stop().await;
}

async fn without_subscriptions(world: &World) {
    for table in ["subscription_filters", "subscriptions"] {
        diesel::sql_query(format!("DELETE FROM {table}")).execute(&mut *world.conn().await).await.unwrap();
    }
}
