//! A Redis that holds streams, and what is particular to them as a broker.

use posthouse_jobs::queue::testing::free_port;
use redis::{Client, Cmd, cmd, pipe};
use serde_json::{Value, json};

use crate::{
    authority::Authority,
    broker::{numbered, numbers},
    conformance::{RIGHT, TestBroker, USER, publish},
    program::{SOON, eventually},
    redis_server::RedisServer,
    world::World,
};

pub struct StreamServer {
    server: RedisServer,
    tls_port: u16,
}

impl StreamServer {
    /// With a second port that is encrypted.
    pub async fn encrypted(authority: &Authority) -> Self {
        let (tls_port, (certificate, key)) = (free_port(), authority.certificate("127.0.0.1"));
        let port = tls_port.to_string();
        let options = [
            "--tls-port",
            &port,
            "--tls-cert-file",
            "{folder}/certificate",
            "--tls-key-file",
            "{folder}/key",
            "--tls-ca-cert-file",
            "{folder}/authority",
            "--tls-auth-clients",
            "no",
        ];
        let files = [("certificate", certificate.as_str()), ("key", &key), ("authority", &authority.pem)];
        Self { server: RedisServer::start_with(&[&users()[..], &options].concat(), &files).await, tls_port }
    }

    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    async fn ask<T: redis::FromRedisValue>(&self, command: &Cmd) -> T {
        let mut redis = client(self.port()).get_multiplexed_async_connection().await.unwrap();
        command.query_async(&mut redis).await.unwrap()
    }
}

/// The suite's user, and nobody else.
fn users() -> [&'static str; 12] {
    ["--user", USER, "on", ">right", "~*", "&*", "+@all", "--user", "default", "off", "nopass", "-@all"]
}

fn client(port: u16) -> Client {
    Client::open(format!("redis://{USER}:{RIGHT}@127.0.0.1:{port}")).unwrap()
}

impl TestBroker for StreamServer {
    const KIND: &'static str = "redis";
    const REFUSAL: &'static str = "Password authentication failed";
    const MAKES_PLACES: bool = true;

    async fn start() -> Self {
        Self { server: RedisServer::start_with(&users(), &[]).await, tls_port: 0 }
    }

    fn port(&self) -> u16 {
        self.server.port()
    }

    fn source(&self, place: &str, port: u16, password: &str) -> Value {
        json!({"type": "redis", "workers": 1, "redis": {"host": "127.0.0.1", "port": port, "stream": place,
            "auth": {"username": USER, "password": password}, "redeliver_after_seconds": 3}})
    }

    async fn make(_port: u16, _place: &str) {}

    async fn try_publish(port: u16, place: &str, bodies: &[String]) -> Result<(), String> {
        let mut all = pipe();
        for body in bodies {
            all.cmd("XADD").arg(place).arg("*").arg("body").arg(body).ignore();
        }
        let mut redis = client(port).get_multiplexed_async_connection().await.map_err(|error| error.to_string())?;
        all.query_async(&mut redis).await.map_err(|error| error.to_string())
    }

    async fn stop(&mut self) {
        self.server.stop().await;
    }

    async fn resume(&mut self) {
        self.server.resume().await;
    }
}

#[tokio::test]
async fn the_other_fields_of_an_entry_are_headers() {
    let (server, world) = (StreamServer::start().await, World::new().await);
    let source_id = world.source(&server.source("s", server.port(), RIGHT)).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    let body = r#"{"event_type":"a","data":1}"#;
    let add = cmd("XADD")
        .arg("s")
        .arg("7-1")
        .arg("x-convoy-message-type")
        .arg("broadcast")
        .arg("body")
        .arg(body)
        .arg("X-Trace")
        .arg("t")
        .to_owned();
    let _: String = server.ask(&add).await;
    let bodiless = cmd("XADD").arg("s").arg("7-2").arg("other").arg("1").to_owned();
    let _: String = server.ask(&bodiless).await;
    let event = world.wait_for(1).await.remove(0);
    for (name, value) in [("x-trace", "t"), ("X-Trace", "t"), ("x-broker-message-id", "7-1")] {
        assert_eq!(event.headers[name], [value]);
    }
    let refused = "ingest_rejected_total{source_kind=\"redis\",reason=\"missing_field\"}";
    eventually("the other is refused", SOON, async || ingest.metric(refused) == Some(1.0)).await;
    ingest.stop().await;
}

#[tokio::test]
async fn a_group_goes_with_its_source_and_a_consumer_with_its_instance() {
    let (server, world) = (StreamServer::start().await, World::new().await);
    let source_id = world.source(&server.source("s", server.port(), RIGHT)).await;
    let group = format!("posthouse-{source_id}");
    let consumers = cmd("XINFO").arg("CONSUMERS").arg("s").arg(&group).to_owned();
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    publish(&server, "s", &[numbered(0)]).await;
    world.wait_for_numbers(0..1, SOON).await;
    assert_eq!(server.ask::<Vec<redis::Value>>(&consumers).await.len(), 1);
    ingest.stop().await;
    assert_eq!(server.ask::<Vec<redis::Value>>(&consumers).await.len(), 0);
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    world.delete(source_id).await;
    let groups = cmd("XINFO").arg("GROUPS").arg("s").to_owned();
    eventually("the group is gone", SOON, async || server.ask::<Vec<redis::Value>>(&groups).await.is_empty()).await;
    ingest.stop().await;
}

/// Entries that somebody read and never answered are given to the source when their time is over.
#[tokio::test]
async fn what_a_dead_consumer_left_is_taken_over() {
    let (server, world) = (StreamServer::start().await, World::new().await);
    publish(&server, "s", &numbers(0..300)).await;
    let settings = server.source("s", server.port(), RIGHT);
    let source_id = world.source(&settings).await;
    let group = format!("posthouse-{source_id}");
    let _: String = server.ask(&cmd("XGROUP").arg("CREATE").arg("s").arg(&group).arg("0").to_owned()).await;
    let read = cmd("XREADGROUP").arg("GROUP").arg(&group).arg("dead").arg("STREAMS").arg("s").arg(">").to_owned();
    let _: redis::Value = server.ask(&read).await;
    let _: i64 = server.ask(&cmd("XTRIM").arg("s").arg("MAXLEN").arg(299).to_owned()).await;
    let ingest = world.ingest().await;
    assert_eq!(world.wait_for_numbers(1..300, SOON).await.len(), 299);
    let pending = cmd("XPENDING").arg("s").arg(&group).to_owned();
    eventually("all is answered, the deleted one too", SOON, async || {
        matches!(server.ask::<redis::Value>(&pending).await, redis::Value::Array(all) if all.first() == Some(&redis::Value::Int(0)))
    })
    .await;
    ingest.stop().await;
}
