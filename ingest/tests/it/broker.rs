//! A Mosquitto of the test's own, and a client that publishes to it.

use std::{fmt::Write as _, process::Stdio, time::Duration};

use posthouse_jobs::queue::testing::free_port;
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, Outgoing, QoS};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    conformance::{RIGHT, TestBroker, USER},
    program::{SOON, answers, eventually, find, spawn, terminate},
};

/// A broker on loopback that keeps its sessions on disk.
pub struct Broker {
    pub port: u16,
    folder: TempDir,
    child: Child,
}

impl Broker {
    /// Anybody may connect.
    pub async fn start() -> Self {
        Self::start_with("allow_anonymous true\n", &[]).await
    }

    /// With more lines of configuration and files that these name by `{folder}/`.
    pub async fn start_with(configuration: &str, files: &[(&str, &str)]) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let path = folder.path().display().to_string();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let mut lines = format!(
            "user root\nlistener {port} 127.0.0.1\npersistence true\npersistence_location {path}/\n\
             log_dest file {path}/log\nlog_type all\nmax_queued_messages 100000\n"
        );
        write!(lines, "{}", configuration.replace("{folder}", &path)).unwrap();
        std::fs::write(folder.path().join("conf"), lines).unwrap();
        let child = Self::run(port, &folder).await;
        Self { port, folder, child }
    }

    async fn run(port: u16, folder: &TempDir) -> Child {
        let child =
            spawn(Command::new(find("mosquitto")).arg("-c").arg(folder.path().join("conf")).stderr(Stdio::null()));
        eventually("Mosquitto listens", SOON, async || answers(port).await).await;
        child
    }

    /// Stops it; sessions and what they hold stay on disk.
    pub async fn stop(&mut self) {
        terminate(&mut self.child).await;
    }

    /// Starts it again after [`Broker::stop`].
    pub async fn resume(&mut self) {
        self.child = Self::run(self.port, &self.folder).await;
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// `pub_sub` of a source that reads this topic with QoS 1.
    pub fn source(&self, topic: &str) -> Value {
        json!({"type": "mqtt", "workers": 1, "mqtt": {"host": "127.0.0.1", "port": self.port, "topic": topic, "qos": 1}})
    }

    /// The same with more settings.
    pub fn source_with(&self, topic: &str, more: &Value) -> Value {
        let mut source = self.source(topic);
        source["mqtt"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        source
    }

    pub fn options(&self, client_id: &str) -> MqttOptions {
        let mut options = MqttOptions::new(client_id, "127.0.0.1", self.port);
        options.set_max_packet_size(16 << 20, 16 << 20);
        // Mosquitto drops QoS 2 messages of a publisher that has more than 20 under way.
        options.set_inflight(10);
        options
    }

    /// Publishes with QoS 1 and returns when the broker has all.
    pub async fn publish(&self, topic: &str, bodies: &[String]) {
        publish(self.options("publisher"), topic, bodies, QoS::AtLeastOnce, false).await;
    }

    /// Leaves a state on the topic.
    pub async fn publish_retained(&self, topic: &str, body: &str) {
        publish(self.options("publisher"), topic, &[body.to_owned()], QoS::AtLeastOnce, true).await;
    }
}

/// Publishes and returns when the broker has all.
pub async fn publish(options: MqttOptions, topic: &str, bodies: &[String], qos: QoS, retain: bool) {
    let published = try_publish(options, topic, bodies, qos, retain);
    tokio::time::timeout(Duration::from_secs(60), published).await.expect("the broker takes messages").unwrap();
}

async fn try_publish(
    mut options: MqttOptions,
    topic: &str,
    bodies: &[String],
    qos: QoS,
    retain: bool,
) -> Result<(), String> {
    options.set_client_id(format!("publisher-{:x}", rand::random::<u64>()));
    let (client, mut events) = AsyncClient::new(options, bodies.len() + 10);
    for body in bodies {
        client.try_publish(topic, qos, retain, body.as_bytes()).unwrap();
    }
    all_sent(&mut events, bodies.len(), qos).await?;
    client.try_disconnect().unwrap();
    while let Ok(event) = events.poll().await {
        if event == Event::Outgoing(Outgoing::Disconnect) {
            break;
        }
    }
    Ok(())
}

async fn all_sent(events: &mut EventLoop, mut open: usize, qos: QoS) -> Result<(), String> {
    while open > 0 {
        let is_one = match events.poll().await.map_err(|error| error.to_string())? {
            Event::Incoming(Incoming::PubAck(_)) => qos == QoS::AtLeastOnce,
            Event::Incoming(Incoming::PubComp(_)) => qos == QoS::ExactlyOnce,
            Event::Outgoing(Outgoing::Publish(_)) => qos == QoS::AtMostOnce,
            _ => false,
        };
        open -= usize::from(is_one);
    }
    Ok(())
}

/// The lines of a Mosquitto password file.
pub async fn password_file(users: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwords");
    std::fs::write(&path, "").unwrap();
    for (user, password) in users {
        let made = Command::new(find("mosquitto_passwd")).arg("-b").arg(&path).args([user, password]).status();
        assert!(made.await.unwrap().success());
    }
    std::fs::read_to_string(path).unwrap()
}

impl TestBroker for Broker {
    const KIND: &'static str = "mqtt";
    const REFUSAL: &'static str = "NotAuthorized";
    const IS_DEALT_OUT: bool = false;
    const NAMES_MESSAGES: bool = false;
    const TELLS_LAG: bool = false;
    const MAKES_PLACES: bool = true;

    async fn start() -> Self {
        let passwords = password_file(&[(USER, RIGHT)]).await;
        Self::start_with("allow_anonymous false\npassword_file {folder}/passwords\n", &[("passwords", &passwords)])
            .await
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn source(&self, place: &str, port: u16, password: &str) -> Value {
        self.source_with(place, &json!({"port": port, "username": USER, "password": password}))
    }

    async fn make(_port: u16, _place: &str) {}

    async fn try_publish(port: u16, place: &str, bodies: &[String]) -> Result<(), String> {
        let mut options = MqttOptions::new("publisher", "127.0.0.1", port);
        options.set_credentials(USER, RIGHT).set_inflight(10);
        try_publish(options, place, bodies, QoS::AtLeastOnce, false).await
    }

    async fn stop(&mut self) {
        self.stop().await;
    }

    async fn resume(&mut self) {
        self.resume().await;
    }
}

/// A broadcast message; the number is its data.
pub fn numbered(number: usize) -> String {
    format!(
        r#"{{"event_type":"test.counted","data":{number},"custom_headers":{{"x-convoy-message-type":"broadcast"}}}}"#
    )
}

/// Messages with these numbers.
pub fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(numbered).collect()
}
