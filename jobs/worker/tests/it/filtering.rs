//! Filters decide which events a subscription gets, each for itself.

use std::collections::BTreeSet;

use chrono::Utc;
use diesel_async::RunQueryDsl as _;
use posthouse_jobs::{CreateEvent, EventTarget};
use posthouse_schema::{
    filter::{FilterRow, FilterValues},
    ids::{EndpointId, EventId},
    page::{Direction, PageRequest, Sort},
    subscription::Subscription,
};
use serde_json::{Value, json, value::RawValue};

use crate::{
    receiver::Receiver,
    world::{World, config, direct, headers, is_idle, until},
};

async fn subscription(world: &World, endpoint: EndpointId) -> Subscription {
    let page = PageRequest { per_page: 100, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
    let all = Subscription::list(&mut *world.conn().await, world.project, &Default::default(), &page).await.unwrap();
    all.rows.into_iter().find(|row| row.endpoint_id == endpoint).unwrap()
}

fn filter(event_type: &str, body: Value) -> FilterValues {
    FilterValues { body, ..FilterValues::open(event_type, Utc::now()) }
}

async fn add(world: &World, endpoint: EndpointId, values: FilterValues) -> FilterRow {
    let subscription = subscription(world, endpoint).await.id;
    let made = FilterRow::insert(&mut *world.conn().await, world.project, subscription, &[values]).await.unwrap();
    made.into_iter().next().unwrap()
}

/// Broadcasts an event of this type with this data, and returns the endpoints that it reached.
async fn reached(world: &World, event_type: &str, data: &str) -> BTreeSet<EndpointId> {
    let mut event = world.event(EndpointId::generate(), event_type);
    event.target = EventTarget::Broadcast;
    event.data = RawValue::from_string(data.into()).unwrap();
    event.headers = headers(&[("X-Kind", "a")]);
    (event.url_query_params, event.url_path) = ("tag=x".into(), "/ingest/abc".into());
    sent(world, event).await
}

async fn sent(world: &World, event: CreateEvent) -> BTreeSet<EndpointId> {
    let id: EventId = event.event_id;
    world.queues.push(&event).await.unwrap();
    until("the event is stored", async || is_idle::<CreateEvent>(world).await).await;
    let deliveries = world.deliveries().await;
    deliveries.iter().filter(|delivery| delivery.event_id == id).map(|delivery| delivery.endpoint_id).collect()
}

#[tokio::test]
async fn an_event_reaches_those_whose_filters_it_passes() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let open = world.endpoint(&receiver.url(), |_, _| {}).await;
    let own = world
        .endpoint(&receiver.url(), |_, subscription| {
            subscription.filter = Some(json!({
                "headers": {"X-Kind": "a"}, "body": {"amount": {"$gte": 10}},
                "query": {"tag": "x"}, "path": {"path": "/ingest/abc"},
            }));
        })
        .await;
    let by_type = world.endpoint(&receiver.url(), |_, _| {}).await;
    let row = add(&world, by_type, filter("invoice.paid", json!({"amount": {"$lt": 10}}))).await;
    assert_eq!(reached(&world, "invoice.paid", r#"{"amount":10}"#).await, BTreeSet::from([open, own]));
    assert_eq!(reached(&world, "invoice.paid", r#"{"amount":9}"#).await, BTreeSet::from([open, by_type]));
    assert_eq!(reached(&world, "invoice.paid", r#"{}"#).await, BTreeSet::from([open]));
    // A change holds for the next event; a disabled filter is as if it were not there.
    let disabled = FilterValues { enabled_at: None, ..filter("invoice.paid", json!({"amount": {"$lt": 10}})) };
    let mut conn = world.conn().await;
    FilterRow::update(&mut conn, world.project, row.subscription_id, &[(row.id, disabled)]).await.unwrap().unwrap();
    assert_eq!(reached(&world, "invoice.paid", r#"{"amount":10}"#).await, BTreeSet::from([open, own, by_type]));
    // A filter for a type makes the type wanted.
    assert_eq!(reached(&world, "order.made", r#"{}"#).await, BTreeSet::from([]));
    add(&world, by_type, filter("order.made", json!({}))).await;
    assert_eq!(reached(&world, "order.made", r#"{}"#).await, BTreeSet::from([by_type]));
    drop(conn);
    world.stop().await;
}

/// So many that they are not all asked; and what one was compiled to before a change counts no longer.
#[tokio::test]
async fn among_many_those_are_found_that_want_the_event_now() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let mut endpoints = Vec::new();
    for n in 0..20 {
        let filter = json!({"body": {"customer": n, "amount": {"$gt": 1}}});
        endpoints.push(world.endpoint(&receiver.url(), |_, subscription| subscription.filter = Some(filter)).await);
    }
    let open = world.endpoint(&receiver.url(), |_, _| {}).await;
    let event = r#"{"customer":"7","amount":2}"#;
    assert_eq!(reached(&world, "invoice.paid", event).await, BTreeSet::from([endpoints[7], open]));
    assert_eq!(reached(&world, "invoice.paid", r#"{"customer":7}"#).await, BTreeSet::from([open]));
    let row = add(&world, endpoints[3], filter("invoice.paid", json!({"amount": 2}))).await;
    assert_eq!(reached(&world, "invoice.paid", event).await, BTreeSet::from([endpoints[7], open]), "both must hold");
    assert_eq!(
        reached(&world, "invoice.paid", r#"{"customer":3,"amount":2}"#).await,
        BTreeSet::from([endpoints[3], open])
    );
    let changed = filter("invoice.paid", json!({"amount": 3}));
    FilterRow::update(&mut *world.conn().await, world.project, row.subscription_id, &[(row.id, changed)])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(reached(&world, "invoice.paid", r#"{"customer":3,"amount":2}"#).await, BTreeSet::from([open]));
    assert_eq!(reached(&world, "order.made", r#"{"customer":7,"amount":2}"#).await, BTreeSet::new());
    world.stop().await;
}

#[tokio::test]
async fn the_filter_for_all_types_decides_where_a_type_has_none() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    let subscription = subscription(&world, endpoint).await.id;
    let mut conn = world.conn().await;
    let all = FilterRow::list(&mut conn, world.project, subscription, 10).await.unwrap();
    assert_eq!((all.len(), all[0].event_type.as_str(), all[0].enabled_at.is_some()), (1, "*", true));
    let set = async |values: FilterValues| {
        let change = [(all[0].id, values)];
        FilterRow::update(&mut *world.conn().await, world.project, subscription, &change).await.unwrap().unwrap();
    };
    set(filter("*", json!({"n": 1}))).await;
    assert_eq!(reached(&world, "invoice.paid", r#"{"n":1}"#).await, BTreeSet::from([endpoint]));
    assert_eq!(reached(&world, "invoice.paid", r#"{"n":2}"#).await, BTreeSet::from([]));
    add(&world, endpoint, filter("invoice.paid", json!({"n": 2}))).await;
    assert_eq!(
        reached(&world, "invoice.paid", r#"{"n":2}"#).await,
        BTreeSet::from([endpoint]),
        "the type's own filter wins"
    );
    assert_eq!(reached(&world, "invoice.paid", r#"{"n":1}"#).await, BTreeSet::from([]));
    set(FilterValues { enabled_at: None, ..filter("*", json!({})) }).await;
    assert_eq!(reached(&world, "invoice.paid", r#"{"n":2}"#).await, BTreeSet::from([endpoint]));
    drop(conn);
    world.stop().await;
}

#[tokio::test]
async fn a_filter_that_fails_harms_its_own_subscription_alone() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let open = world.endpoint(&receiver.url(), |_, _| {}).await;
    let broken = world.endpoint(&receiver.url(), |_, _| {}).await;
    let costly = world.endpoint(&receiver.url(), |_, _| {}).await;
    let fine = world.endpoint(&receiver.url(), |_, _| {}).await;
    add(&world, broken, filter("invoice.paid", json!({"a": 1}))).await;
    // As only an older or a newer release could have stored it.
    diesel::sql_query(r#"UPDATE subscription_filters SET body = '{"a": {"$weird": 1}}' WHERE body <> '{}'"#)
        .execute(&mut *world.conn().await)
        .await
        .unwrap();
    add(&world, costly, filter("invoice.paid", json!({"items.$.n": 2}))).await;
    add(&world, fine, filter("invoice.paid", json!({"items.0.n": 1}))).await;
    let items = json!({"items": vec![json!({"n": 1}); 100_000]}).to_string();
    assert_eq!(reached(&world, "invoice.paid", &items).await, BTreeSet::from([open, fine]));
    // Data that nobody can read reaches those who do not ask about it.
    let deep = "[".repeat(1_000) + &"]".repeat(1_000);
    assert_eq!(reached(&world, "invoice.paid", &deep).await, BTreeSet::from([open]));
    world.stop().await;
}
