//! A RabbitMQ of the test's own, with the helper that finds its node.

use std::{process::Stdio, time::Duration};

use lapin::{
    BasicProperties, Confirmation, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};
use posthouse_jobs::queue::testing::free_port;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    authority::Authority,
    conformance::{RIGHT, TestBroker, USER},
    program::{answers, eventually, find, spawn, terminate},
};

/// Longest wait for its start, on a machine that is busy with other tests.
const START_MAX: Duration = Duration::from_secs(120);
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

pub struct RabbitMq {
    port: u16,
    tls_port: u16,
    node_port: u16,
    names_port: u16,
    folder: TempDir,
    child: Child,
    _names: Child,
}

impl RabbitMq {
    /// With a second port that is encrypted.
    pub async fn encrypted(authority: &Authority) -> Self {
        let tls_port = free_port();
        let (certificate, key) = authority.certificate("127.0.0.1");
        let lines = format!(
            "listeners.ssl.1 = 127.0.0.1:{tls_port}\nssl_options.certfile = {{folder}}/certificate\n\
             ssl_options.keyfile = {{folder}}/key\nssl_options.cacertfile = {{folder}}/authority\n\
             ssl_options.verify = verify_none\n"
        );
        let files = [("certificate", certificate.as_str()), ("key", &key), ("authority", &authority.pem)];
        Self::start_with(&lines, &files, tls_port).await
    }

    async fn start_with(lines: &str, files: &[(&str, &str)], tls_port: u16) -> Self {
        let (port, node_port, names_port) = (free_port(), free_port(), free_port());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let configuration = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\ndefault_user = {USER}\ndefault_pass = {RIGHT}\n\
             loopback_users = none\nlog.file = {path}/log\nmanagement_agent.disable_metrics_collector = true\n{}",
            lines.replace("{folder}", &path)
        );
        std::fs::write(folder.path().join("rabbitmq.conf"), configuration).unwrap();
        std::fs::write(folder.path().join("plugins"), "[].").unwrap();
        // Erlang would start one that outlives the test.
        let names = spawn(
            Command::new(find("epmd"))
                .args(["-address", "127.0.0.1", "-port", &names_port.to_string()])
                .stderr(Stdio::null()),
        );
        eventually("nodes can be found", START_MAX, async || answers(names_port).await).await;
        let child = Self::run(port, node_port, names_port, &folder).await;
        Self { port, tls_port, node_port, names_port, folder, child, _names: names }
    }

    async fn run(port: u16, node_port: u16, names_port: u16, folder: &TempDir) -> Child {
        let path = |name: &str| folder.path().join(name);
        let child = spawn(
            Command::new(SERVER)
                .env("HOME", folder.path())
                .env("ERL_EPMD_PORT", names_port.to_string())
                .env("ERL_EPMD_ADDRESS", "127.0.0.1")
                .env("RABBITMQ_NODENAME", "posthouse@localhost")
                .env("RABBITMQ_DIST_PORT", node_port.to_string())
                .env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"))
                .env("RABBITMQ_CONF_ENV_FILE", path("none"))
                .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"))
                .env("RABBITMQ_GENERATED_CONFIG_DIR", path("generated"))
                .env("RABBITMQ_MNESIA_BASE", path("data"))
                .env("RABBITMQ_LOG_BASE", path("logs"))
                .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-setcookie posthouse +S 1:1")
                // So that the program becomes the server instead of starting it and waiting.
                .env("NOTIFY_SOCKET", path("nobody-listens"))
                .stderr(Stdio::null()),
        );
        eventually("RabbitMQ listens", START_MAX, async || answers(port).await).await;
        child
    }

    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// A connection to publish by.
    pub async fn connection(port: u16) -> lapin::Result<Connection> {
        let uri = format!("amqp://{USER}:{RIGHT}@127.0.0.1:{port}/%2f");
        Connection::connect(&uri, ConnectionProperties::default()).await
    }
}

/// Publishes to the queue and waits for the confirmations. Each message has a name of its own, unless the properties have one.
pub async fn publish_to(port: u16, queue: &str, bodies: &[String], properties: BasicProperties) -> lapin::Result<bool> {
    let channel = RabbitMq::connection(port).await?.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut confirmations = Vec::new();
    for body in bodies {
        let options = BasicPublishOptions::default();
        let mut properties = properties.clone();
        if properties.message_id().is_none() {
            properties = properties.with_message_id(format!("m-{:016x}", rand::random::<u64>()).into());
        }
        confirmations.push(channel.basic_publish("".into(), queue.into(), options, body.as_bytes(), properties).await?);
    }
    let mut are_confirmed = true;
    for confirmation in confirmations {
        are_confirmed &= matches!(confirmation.await?, Confirmation::Ack(_));
    }
    Ok(are_confirmed)
}

impl TestBroker for RabbitMq {
    const KIND: &'static str = "amqp";
    const REFUSAL: &'static str = "ACCESS_REFUSED";
    const IS_ONE_QUEUE: bool = true;
    const MAKES_PLACES: bool = true;

    async fn start() -> Self {
        Self::start_with("", &[], 0).await
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn source(&self, place: &str, port: u16, password: &str) -> Value {
        json!({"type": "amqp", "workers": 1, "amqp": {"schema": "amqp", "host": "127.0.0.1", "port": port.to_string(),
            "queue": place, "auth": {"user": USER, "password": password}}})
    }

    async fn make(port: u16, place: &str) {
        let channel = Self::connection(port).await.unwrap().create_channel().await.unwrap();
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(place.into(), durable, FieldTable::default()).await.unwrap();
    }

    async fn try_publish(port: u16, place: &str, bodies: &[String]) -> Result<(), String> {
        match publish_to(port, place, bodies, BasicProperties::default().with_delivery_mode(2)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err("not confirmed".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn stop(&mut self) {
        terminate(&mut self.child).await;
    }

    async fn resume(&mut self) {
        self.child = Self::run(self.port, self.node_port, self.names_port, &self.folder).await;
    }
}
