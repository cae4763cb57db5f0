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
    services::Durability,
    stage::{Given, Stage},
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
        let folder = RunFolder::create(root, name)?;
        let stage = Stage::start(&folder, Given::default(), durability).await?;
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
            extra: Vec::new(),
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
