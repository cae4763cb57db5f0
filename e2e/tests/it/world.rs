//! A system of one test: private services, a migrated database, a project, and a receiver inside the test. Everything
//! ends with it.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use posthouse_e2e::{
    client::Client, deployment::Deployment, ground::Ground, network, receiver::Summary, services::Durability,
};
use serde_json::Value;
use tokio::process::Command;

/// `.posthouse/` of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.posthouse")
}

/// Services, a project and a receiver of this test.
pub async fn ground(name: &str) -> Ground {
    rustls::crypto::ring::default_provider().install_default().ok();
    Ground::start(&root(), name, Durability::Relaxed).await.unwrap()
}

/// A running system. The roles end first.
pub struct World {
    pub deployment: Deployment,
    pub client: Client,
    pub ground: Ground,
}

impl World {
    pub async fn start(name: &str) -> Self {
        let ground = ground(name).await;
        let (deployment, client) = ground.roles().await.unwrap();
        Self { deployment, client, ground }
    }

    pub async fn endpoint(&self, name: &str) -> String {
        self.ground.endpoint(&self.client, name).await.unwrap()
    }

    pub fn received(&self) -> Summary {
        self.ground.receiver.ledger().summary("/")
    }

    /// Waits until every delivery has succeeded and there are so many.
    pub async fn wait_for_successes(&self, count: usize, limit: Duration) -> Vec<Value> {
        eventually(limit, &format!("{count} deliveries end in Success"), async || {
            let deliveries = self.client.list("eventdeliveries").await.map_err(|error| format!("{error:#}"))?;
            let open: Vec<_> = deliveries.iter().filter(|delivery| delivery["status"] != "Success").collect();
            if open.is_empty() && deliveries.len() == count {
                return Ok(deliveries);
            }
            Err(format!("{} deliveries, {} open, such as {:?}", deliveries.len(), open.len(), open.first()))
        })
        .await
    }

    /// Stops everything in good order, and fails if that takes too long.
    pub async fn stop(self) {
        self.deployment.stop().await.unwrap();
        self.ground.stage.stop().await.unwrap();
    }
}

/// What a command writes; fails where the command does, or takes longer than `limit`.
pub async fn output(mut command: Command, limit: Duration) -> String {
    let running = command.kill_on_drop(true).output();
    let output = tokio::time::timeout(limit, running).await.expect("it ends within its limit").unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {text}", output.status);
    text
}

/// Runs the test of this name in a network of its own, as which this program runs again. Where the machine allows none, it says
/// so past the harness, which shows nothing of a test that passes.
pub async fn in_own_network(name: &str, limit: Duration, test: impl Future<Output = ()>) {
    if network::is_inside() {
        return test.await;
    }
    if let Some(why) = network::refusal().await {
        std::io::stderr().write_all(format!("\n{name}: NOT RUN: {why}\n\n").as_bytes()).unwrap();
        return;
    }
    let mut command = network::command(&std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]);
    let said = output(command, limit).await;
    assert!(said.contains("1 passed"), "{said}");
}

/// Asks until the answer is `Ok`; fails with the last `Err` when `limit` has passed.
pub async fn eventually<T>(limit: Duration, what: &str, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(last) if start.elapsed() > limit => {
                panic!("{what}: not within {limit:?}; last seen: {last}")
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
