//! A system of one test: private services, a migrated database, a project, and a receiver inside the test. Everything
//! ends with it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use posthouse_e2e::{
    client::Client,
    deployment::{Deployment, Shared, allow_port},
    folder::RunFolder,
    operator::{Operator, Tenant},
    ports,
    receiver::{Receiver, Summary},
    role::binaries,
    services::Durability,
    stage::{Given, Stage},
};
use serde_json::{Value, json};

/// `.posthouse/` of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.posthouse")
}

/// Services with a migrated database and a project, before any role runs.
pub struct Ground {
    pub stage: Stage,
    pub tenant: Tenant,
    pub shared: Shared,
    pub receiver: Receiver,
    pub receiver_address: SocketAddr,
    _folder: RunFolder,
}

impl Ground {
    pub async fn new(name: &str) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = RunFolder::create(&root(), name).unwrap();
        let stage = Stage::start(&folder, Given::default(), Durability::Relaxed).await.unwrap();
        let binaries = binaries().unwrap();
        let operator =
            Operator { binaries: &binaries, database_url: stage.database_url(), redis_url: stage.redis_url() };
        operator.migrate().await.unwrap();
        let config = json!({
            "add_event_id_trace_headers": true,
            "strategy": {"type": "linear", "duration": 1, "retry_count": 60},
        });
        let tenant = operator.bootstrap("Tests", name, Some(&config)).await.unwrap();
        let (receiver, receiver_address) = (Receiver::default(), ports::free().unwrap());
        receiver.listen(receiver_address).await.unwrap();
        let shared = Shared {
            binaries: binaries.clone(),
            logs: folder.logs().into(),
            database_url: stage.database_url().into(),
            redis_url: stage.redis_url().into(),
            egress_allow: vec![allow_port(receiver_address.port())],
            extra: Vec::new(),
        };
        Self { stage, tenant, shared, receiver, receiver_address, _folder: folder }
    }

    pub async fn with_roles(self) -> World {
        let deployment = Deployment::start(&self.shared).await.unwrap();
        let url = format!("http://{}", deployment.api);
        let client = Client::new(&url, &self.tenant.project_id, &self.tenant.api_key).unwrap();
        World { deployment, client, ground: self }
    }
}

/// A running system. The roles end first.
pub struct World {
    pub deployment: Deployment,
    pub client: Client,
    pub ground: Ground,
}

impl World {
    pub async fn start(name: &str) -> Self {
        Ground::new(name).await.with_roles().await
    }

    /// An endpoint at the receiver's `/ok/NAME`, verified, with a subscription to everything.
    pub async fn endpoint(&self, name: &str) -> String {
        let path = format!("/ok/{name}");
        let secret = format!("secret of {name}");
        self.ground.receiver.set_secret(&path, &secret);
        let url = format!("http://{}{path}", self.ground.receiver_address);
        let id = self.client.create("endpoints", &json!({"name": name, "url": url, "secret": secret})).await.unwrap();
        let filter = json!({"event_types": ["*"]});
        let subscription = json!({"name": name, "endpoint_id": id, "filter_config": filter});
        self.client.create("subscriptions", &subscription).await.unwrap();
        id
    }

    pub fn received(&self) -> Summary {
        self.ground.receiver.ledger().summary("/")
    }

    /// Waits until so many different events have been accepted by the receiver.
    pub async fn wait_for_events(&self, count: usize, limit: Duration) -> Summary {
        eventually(limit, &format!("{count} events arrive"), async || {
            let summary = self.received();
            if summary.idempotency_keys >= count { Ok(summary) } else { Err(format!("{summary:?}")) }
        })
        .await
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
