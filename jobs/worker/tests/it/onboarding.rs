//! Onboarding: a batch makes what is missing, once.

use std::sync::Arc;

use apalis::prelude::Data;
use posthouse_jobs::{DeliverMetaEvent, OnboardBatch, OnboardRow};
use posthouse_schema::{
    endpoint::{self, Endpoint, EndpointFilter},
    page::{Direction, PageRequest, Sort},
    project::Project,
    subscription::{Subscription, SubscriptionFilter},
};
use posthouse_worker::handlers;

use crate::{
    receiver::Receiver,
    world::{World, config, direct, is_idle, until},
};

fn row(name: &str, url: &str, event_type: &str) -> OnboardRow {
    OnboardRow {
        name: name.into(),
        url: url.into(),
        event_type: event_type.into(),
        auth_username: String::new(),
        auth_password: String::new(),
    }
}

async fn run(world: &World, rows: Vec<OnboardRow>) {
    let job = OnboardBatch { project_id: world.project, batch: "b-0".into(), rows };
    handlers::onboard_batch(job, Data::new(Arc::clone(&world.context))).await.unwrap();
}

async fn made(world: &World) -> (Vec<Endpoint>, Vec<Subscription>) {
    let mut conn = world.conn().await;
    let page = PageRequest { per_page: 100, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
    let endpoints = Endpoint::list(&mut conn, world.project, &EndpointFilter::default(), &page).await.unwrap().rows;
    let page = PageRequest { per_page: 100, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
    let filter = SubscriptionFilter::default();
    (endpoints, Subscription::list(&mut conn, world.project, &filter, &page).await.unwrap().rows)
}

#[tokio::test]
async fn a_batch_that_runs_twice_makes_everything_once() {
    let world = World::start(config(), direct(), None).await;
    let mut with_password = row("b", "https://example.com/b", "*");
    (with_password.auth_username, with_password.auth_password) = ("u".into(), "hunter2".into());
    let rows = vec![row("a", "https://example.com/a", "x.y"), with_password, row("a2", "https://example.com/a", "z")];
    run(&world, rows.clone()).await;
    run(&world, rows).await;
    let (mut endpoints, mut subscriptions) = made(&world).await;
    subscriptions.sort_by(|a, b| a.name.cmp(&b.name));
    endpoints.sort_by(|a, b| a.url.cmp(&b.url));
    let urls: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.url.as_str()).collect();
    assert_eq!(
        urls,
        ["https://example.com/a", "https://example.com/b"],
        "a URL that is there twice makes one endpoint"
    );
    let first = &endpoints[0];
    let names: Vec<(&str, &[String])> =
        subscriptions.iter().map(|row| (row.name.as_str(), row.event_types.0.as_slice())).collect();
    let (one, two) = (format!("a-{}-subscription", first.id), format!("a2-{}-subscription", first.id));
    let three = format!("b-{}-subscription", endpoints[1].id);
    assert_eq!(
        names,
        [(one.as_str(), &["x.y".to_string()][..]), (&two, &["z".to_string()]), (&three, &["*".to_string()])]
    );
    assert_eq!(endpoints[1].authentication().unwrap().unwrap()["basic_auth"]["password"], "hunter2");
    assert!(first.advanced_signatures && first.authentication().unwrap().is_none());
    let secrets = endpoint::secrets_of(&mut *world.conn().await, world.project, &[first.id]).await.unwrap();
    assert_eq!((secrets.len(), secrets[0].value().unwrap().len()), (1, 25));
    world.stop().await;
}

#[tokio::test]
async fn what_takes_every_type_needs_no_further_subscription() {
    let world = World::start(config(), direct(), None).await;
    run(&world, vec![row("a", "https://example.com/a", "*"), row("a", "https://example.com/a", "x.y")]).await;
    assert_eq!(made(&world).await.1.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_deleted_project_gets_nothing() {
    let world = World::start(config(), direct(), None).await;
    Project::delete(&mut *world.conn().await, world.project).await.unwrap();
    run(&world, vec![row("a", "https://example.com/a", "*")]).await;
    assert!(made(&world).await.0.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn a_project_that_asked_is_told_of_each_new_endpoint_once() {
    let ops = Receiver::start().await;
    let mut config = config();
    (config.meta_event.is_enabled, config.meta_event.url) = (true, ops.url());
    config.meta_event.secret = "meta-secret".into();
    config.meta_event.event_type = Some(vec!["endpoint.created".into()]);
    let world = World::start(config, direct(), None).await;
    let mut first = row("a", "https://example.com/a", "*");
    (first.auth_username, first.auth_password) = ("u".into(), "hunter2".into());
    let rows = vec![first, row("b", "https://example.com/b", "*")];
    run(&world, rows.clone()).await;
    until("both are told of", async || ops.received().len() == 2).await;
    run(&world, rows).await;
    until("nothing left to do", async || is_idle::<DeliverMetaEvent>(&world).await).await;
    let told: Vec<String> =
        ops.received().iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect();
    assert!(told.len() == 2 && told.iter().all(|body| body.contains("endpoint.created") && !body.contains("hunter2")));
    assert!(told.iter().any(|body| body.contains("https://example.com/a")));
    world.stop().await;
}
