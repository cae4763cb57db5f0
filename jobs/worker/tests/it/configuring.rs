//! What is configured holds for every event accepted afterwards, although workers keep what they have read.

use chrono::{TimeDelta, Utc};
use diesel_async::RunQueryDsl as _;
use posthouse_jobs::{CreateEvent, EventTarget};
use posthouse_schema::{
    endpoint::{self, Endpoint},
    event_delivery::EventDelivery,
    ids::EndpointId,
    page::{Direction, PageRequest, Sort},
    project::Project,
    subscription::Subscription,
    words::{DeliveryStatus, EndpointStatus},
};

use crate::{
    receiver::{Received, Receiver},
    world::{World, config, direct, is_idle, until},
};

/// Sends an event, and returns the requests that came of it.
async fn requests(world: &World, receiver: &Receiver, endpoint: EndpointId) -> Vec<Received> {
    let before = receiver.received().len();
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    until("nothing left to do", async || {
        is_idle::<CreateEvent>(world).await
            && world.deliveries().await.iter().all(|delivery: &EventDelivery| delivery.status.is_final())
    })
    .await;
    receiver.received().split_off(before)
}

fn signature(requests: &[Received]) -> Option<String> {
    requests.first()?.header("x-convoy-signature").map(ToString::to_string)
}

#[tokio::test]
async fn a_change_of_endpoint_or_secret_holds_for_the_next_event() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let moved = Receiver::start().await;
    let id = world.endpoint(&receiver.url(), |_, _| {}).await;
    let first = signature(&requests(&world, &receiver, id).await);
    assert!(first.is_some());
    assert_eq!(signature(&requests(&world, &receiver, id).await), first);
    let key = (world.project, id);
    endpoint::roll_secret(&mut *world.conn().await, key, "another secret", Utc::now()).await.unwrap();
    let second = signature(&requests(&world, &receiver, id).await);
    assert!(second.is_some() && second != first);
    // A secret that expires by itself changes no row.
    let soon = Utc::now() + TimeDelta::milliseconds(400);
    endpoint::roll_secret(&mut *world.conn().await, key, "a third secret", soon).await.unwrap();
    let change = format!("UPDATE endpoints SET advanced_signatures = true, url = '{}'", moved.url());
    diesel::sql_query(change).execute(&mut *world.conn().await).await.unwrap();
    let both = signature(&requests(&world, &moved, id).await).unwrap();
    assert_eq!(both.matches("v1=").count(), 2, "{both}");
    until("the expiry", async || Utc::now() > soon).await;
    let one = signature(&requests(&world, &moved, id).await).unwrap();
    assert_eq!(one.matches("v1=").count(), 1, "{one}");
    world.stop().await;
}

#[tokio::test]
async fn a_change_of_subscription_status_or_project_holds_for_the_next_event() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let id = world.endpoint(&receiver.url(), |_, _| {}).await;
    assert_eq!(requests(&world, &receiver, id).await.len(), 1);
    let set = async |from, to| {
        Endpoint::set_status(&mut *world.conn().await, (world.project, id), &[from], to).await.unwrap().unwrap();
    };
    set(EndpointStatus::Active, EndpointStatus::Paused).await;
    assert_eq!(requests(&world, &receiver, id).await.len(), 0);
    set(EndpointStatus::Paused, EndpointStatus::Active).await;
    assert_eq!(requests(&world, &receiver, id).await.len(), 1);
    let mut project = Project::find(&mut *world.conn().await, world.project).await.unwrap().unwrap();
    project.config.signature.header = "X-Ours".into();
    Project::update(&mut *world.conn().await, &project).await.unwrap();
    assert!(requests(&world, &receiver, id).await[0].header("x-ours").is_some());
    let page = PageRequest { per_page: 10, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
    let all = Subscription::list(&mut *world.conn().await, world.project, &Default::default(), &page).await.unwrap();
    Subscription::delete(&mut *world.conn().await, world.project, all.rows[0].id).await.unwrap();
    assert_eq!(requests(&world, &receiver, id).await.len(), 0);
    assert_eq!(world.deliveries().await.iter().filter(|d| d.status == DeliveryStatus::Discarded).count(), 1);
    world.stop().await;
}

/// While one event is worked on the next endpoint is made already.
#[tokio::test]
async fn no_subscription_made_before_an_event_is_ever_missing() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let mut events = Vec::new();
    for _ in 0..12 {
        let mut event = world.event(world.endpoint(&receiver.url(), |_, _| {}).await, "invoice.paid");
        event.target = EventTarget::Broadcast;
        world.queues.push(&event).await.unwrap();
        events.push(event.event_id);
    }
    until("all events are stored", async || is_idle::<CreateEvent>(&world).await).await;
    let deliveries = world.deliveries().await;
    for (made_before, event) in (1..).zip(events) {
        let matched = deliveries.iter().filter(|delivery| delivery.event_id == event).count();
        assert!(matched >= made_before, "{matched} of {made_before}");
    }
    world.stop().await;
}
