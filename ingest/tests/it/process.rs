//! The real binary: it starts, answers its probes, and drains on SIGTERM. What SIGKILL does, the conformance suite shows.

use std::{net::SocketAddr, time::Duration};

use posthouse_jobs::queue::testing::free_port;
use tokio::process::{Child, Command};

use crate::{
    broker::{Broker, numbers},
    program::{SOON, eventually, spawn, terminate},
    world::World,
};

/// Ingest as operators run it.
pub struct Process {
    child: Child,
    listen: SocketAddr,
}

impl Process {
    pub fn start(world: &World) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let child = spawn(&mut command(world, listen));
        Self { child, listen }
    }

    async fn get(&self, path: &str) -> Option<(u16, String)> {
        let answer = reqwest::Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .get(format!("http://{}{path}", self.listen))
            .send()
            .await
            .ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM, and its end.
    pub async fn stop(mut self) {
        assert!(terminate(&mut self.child).await.success());
    }

    pub async fn consumes(&self) {
        eventually("ingest consumes", SOON, async || {
            self.get("/metrics").await.is_some_and(|(_, text)| {
                text.lines().any(|line| line.contains("ingest_connected{") && line.ends_with(" 1"))
            })
        })
        .await;
    }
}

fn command(world: &World, listen: SocketAddr) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_posthouse-ingest"));
    command
        .env_clear()
        .env("POSTHOUSE_DATABASE_URL", world.database.url())
        .env("POSTHOUSE_REDIS_URL", world.queues.url())
        .env("POSTHOUSE_REDIS_PREFIX", world.queues.prefix())
        .env("POSTHOUSE_INGEST_LISTEN", listen.to_string())
        .args(["--poll-interval", "1s", "--drain-timeout", "10s"]);
    command
}

#[tokio::test]
async fn probes_answer_and_sigterm_drains_without_a_loss() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let (broker, world) = (Broker::start().await, World::new().await);
    world.source(&broker.source("t")).await;
    let mut process = Process::start(&world);
    process.consumes().await;
    assert_eq!(process.get("/healthz").await.unwrap().0, 200);
    let (status, body) = process.get("/readyz").await.unwrap();
    assert_eq!(status, 200, "{body}");
    let publishing = async { broker.publish("t", &numbers(0..2000)).await };
    let stopping = async {
        eventually("messages flow", SOON, async || !world.events().await.is_empty()).await;
        assert!(terminate(&mut process.child).await.success());
        let log = broker.log();
        assert!(
            log.lines().any(|line| line.contains("Received DISCONNECT from posthouse-")),
            "it leaves in good order"
        );
    };
    tokio::join!(publishing, stopping);
    let drained = world.numbers().await.len();
    let process = Process::start(&world);
    process.consumes().await;
    let numbers = world.wait_for_numbers(0..2000, Duration::from_secs(40)).await;
    assert_eq!(numbers.len(), 2000, "{drained} were accepted before the stop and none of them came again");
}

#[tokio::test]
async fn an_unreachable_redis_refuses_the_start() {
    let world = World::new().await;
    let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let output = command(&world, listen).env("POSTHOUSE_REDIS_URL", "redis://127.0.0.1:1").output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Redis cannot be reached"));
}

#[tokio::test]
async fn a_database_without_migrations_refuses_the_start() {
    let world = World::new().await;
    let empty = posthouse_schema::testing::TestDatabase::create_empty().await;
    let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let output = command(&world, listen).env("POSTHOUSE_DATABASE_URL", empty.url()).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("posthouse migrate"));
}
