//! A Google Pub/Sub of the test's own: Google's fake of it behind a check of tokens, see `tests/pubsub/main.go`. Its messages
//! are in its memory, so it is stopped by closing its ports. `just pubsub` puts it into `.tools/pubsub`.

use std::{collections::HashMap, process::Stdio, time::Duration};

use googleapis_tonic_google_pubsub_v1::google::pubsub::v1::{
    PublishRequest, PubsubMessage, Subscription, Topic, publisher_client::PublisherClient,
    subscriber_client::SubscriberClient,
};
use posthouse_jobs::queue::testing::free_port;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tonic::transport::{Channel, Endpoint};

use crate::{
    authority::Authority,
    broker::numbers,
    conformance::{RIGHT, TestBroker, publish},
    program::{SOON, answers, eventually, spawn},
    world::World,
};

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/pubsub/server");
/// Longest wait for its start, which makes keys.
const START_MAX: Duration = Duration::from_secs(60);

pub struct PubSubServer {
    port: u16,
    tls_port: u16,
    folder: TempDir,
    child: Child,
}

impl PubSubServer {
    /// With another port that is encrypted.
    pub async fn encrypted(authority: &Authority) -> Self {
        let (certificate, key) = authority.certificate("127.0.0.1");
        Self::start_with(free_port(), &[("certificate", &certificate), ("key", &key)]).await
    }

    async fn start_with(tls_port: u16, files: &[(&str, &str)]) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let mut command = Command::new(SERVER);
        command.args(["-port", &port.to_string(), "-account", "account", "-tls-port", &tls_port.to_string()]);
        command.args(["-certificate", "certificate", "-key", "key"]);
        let child = spawn(command.current_dir(folder.path()).stderr(Stdio::null()));
        eventually("Pub/Sub listens; `just pubsub` was run", START_MAX, async || answers(port).await).await;
        Self { port, tls_port, folder, child }
    }

    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().expect("the program runs")).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    async fn channel(port: u16) -> Result<Channel, String> {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
        endpoint.connect().await.map_err(|error| error.to_string())
    }

    async fn publish(port: u16, place: &str, messages: Vec<PubsubMessage>) -> Result<Vec<String>, String> {
        let request = PublishRequest { topic: topic(place), messages };
        let published = PublisherClient::new(Self::channel(port).await?).publish(request).await;
        published.map(|answer| answer.into_inner().message_ids).map_err(|status| status.to_string())
    }

    async fn subscribe(port: u16, place: &str, is_ordered: bool) {
        let channel = Self::channel(port).await.unwrap();
        let new = Topic { name: topic(place), ..Topic::default() };
        PublisherClient::new(channel.clone()).create_topic(new).await.unwrap();
        let new = Subscription {
            name: format!("projects/test/subscriptions/{place}"),
            topic: topic(place),
            enable_message_ordering: is_ordered,
            ..Subscription::default()
        };
        SubscriberClient::new(channel).create_subscription(new).await.unwrap();
    }
}

fn topic(place: &str) -> String {
    format!("projects/test/topics/{place}")
}

impl TestBroker for PubSubServer {
    const KIND: &'static str = "google";
    const REFUSAL: &'static str = "Unauthenticated";
    const IS_ONE_QUEUE: bool = true;
    const TELLS_LAG: bool = false;

    async fn start() -> Self {
        Self::start_with(0, &[]).await
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn source(&self, place: &str, port: u16, password: &str) -> Value {
        let file = if password == RIGHT { "account" } else { "account.wrong" };
        let mut account: Value =
            serde_json::from_slice(&std::fs::read(self.folder.path().join(file)).unwrap()).unwrap();
        account["private_key_id"] = json!(password);
        json!({"type": "google", "workers": 1, "google": {"project_id": "test", "subscription_id": place,
            "service_account": account.to_string(), "endpoint": format!("http://127.0.0.1:{port}"),
            "redeliver_after_seconds": 10}})
    }

    async fn make(port: u16, place: &str) {
        Self::subscribe(port, place, false).await;
    }

    async fn try_publish(port: u16, place: &str, bodies: &[String]) -> Result<(), String> {
        let message = |body: &String| PubsubMessage { data: body.clone().into(), ..PubsubMessage::default() };
        Self::publish(port, place, bodies.iter().map(message).collect()).await.map(drop)
    }

    async fn stop(&mut self) {
        self.signal(Signal::USR1);
        eventually("Pub/Sub is gone", SOON, async || !answers(self.port).await).await;
    }

    async fn resume(&mut self) {
        self.signal(Signal::USR2);
        eventually("Pub/Sub listens", SOON, async || answers(self.port).await).await;
    }
}

/// A stream that outlived its connection would be sent messages, some of them again and again.
#[tokio::test]
async fn a_connection_that_is_left_is_over() {
    const PART: usize = 100;
    let (server, world) = (PubSubServer::start().await, World::new().await);
    let proxy = server.proxy().await;
    PubSubServer::make(server.port(), "left").await;
    let source_id = world.source(&server.source("left", proxy.port(), RIGHT)).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    let mut sent = 0;
    for is_disabled in [true, false, true, false] {
        publish(&server, "left", &numbers(sent..sent + PART)).await;
        sent += PART;
        world.set_disabled(source_id, is_disabled).await;
        eventually("it takes effect", SOON, async || ingest.is_connected(source_id) != is_disabled).await;
        let open = usize::from(!is_disabled);
        eventually("no connection is left over", SOON, async || proxy.open() == open).await;
    }
    publish(&server, "left", &numbers(sent..sent + PART)).await;
    let numbers = world.wait_for_numbers(0..sent + PART, Duration::from_secs(120)).await;
    assert_eq!(numbers.len(), sent + PART, "each is one event");
    ingest.stop().await;
}

#[tokio::test]
async fn a_missing_subscription_is_waited_for_and_attributes_go_along() {
    let (server, world) = (PubSubServer::start().await, World::new().await);
    let source_id = world.source(&server.source("later", server.port(), RIGHT)).await;
    let ingest = world.ingest().await;
    PubSubServer::make(server.port(), "later").await;
    eventually("the subscription is found", START_MAX, async || ingest.is_connected(source_id)).await;
    let body = r#"{"event_type":"a","data":0,"owner_id":"acme"}"#;
    let attributes = [("X-Trace", "t"), ("x-convoy-message-type", "fanout")];
    let sent = PubsubMessage {
        data: body.into(),
        attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..PubsubMessage::default()
    };
    let ids = PubSubServer::publish(server.port(), "later", vec![sent]).await.unwrap();
    let event = world.wait_for(1).await.remove(0);
    for (name, value) in [("x-trace", "t"), ("X-Trace", "t"), ("x-broker-message-id", &ids[0])] {
        assert_eq!(event.headers[name], [value]);
    }
    assert_eq!(event.target, posthouse_jobs::EventTarget::Fanout { owner_id: "acme".into() });

    let keyed = PubsubMessage {
        data: "no json".into(),
        ordering_key: "k".into(),
        attributes: HashMap::new(),
        ..PubsubMessage::default()
    };
    PubSubServer::publish(server.port(), "later", vec![keyed]).await.unwrap();
    let refused = world.wait_for_rejected(1).await.remove(0);
    assert_eq!(refused.metadata["ordering_key"], "k");
    ingest.stop().await;
}
