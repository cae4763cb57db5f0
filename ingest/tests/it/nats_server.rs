//! A NATS server of the test's own, with JetStream in its own folder, and what is particular to it.

use std::fmt::Write as _;

use async_nats::{
    Client, ConnectOptions, HeaderMap,
    jetstream::{self, stream},
};
use posthouse_jobs::queue::testing::free_port;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    amqp::PARENT,
    authority::Authority,
    broker::numbered,
    conformance::{RIGHT, TestBroker, USER, publish},
    program::{SOON, answers, eventually, find, spawn, terminate},
    world::World,
};

pub struct NatsServer {
    port: u16,
    folder: TempDir,
    child: Child,
}

impl NatsServer {
    /// One that encrypts for those who want it.
    pub async fn encrypted(authority: &Authority) -> Self {
        let (certificate, key) = authority.certificate("127.0.0.1");
        let lines = "allow_non_tls: true\ntls { cert_file: \"{folder}/certificate\", key_file: \"{folder}/key\" }\n";
        Self::start_with(lines, &[("certificate", &certificate), ("key", &key)]).await
    }

    async fn start_with(lines: &str, files: &[(&str, &str)]) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let path = folder.path().display().to_string();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let mut configuration = format!(
            "host: 127.0.0.1\nport: {port}\nlog_file: \"{path}/log\"\njetstream {{ store_dir: \"{path}/data\" }}\n\
             authorization {{ user: {USER}, password: {RIGHT} }}\n"
        );
        write!(configuration, "{}", lines.replace("{folder}", &path)).unwrap();
        std::fs::write(folder.path().join("conf"), configuration).unwrap();
        let child = Self::run(port, &folder).await;
        Self { port, folder, child }
    }

    async fn run(port: u16, folder: &TempDir) -> Child {
        let child = spawn(Command::new(find("nats-server")).arg("-c").arg(folder.path().join("conf")));
        eventually("NATS listens", SOON, async || answers(port).await).await;
        child
    }

    pub fn tls_port(&self) -> u16 {
        self.port
    }

    /// A client of ours.
    pub async fn client(port: u16) -> Result<Client, String> {
        let options = ConnectOptions::with_user_and_password(USER.to_owned(), RIGHT.to_owned());
        options.connect(url(port)).await.map_err(|error| error.to_string())
    }
}

fn url(port: u16) -> String {
    format!("nats://127.0.0.1:{port}")
}

impl TestBroker for NatsServer {
    const KIND: &'static str = "nats";
    const REFUSAL: &'static str = "authorization violation";
    // Its consumer is not there yet.
    const NOTES_OF_ANOTHER: usize = 1;

    async fn start() -> Self {
        Self::start_with("", &[]).await
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn source(&self, place: &str, port: u16, password: &str) -> Value {
        json!({"type": "nats", "workers": 1, "nats": {"servers": [url(port)], "stream": place,
            "auth": {"username": USER, "password": password}, "redeliver_after_seconds": 3}})
    }

    async fn make(port: u16, place: &str) {
        let context = jetstream::new(Self::client(port).await.unwrap());
        let config = stream::Config {
            name: place.to_owned(),
            subjects: vec![place.to_owned(), format!("{place}.>")],
            ..stream::Config::default()
        };
        context.create_stream(config).await.unwrap();
    }

    async fn try_publish(port: u16, place: &str, bodies: &[String]) -> Result<(), String> {
        let context = jetstream::new(Self::client(port).await?);
        let mut confirmations = Vec::new();
        for body in bodies {
            let sent = context.publish(place.to_owned(), body.clone().into()).await;
            confirmations.push(sent.map_err(|error| error.to_string())?);
        }
        for confirmation in confirmations {
            confirmation.await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    async fn stop(&mut self) {
        terminate(&mut self.child).await;
    }

    async fn resume(&mut self) {
        self.child = Self::run(self.port, &self.folder).await;
    }
}

#[tokio::test]
async fn the_sources_own_consumer_follows_its_subject_and_goes_with_it() {
    let (server, world) = (NatsServer::start().await, World::new().await);
    NatsServer::make(server.port(), "s").await;
    let mut settings = server.source("s", server.port(), RIGHT);
    settings["nats"]["subject"] = json!("s.eu.*");
    let source_id = world.source(&settings).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    let context = jetstream::new(NatsServer::client(server.port()).await.unwrap());
    context.publish("s.us.paid", numbered(99).into()).await.unwrap().await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("X-Trace", "t");
    headers.insert("traceparent", PARENT);
    headers.insert("x-convoy-message-type", "fanout");
    let body = r#"{"event_type":"a","data":0,"owner_id":"acme"}"#;
    context.publish_with_headers("s.eu.paid", headers, body.into()).await.unwrap().await.unwrap();
    let event = world.wait_for(1).await.remove(0);
    for (name, value) in [("x-trace", "t"), ("x-broker-message-id", "s:2"), ("Posthouse-Traceparent", PARENT)] {
        assert_eq!(event.headers[name], [value]);
    }
    assert_eq!(event.target, posthouse_jobs::EventTarget::Fanout { owner_id: "acme".into() });

    settings["nats"]["subject"] = json!("s.us.*");
    world.set_settings(source_id, &settings).await;
    eventually("the other subject is read", SOON, async || {
        context.publish("s.us.paid", numbered(1).into()).await.unwrap().await.unwrap();
        world.numbers().await.contains(&1)
    })
    .await;
    let mut stream = context.get_stream("s").await.unwrap();
    assert_eq!(stream.info().await.unwrap().state.consumer_count, 1);
    world.delete(source_id).await;
    let gone = async || context.get_stream("s").await.unwrap().cached_info().state.consumer_count == 0;
    eventually("the consumer is gone", SOON, gone).await;
    ingest.stop().await;
}

/// A consumer that its owner named stays when the source goes, and goes on where it was.
#[tokio::test]
async fn an_owners_consumer_is_left_alone() {
    let (server, world) = (NatsServer::start().await, World::new().await);
    NatsServer::make(server.port(), "s").await;
    publish(&server, "s", &[numbered(0)]).await;
    let mut settings = server.source("s", server.port(), RIGHT);
    settings["nats"]["durable"] = json!("mine");
    settings["nats"]["start"] = json!("new");
    let source_id = world.source(&settings).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    publish(&server, "s", &[numbered(1)]).await;
    assert_eq!(world.wait_for_numbers(1..2, SOON).await, [1], "what was there before is not read");
    world.delete(source_id).await;
    eventually("it is left", SOON, async || ingest.metric(&source_id.to_string()).is_none()).await;
    ingest.stop().await;
    publish(&server, "s", &[numbered(2)]).await;
    let next = world.source(&settings).await;
    let ingest = world.ingest().await;
    ingest.connected(next).await;
    assert_eq!(world.wait_for_numbers(1..3, SOON).await, [1, 2]);
    ingest.stop().await;
}
