//! What a system under test stands on: private services with a migrated database and a project, and a receiver within
//! this process. Everything ends with it.

use std::{net::SocketAddr, path::Path};

use anyhow::{Context, Result};
use serde_json::json;

use crate::{
    client::Client,
    deployment::{Deployment, Shared, allow_port},
    folder::RunFolder,
    operator::{Operator, Tenant},
    ports,
    receiver::Receiver,
    role::binaries,
    services::{Access, Durability, Encryption},
    stage::Stage,
};

/// Services, a project and a receiver, before any role runs.
pub struct Ground {
    /// The services.
    pub stage: Stage,
    /// The project and its keys.
    pub tenant: Tenant,
    /// What roles need to start.
    pub shared: Shared,
    /// The receiver.
    pub receiver: Receiver,
    /// Where it listens.
    pub receiver_address: SocketAddr,
    _folder: RunFolder,
}

impl Ground {
    /// Starts everything below `root`, the project's `.posthouse/`, under this name. A delivery is tried 60 times, once a
    /// second.
    ///
    /// # Errors
    /// Something does not come up.
    pub async fn start(root: &Path, name: &str, durability: Durability) -> Result<Self> {
        Self::start_for(Access::Loopback, root, name, durability).await
    }

    /// The same with services for these callers.
    ///
    /// # Errors
    /// As [`Ground::start`].
    pub async fn start_for(access: Access, root: &Path, name: &str, durability: Durability) -> Result<Self> {
        let folder = RunFolder::create(root, name)?;
        let stage = Stage::start_for(access, &folder, durability).await?;
        let binaries = binaries()?;
        let operator =
            Operator { binaries: &binaries, database_url: stage.database_url(), redis_url: stage.redis_url() };
        operator.migrate().await?;
        let config = json!({
            "add_event_id_trace_headers": true,
            "strategy": {"type": "linear", "duration": 1, "retry_count": 60},
        });
        let tenant = operator.bootstrap("Tests", name, Some(&config)).await?;
        let (receiver, receiver_address) = (Receiver::default(), ports::free()?);
        receiver.listen(receiver_address).await.context("start the receiver")?;
        let shared = Shared {
            binaries: binaries.clone(),
            logs: folder.logs().into(),
            database_url: stage.database_url().into(),
            redis_url: stage.redis_url().into(),
            egress_allow: vec![allow_port(receiver_address.port())],
            egress_scheme: if stage.encryption.is_some() { "https" } else { "http" },
            extra: stage.encryption.as_ref().map(encrypted).unwrap_or_default(),
        };
        Ok(Self { stage, tenant, shared, receiver, receiver_address, _folder: folder })
    }

    /// Starts all roles, and gives a client of the project.
    ///
    /// # Errors
    /// A role does not come up.
    pub async fn roles(&self) -> Result<(Deployment, Client)> {
        let deployment = Deployment::start(&self.shared).await?;
        let url = format!("http://{}", deployment.api);
        let client = Client::new(&url, &self.tenant.project_id, &self.tenant.api_key)?;
        Ok((deployment, client))
    }

    /// An endpoint at the receiver's `/ok/NAME`, verified, with a subscription to everything.
    ///
    /// # Errors
    /// The API refuses it.
    pub async fn endpoint(&self, client: &Client, name: &str) -> Result<String> {
        let path = format!("/ok/{name}");
        let secret = format!("secret of {name}");
        self.receiver.set_secret(&path, &secret);
        let url = format!("http://{}{path}", self.receiver_address);
        let id = client.create("endpoints", &json!({"name": name, "url": url, "secret": secret})).await?;
        let filter = json!({"event_types": ["*"]});
        let subscription = json!({"name": name, "endpoint_id": id, "filter_config": filter});
        client.create("subscriptions", &subscription).await?;
        Ok(id)
    }
}

/// What each kind of role is told, so that Redis and egress are spoken to by TLS.
fn encrypted(files: &Encryption) -> Vec<(&'static str, Vec<String>)> {
    let redis = files.flags("--redis-ca-file", "--redis-tls-cert", "--redis-tls-key");
    let egress = files.flags("--egress-ca-file", "--egress-client-cert", "--egress-client-key");
    let [certificate, key, authority] = ["server.pem", "server.key", "authority.pem"].map(|name| files.file(name));
    let served = ["--tls-cert", &certificate, "--tls-key", &key, "--client-ca", &authority].map(String::from);
    let of_redis = ["api", "worker", "scheduler", "ingest"].map(|kind| (kind, redis.clone()));
    let of_egress = ["api", "worker"].map(|kind| (kind, egress.clone()));
    of_redis.into_iter().chain(of_egress).chain([("egress", served.into())]).collect()
}
