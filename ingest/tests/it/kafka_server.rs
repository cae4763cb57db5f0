//! A Kafka of the test's own, of one node. Its programs come from Maven: `just kafka` puts them into `.tools/kafka`.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use krafka::{
    Kafka, Record,
    admin::{CreateTopicsOptions, NewTopic},
    auth::AuthConfig,
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
    program::{answers, eventually, find, spawn, terminate},
    proxy::Proxy,
    world::World,
};

const JARS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/kafka/jars/*");
/// Longest wait for its start, on a machine that is busy with other tests.
const START_MAX: Duration = Duration::from_secs(90);
const PARTITIONS: i32 = 3;
const LOGIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule required";

pub struct KafkaServer {
    port: u16,
    proxied_port: u16,
    proxy_port: u16,
    tls_port: u16,
    folder: TempDir,
    child: Child,
}

impl KafkaServer {
    /// With another port that is encrypted.
    pub async fn encrypted(authority: &Authority) -> Self {
        let (certificate, key) = authority.certificate("127.0.0.1");
        let lines =
            "listener.name.secure.ssl.keystore.type=PEM\nlistener.name.secure.ssl.keystore.location={folder}/keys\n";
        Self::start_with(lines, &[("keys", &format!("{key}{certificate}"))]).await
    }

    async fn start_with(lines: &str, files: &[(&str, &str)]) -> Self {
        let (port, proxied_port, proxy_port, tls_port) = (free_port(), free_port(), free_port(), free_port());
        let (control_port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let path = folder.path().display().to_string();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        // Clients go where the listener by which they come says, so what passes through a proxy has one of its own.
        let mut listeners = format!("DIRECT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxied_port}");
        let mut advertised = format!("DIRECT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxy_port}");
        if !lines.is_empty() {
            listeners += &format!(",SECURE://127.0.0.1:{tls_port}");
            advertised += &format!(",SECURE://127.0.0.1:{tls_port}");
        }
        let logins: String = ["direct", "proxied", "secure"]
            .map(|name| {
                format!(
                    "listener.name.{name}.plain.sasl.jaas.config={LOGIN} username=\"{USER}\" password=\"{RIGHT}\" user_{USER}=\"{RIGHT}\";\n"
                )
            })
            .concat();
        let properties = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{control_port}\n\
             controller.listener.names=CONTROLLER\nlisteners={listeners},CONTROLLER://127.0.0.1:{control_port}\n\
             advertised.listeners={advertised}\ninter.broker.listener.name=DIRECT\n\
             listener.security.protocol.map=DIRECT:SASL_PLAINTEXT,PROXIED:SASL_PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT\n\
             sasl.enabled.mechanisms=PLAIN\nsasl.mechanism.inter.broker.protocol=PLAIN\n{logins}\
             log.dirs={path}/data\noffsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\n{}",
            lines.replace("{folder}", &path)
        );
        std::fs::write(folder.path().join("properties"), properties).unwrap();
        let mut format = java("kafka.tools.StorageTool");
        format.args(["format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c"]).arg(folder.path().join("properties"));
        assert!(spawn(&mut format).wait().await.unwrap().success(), "the storage can be made; `just kafka` was run");
        let child = Self::run(port, folder.path()).await;
        Self { port, proxied_port, proxy_port, tls_port, folder, child }
    }

    async fn run(port: u16, folder: &Path) -> Child {
        let child = spawn(java("kafka.Kafka").arg(folder.join("properties")).current_dir(folder));
        eventually("Kafka listens", START_MAX, async || answers(port).await).await;
        child
    }

    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    async fn client(port: u16) -> krafka::Result<Kafka> {
        let security = AuthConfig::sasl_plain(USER, RIGHT);
        Kafka::builder(format!("127.0.0.1:{port}")).security(security).connect().await
    }

    async fn make_topic(port: u16, name: &str) -> krafka::Result<()> {
        let topic = NewTopic::new(name, PARTITIONS, 1)?;
        let made = Self::client(port).await?.admin().create_topics([topic], CreateTopicsOptions::default()).await?;
        made.into_values().collect()
    }

    async fn publish(port: u16, place: &str, bodies: &[String]) -> krafka::Result<()> {
        let producer = Self::client(port).await?.producer().build().await?;
        let mut confirmations = Vec::new();
        for body in bodies {
            confirmations.push(producer.enqueue(Record::new(place, body.clone())).await?);
        }
        for confirmation in confirmations {
            confirmation.await.map(drop)?;
        }
        producer.close().await
    }
}

/// A small Java machine that runs this program of Kafka's.
fn java(program: &str) -> Command {
    let mut command = Command::new(find("java"));
    command.args(["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", JARS, program]);
    command.stderr(Stdio::null());
    command
}

impl TestBroker for KafkaServer {
    const KIND: &'static str = "kafka";
    const REFUSAL: &'static str = "Authentication failed";

    async fn start() -> Self {
        Self::start_with("", &[]).await
    }

    fn port(&self) -> u16 {
        self.port
    }

    async fn proxy(&self) -> Proxy {
        Proxy::on(self.proxy_port, self.proxied_port).await
    }

    fn source(&self, place: &str, port: u16, password: &str) -> Value {
        json!({"type": "kafka", "workers": 1, "kafka": {"brokers": [format!("127.0.0.1:{port}")], "topic_name": place,
            "auth": {"type": "plain", "username": USER, "password": password}}})
    }

    async fn make(port: u16, place: &str) {
        // It listens before it can do this.
        let deadline = Instant::now() + START_MAX;
        while Self::make_topic(port, place).await.is_err() {
            assert!(Instant::now() < deadline, "the topic is made");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn try_publish(port: u16, place: &str, bodies: &[String]) -> Result<(), String> {
        Self::publish(port, place, bodies).await.map_err(|error| error.to_string())
    }

    async fn stop(&mut self) {
        terminate(&mut self.child).await;
    }

    async fn resume(&mut self) {
        self.child = Self::run(self.port, self.folder.path()).await;
    }
}

#[tokio::test]
async fn a_missing_topic_is_waited_for_and_keys_and_headers_go_along() {
    let (server, world) = (KafkaServer::start().await, World::new().await);
    KafkaServer::make(server.port(), "there").await;
    let missing = world.source(&server.source("later", server.port(), RIGHT)).await;
    let source_id = world.source(&server.source("there", server.port(), RIGHT)).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    let producer = KafkaServer::client(server.port()).await.unwrap().producer().build().await.unwrap();
    let body = r#"{"event_type":"a","data":0,"owner_id":"acme"}"#;
    let record = Record::new("there", body).key("order-7").header("X-Trace", "t").header("traceparent", PARENT);
    let record = record.header("x-convoy-message-type", "fanout");
    assert_eq!(producer.send(record).await.unwrap().topic, "there");
    let event = world.wait_for(1).await.remove(0);
    let of_message = ("x-broker-message-id", "order-7");
    for (name, value) in [("x-trace", "t"), ("X-Trace", "t"), of_message, ("Posthouse-Traceparent", PARENT)] {
        assert_eq!(event.headers[name], [value]);
    }
    assert_eq!(event.target, posthouse_jobs::EventTarget::Fanout { owner_id: "acme".into() });

    assert!(!ingest.is_connected(missing));
    KafkaServer::make(server.port(), "later").await;
    eventually("the topic is found", START_MAX, async || ingest.is_connected(missing)).await;
    publish(&server, "later", &[numbered(1)]).await;
    let event = world.wait_for(2).await.remove(1);
    assert!(event.headers["x-broker-message-id"][0].starts_with("later:"), "{:?}", event.headers);
    ingest.stop().await;
}
