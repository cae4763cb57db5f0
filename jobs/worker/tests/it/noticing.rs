//! What people are told of: chats get what they understand, and each change is told once.

use std::sync::Arc;

use apalis::prelude::Data;
use chrono::{TimeDelta, Utc};
use posthouse_jobs::{ChatService, Notice, Notify, SendChatMessage, SendDigests};
use posthouse_schema::{endpoint_health, project_config::ProjectConfig};
use posthouse_worker::handlers;
use serde_json::Value;

use crate::{
    receiver::{Received, Receiver, plain},
    world::{World, config, direct, is_idle, until},
};

fn chats(receiver: &Receiver) -> ProjectConfig {
    let mut config = config();
    let url = |name: &str| format!("http://{}/{name}", receiver.address);
    (config.notifications.slack_webhook_url, config.notifications.teams_webhook_url) =
        (url("slack").into(), url("teams").into());
    (config.disable_endpoint, config.strategy.retry_count) = (true, 1);
    config
}

fn to(received: &[Received], name: &str) -> Vec<Value> {
    let line = format!("POST /{name} ");
    let wanted = received.iter().filter(|request| request.head.starts_with(&line));
    wanted.map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

#[tokio::test]
async fn chats_hear_once_that_an_endpoint_was_disabled_and_once_that_it_recovered() {
    let (chat, receiver) = (Receiver::start().await, Receiver::start().await);
    let world = World::start(chats(&chat), direct(), None).await;
    receiver.then(&[&plain("500 No", "")]);
    let endpoint = world.endpoint(&receiver.url(), |endpoint, _| endpoint.name = "<!here>".into()).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    until("both chats hear of it", async || chat.received().len() == 2).await;
    let title = "Endpoint <!here> was disabled";
    let slack = &to(&chat.received(), "slack")[0];
    assert_eq!(slack["text"], "Endpoint &lt;!here&gt; was disabled");
    assert_eq!((&slack["blocks"][0]["type"], &slack["blocks"][0]["text"]["text"]), (&"header".into(), &title.into()));
    let card = &to(&chat.received(), "teams")[0]["attachments"][0];
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(card["content"]["body"][0]["text"], r"Endpoint \<\!here\> was disabled");
    assert_eq!(chat.received()[0].header("content-type"), Some("application/json"));
    // It is activated by hand, and takes what comes.
    let mut conn = world.conn().await;
    let set = "UPDATE endpoints SET status = 'active'";
    diesel_async::RunQueryDsl::execute(diesel::sql_query(set), &mut conn).await.unwrap();
    let events: Vec<_> = (0..3).map(|_| world.event(endpoint, "invoice.paid")).collect();
    world.queues.push_all(&events).await.unwrap();
    until("both chats hear that it is well", async || chat.received().len() == 4).await;
    let recovered = &to(&chat.received(), "slack")[1];
    assert_eq!(recovered["text"], "Endpoint &lt;!here&gt; takes deliveries again");
    until("all is done", async || {
        is_idle::<Notify>(&world).await && is_idle::<SendChatMessage>(&world).await && receiver.received().len() == 4
    })
    .await;
    assert_eq!(chat.received().len(), 4);
    assert!(endpoint_health::list(&mut conn, world.project, 10).await.unwrap().is_empty());
    world.stop().await;
}

#[tokio::test]
async fn a_digest_names_what_is_new_and_says_it_once() {
    let chat = Receiver::start().await;
    let world = World::start(chats(&chat), direct(), None).await;
    let mut conn = world.conn().await;
    let digest = async |minutes: i64| {
        let tick = Utc::now() + TimeDelta::minutes(minutes);
        handlers::send_digests(SendDigests { tick: tick.into() }, Data::new(Arc::clone(&world.context))).await.unwrap();
        until("it is sent", async || is_idle::<Notify>(&world).await && is_idle::<SendChatMessage>(&world).await).await;
        to(&chat.received(), "slack")
    };
    assert!(digest(0).await.is_empty(), "nothing fails");
    let one = world.endpoint("http://127.0.0.1:9/one", |endpoint, _| endpoint.name = "one".into()).await;
    let two = world.endpoint("http://127.0.0.1:9/two", |endpoint, _| endpoint.name = "two".into()).await;
    for _ in 0..2 {
        endpoint_health::note_failing(&mut conn, world.project, one).await.unwrap();
    }
    let first = digest(1).await;
    assert_eq!(first.len(), 1);
    let text = first[0]["blocks"][1]["text"]["text"].as_str().unwrap().to_string();
    assert!(text.contains("- one (http://127.0.0.1:9/one), since ") && !text.contains("two"), "{text}");
    assert_eq!(digest(2).await.len(), 1, "nothing new");
    endpoint_health::note_failing(&mut conn, world.project, two).await.unwrap();
    let second = digest(3).await;
    let text = second[1]["blocks"][1]["text"]["text"].as_str().unwrap();
    assert!(
        text.contains("- two (") && !text.contains("- one") && text.contains("1 of which you have heard"),
        "{text}"
    );
    // Of what nobody was told nobody hears that it is over; each end is told once.
    assert!(endpoint_health::note_recovered(&mut conn, world.project, one).await.unwrap().is_some());
    assert!(endpoint_health::note_recovered(&mut conn, world.project, one).await.unwrap().is_none());
    endpoint_health::note_failing(&mut conn, world.project, one).await.unwrap();
    assert!(endpoint_health::note_recovered(&mut conn, world.project, one).await.unwrap().is_none());
    world.stop().await;
}

#[tokio::test]
async fn a_chat_that_is_away_is_tried_again_and_one_that_refuses_is_not() {
    let chat = Receiver::start().await;
    let world = World::start(chats(&chat), direct(), None).await;
    let message = |service| SendChatMessage {
        project_id: world.project,
        endpoint_id: None,
        service,
        title: "a".into(),
        text: "b".into(),
        reason: format!("{service:?}"),
    };
    let send =
        async |service| handlers::send_chat_message(message(service), Data::new(Arc::clone(&world.context))).await;
    chat.then(&[&plain("503 No", ""), &plain("429 Slowly", ""), &plain("404 no_service", "")]);
    for (service, is_tried_again) in
        [(ChatService::Slack, true), (ChatService::Teams, true), (ChatService::Slack, false)]
    {
        assert_eq!(send(service).await.is_err(), is_tried_again);
    }
    // Addresses that are refused to deliveries are refused to messages.
    let mut project =
        posthouse_schema::project::Project::find(&mut *world.conn().await, world.project).await.unwrap().unwrap();
    project.config.notifications.slack_webhook_url = "http://169.254.169.254/latest".into();
    posthouse_schema::project::Project::update(&mut *world.conn().await, &project).await.unwrap();
    assert!(send(ChatService::Slack).await.is_ok());
    assert_eq!(chat.received().len(), 3);
    // A source that fails is told of in the same way.
    let notice = Notice::SourceFailing {
        source_id: posthouse_schema::ids::SourceId::generate(),
        name: "orders".into(),
        reason: "unreachable".into(),
        error: Some("connection refused".into()),
    };
    world.queues.push(&Notify { project_id: world.project, endpoint_id: None, at: Utc::now(), notice }).await.unwrap();
    until("Teams hears of it", async || chat.received().len() == 4).await;
    let card = &to(&chat.received(), "teams")[1]["attachments"][0]["content"]["body"];
    assert_eq!(card[2]["text"], "The last error was: connection refused");
    until("all is done", async || is_idle::<Notify>(&world).await && is_idle::<SendChatMessage>(&world).await).await;
    world.stop().await;
}
