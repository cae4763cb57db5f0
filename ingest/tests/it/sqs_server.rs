//! An Amazon SQS of the test's own: ElasticMQ, which keeps its messages in files, behind a check of signatures. It comes from
//! Maven: `just sqs` puts it into `.tools/sqs`.

use std::{path::Path, process::Stdio, sync::Arc, time::Duration};

use posthouse_jobs::{
    CreateEvent, Job as _,
    queue::{JobRecord, JobState, testing::free_port},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    authority::Authority,
    broker::numbered,
    conformance::{RIGHT, TestBroker, publish},
    program::{SOON, answers, eventually, find, spawn, terminate_within},
    sqs_gate::{Gate, client},
    world::World,
};

const JARS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/sqs/jars/*");
/// Longest wait for its start, on a machine that is busy with other tests.
const START_MAX: Duration = Duration::from_secs(90);
/// How long its end may take. It may wait for a request for ever, long after its database was closed.
const GRACE: Duration = Duration::from_secs(10);
const KEY_ID: &str = "AKIDTEST";
/// Most messages of one request.
const REQUEST_MAX: usize = 10;

pub struct SqsServer {
    port: u16,
    inner_port: u16,
    tls: Option<(u16, TlsAcceptor)>,
    folder: TempDir,
    child: Child,
    gates: Vec<JoinHandle<()>>,
}

impl SqsServer {
    /// With another port that is encrypted.
    pub async fn encrypted(authority: &Authority) -> Self {
        let (certificate, key) = authority.certificate("127.0.0.1");
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        Self::start_with(Some((free_port(), TlsAcceptor::from(Arc::new(config))))).await
    }

    async fn start_with(tls: Option<(u16, TlsAcceptor)>) -> Self {
        let (port, inner_port, folder) = (free_port(), free_port(), tempfile::tempdir().unwrap());
        let path = folder.path().display();
        let configuration = format!(
            "include classpath(\"application.conf\")\n\
             rest-sqs {{ bind-hostname = \"127.0.0.1\", bind-port = {inner_port}, sqs-limits = strict }}\n\
             rest-stats {{ enabled = false }}\n\
             queues-storage {{ enabled = true, path = \"{path}/queues\" }}\n\
             messages-storage {{ enabled = true, uri = \"jdbc:h2:{path}/messages\" }}\n"
        );
        std::fs::write(folder.path().join("conf"), configuration).unwrap();
        let child = Self::run(inner_port, folder.path()).await;
        let mut server = Self { port, inner_port, tls, folder, child, gates: Vec::new() };
        server.open().await;
        server
    }

    async fn run(port: u16, folder: &Path) -> Child {
        let mut command = Command::new(find("java"));
        command.args(["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", JARS]);
        command.arg(format!("-Dconfig.file={}/conf", folder.display())).arg("org.elasticmq.server.Main");
        let child = spawn(command.current_dir(folder).stderr(Stdio::null()));
        eventually("ElasticMQ listens; `just sqs` was run", START_MAX, async || answers(port).await).await;
        child
    }

    async fn open(&mut self) {
        let gate = Gate { access_key_id: KEY_ID, secret_key: RIGHT, target: self.inner_port };
        self.gates.push(gate.clone().open(self.port, None).await);
        if let Some((port, tls)) = &self.tls {
            self.gates.push(gate.open(*port, Some(tls.clone())).await);
        }
    }

    pub fn tls_port(&self) -> u16 {
        self.tls.as_ref().unwrap().0
    }

    /// Does this by the public protocol, without a key.
    pub async fn ask(port: u16, action: &str, body: &Value) -> Result<Value, String> {
        let http = client();
        let asked =
            http.post(format!("http://127.0.0.1:{port}/")).header("x-amz-target", format!("AmazonSQS.{action}"));
        let asked = asked.header("content-type", "application/x-amz-json-1.0").body(body.to_string());
        let answer = asked.send().await.map_err(|error| error.to_string())?;
        let is_success = answer.status().is_success();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        match is_success {
            true => serde_json::from_str(&text).map_err(|error| error.to_string()),
            false => Err(text),
        }
    }

    /// How many messages the queue has, with those that somebody is working on.
    async fn left(&self, queue: &str) -> u64 {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let asked = json!({"QueueUrl": url(queue), "AttributeNames": names});
        let answer = Self::ask(self.inner_port, "GetQueueAttributes", &asked).await.unwrap();
        names.iter().map(|name| answer["Attributes"][name].as_str().unwrap().parse::<u64>().unwrap()).sum()
    }
}

/// The service goes by the path alone.
fn url(queue: &str) -> String {
    format!("http://127.0.0.1/000000000000/{queue}")
}

impl TestBroker for SqsServer {
    const KIND: &'static str = "sqs";
    const REFUSAL: &'static str = "InvalidSignatureException";
    const IS_ONE_QUEUE: bool = true;
    const TELLS_LAG: bool = false;

    async fn start() -> Self {
        Self::start_with(None).await
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn source(&self, place: &str, port: u16, password: &str) -> Value {
        json!({"type": "sqs", "workers": 1, "sqs": {"access_key_id": KEY_ID, "secret_key": password,
            "default_region": "eu-central-1", "queue_name": place, "endpoint": format!("http://127.0.0.1:{port}"),
            "redeliver_after_seconds": 6}})
    }

    async fn make(port: u16, place: &str) {
        Self::ask(port, "CreateQueue", &json!({"QueueName": place})).await.unwrap();
    }

    async fn try_publish(port: u16, place: &str, bodies: &[String]) -> Result<(), String> {
        for bodies in bodies.chunks(REQUEST_MAX) {
            let entry = |(at, body): (usize, &String)| json!({"Id": at.to_string(), "MessageBody": body});
            let entries: Vec<Value> = bodies.iter().enumerate().map(entry).collect();
            let sent =
                Self::ask(port, "SendMessageBatch", &json!({"QueueUrl": url(place), "Entries": entries})).await?;
            if sent["Successful"].as_array().map(Vec::len) != Some(bodies.len()) {
                return Err(sent.to_string());
            }
        }
        Ok(())
    }

    async fn stop(&mut self) {
        for gate in self.gates.drain(..) {
            gate.abort();
            gate.await.ok();
        }
        terminate_within(&mut self.child, GRACE).await;
    }

    async fn resume(&mut self) {
        self.child = Self::run(self.inner_port, self.folder.path()).await;
        self.open().await;
    }
}

impl Drop for SqsServer {
    fn drop(&mut self) {
        for gate in &self.gates {
            gate.abort();
        }
    }
}

#[tokio::test]
async fn a_missing_queue_is_waited_for_and_attributes_go_along() {
    let (server, world) = (SqsServer::start().await, World::new().await);
    let mut settings = server.source("later", server.port(), RIGHT);
    // By its URL, as the service's console shows it.
    settings["sqs"]["queue_name"] = json!("https://sqs.eu-central-1.amazonaws.com/000000000000/later");
    let source_id = world.source(&settings).await;
    let ingest = world.ingest().await;
    SqsServer::make(server.port(), "later").await;
    eventually("the queue is found", START_MAX, async || ingest.is_connected(source_id)).await;
    let body = r#"{"event_type":"a","data":0,"owner_id":"acme"}"#;
    let text = |value: &str| json!({"DataType": "String", "StringValue": value});
    let sent = json!({"QueueUrl": url("later"), "MessageBody": body, "MessageAttributes": {"X-Trace": text("t"),
        "x-convoy-message-type": text("fanout"), "x-bytes": {"DataType": "Binary", "BinaryValue": "Yg=="}}});
    let sent = SqsServer::ask(server.port(), "SendMessage", &sent).await.unwrap();
    let event = world.wait_for(1).await.remove(0);
    for (name, value) in
        [("x-trace", "t"), ("X-Trace", "t"), ("x-broker-message-id", sent["MessageId"].as_str().unwrap())]
    {
        assert_eq!(event.headers[name], [value]);
    }
    assert!(!event.headers.contains_key("x-bytes"));
    assert_eq!(event.target, posthouse_jobs::EventTarget::Fanout { owner_id: "acme".into() });

    publish(&server, "later", &["no json".to_owned()]).await;
    let refused = world.wait_for_rejected(1).await.remove(0);
    assert_eq!(refused.metadata["receive_count"], "1");
    eventually("it is deleted", SOON, async || server.left("later").await == 0).await;
    ingest.stop().await;
}

/// A queue with groups brings each group's messages in their sequence, also where two read it and one is refused.
#[tokio::test]
async fn groups_keep_their_sequence() {
    let (server, world) = (SqsServer::start().await, World::new().await);
    let attributes = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    let made = json!({"QueueName": "orders.fifo", "Attributes": attributes});
    SqsServer::ask(server.port(), "CreateQueue", &made).await.unwrap();
    for start in (0..60).step_by(REQUEST_MAX) {
        let entry = |number: usize| {
            let body = if number == 7 { "no json".to_owned() } else { numbered(number) };
            json!({"Id": number.to_string(), "MessageBody": body, "MessageGroupId": format!("g{}", number % 3)})
        };
        let entries: Vec<Value> = (start..start + REQUEST_MAX).map(entry).collect();
        let sent = json!({"QueueUrl": url("orders.fifo"), "Entries": entries});
        SqsServer::ask(server.port(), "SendMessageBatch", &sent).await.unwrap();
    }
    let mut settings = server.source("orders.fifo", server.port(), RIGHT);
    settings["workers"] = json!(2);
    settings["sqs"]["redeliver_after_seconds"] = json!(60);
    world.source(&settings).await;
    let ingest = world.ingest().await;
    world.wait_for(59).await;
    let page = world.queues.view(CreateEvent::QUEUE).page(JobState::Ready, 0, 100).await.unwrap();
    let number = |job: &JobRecord| {
        let event: CreateEvent = serde_json::from_slice(&job.payload).unwrap();
        event.data.get().parse::<usize>().unwrap()
    };
    let as_pushed: Vec<usize> = page.iter().map(number).collect();
    for group in 0..3 {
        let of_group: Vec<usize> = as_pushed.iter().copied().filter(|number| number % 3 == group).collect();
        let expected: Vec<usize> = (0..60).filter(|number| number % 3 == group && *number != 7).collect();
        assert_eq!(of_group, expected);
    }
    eventually("all are deleted", SOON, async || server.left("orders.fifo").await == 0).await;
    ingest.stop().await;
}
