//! Everything that one `demo` or `up` runs, in the order in which it must end: roles, receiver, broker, services.

use std::{net::SocketAddr, path::Path};

use anyhow::Result;

use super::{case, narrator::step};
use crate::{
    deployment::{Deployment, Shared, allow_port, probe_client},
    folder::RunFolder,
    operator::{Operator, Tenant},
    ports,
    role::{Role, RoleSpec, binaries, binary},
    services::{Durability, Mosquitto, Place},
    stage::{Given, Stage},
};

/// Loopback, for receivers that somebody else starts.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

/// What only the demo's traffic needs.
#[derive(Debug)]
pub struct Props {
    receiver: Role,
    /// Where it takes deliveries.
    pub receiver_address: SocketAddr,
    /// The MQTT broker.
    pub broker: Mosquitto,
}

impl Props {
    /// Where the receiver takes its secrets.
    #[must_use]
    pub fn receiver_admin(&self) -> SocketAddr {
        self.receiver.probe()
    }
}

/// A running system.
#[derive(Debug)]
pub struct System {
    /// The roles.
    pub deployment: Deployment,
    /// `None` in a bare system.
    pub props: Option<Props>,
    /// Database and Redis.
    pub stage: Stage,
    /// The project and its keys.
    pub tenant: Tenant,
    _folder: RunFolder,
}

impl System {
    /// Starts everything; a bare one has no receiver, no broker and an empty project with default settings.
    ///
    /// # Errors
    /// Something does not come up.
    pub async fn start(folder: RunFolder, given: Given, project: &str, is_bare: bool) -> Result<Self> {
        let binaries = binaries()?;
        let stage = step(
            "Starting PostgreSQL and Redis on free loopback ports",
            Stage::start(&folder, given, Durability::Full),
        )
        .await?;
        let operator =
            Operator { binaries: &binaries, database_url: stage.database_url(), redis_url: stage.redis_url() };
        step("Migrating the database", operator.migrate()).await?;
        let config = (!is_bare).then(case::project_config);
        let creating = operator.bootstrap("Posthouse", project, config.as_ref());
        let tenant = step("Creating an organisation, a project and its keys", creating).await?;
        let props = if is_bare {
            None
        } else {
            Some(step("Starting a receiver and Mosquitto", start_props(&binaries, &folder)).await?)
        };
        let egress_allow = match &props {
            Some(props) => vec![allow_port(props.receiver_address.port())],
            None => LOOPBACK.map(Into::into).to_vec(),
        };
        let shared = Shared {
            binaries,
            logs: folder.logs().into(),
            database_url: stage.database_url().into(),
            redis_url: stage.redis_url().into(),
            egress_allow,
            egress_scheme: "http",
            extra: Vec::new(),
        };
        let starting = Deployment::start(&shared);
        let deployment = step("Starting every role: 2 workers, API, 2 schedulers, ingest, egress", starting).await?;
        Ok(Self { deployment, props, stage, tenant, _folder: folder })
    }

    /// Base URL of the REST API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.deployment.api)
    }

    /// What other tools need to attach.
    #[must_use]
    pub fn run_env(&self) -> Vec<(&'static str, String)> {
        let ids: Vec<String> = self.deployment.ids().iter().map(u32::to_string).collect();
        let redis_port = self.stage.redis.as_ref().map(|redis| redis.port().to_string());
        vec![
            ("POSTHOUSE_URL", self.url()),
            ("POSTHOUSE_BOARD_URL", format!("http://{}", self.deployment.board)),
            ("POSTHOUSE_ORG", self.tenant.organisation_id.clone()),
            ("POSTHOUSE_PROJECT", self.tenant.project_id.clone()),
            ("POSTHOUSE_API_KEY", self.tenant.api_key.clone()),
            ("POSTHOUSE_PERSONAL_KEY", self.tenant.personal_key.clone()),
            ("POSTHOUSE_PIDS", ids.join(",")),
            ("PG_PID", self.stage.postgres.as_ref().map(|postgres| postgres.id().to_string()).unwrap_or_default()),
            ("REDIS_PID", self.stage.redis.as_ref().map(|redis| redis.id().to_string()).unwrap_or_default()),
            ("REDIS_PORT", redis_port.unwrap_or_default()),
            ("DATABASE_URL", self.stage.database_url().into()),
            ("REDIS_URL", self.stage.redis_url().into()),
        ]
    }

    /// An error when anything has ended by itself.
    ///
    /// # Errors
    /// Something has; the text has the end of its log.
    pub fn check_alive(&mut self) -> Result<()> {
        self.deployment.check_alive()?;
        if let Some(props) = &mut self.props {
            props.receiver.process().check_alive()?;
            props.broker.process().check_alive()?;
        }
        self.stage.check_alive()
    }

    /// Stops everything that was started.
    ///
    /// # Errors
    /// Something did not end in its time and was killed.
    pub async fn stop(self) -> Result<()> {
        self.deployment.stop().await?;
        if let Some(mut props) = self.props {
            props.receiver.process().stop().await?;
            props.broker.stop().await?;
        }
        self.stage.stop().await
    }
}

async fn start_props(binaries: &Path, folder: &RunFolder) -> Result<Props> {
    let (receiver_address, admin) = (ports::free()?, ports::free()?);
    let spec = RoleSpec {
        name: "receiver".into(),
        program: binary(binaries, "posthouse-receiver")?,
        arguments: vec!["--listen".into(), receiver_address.to_string(), "--admin-listen".into(), admin.to_string()],
        environment: Vec::new(),
        probe: admin,
        logs: folder.logs().into(),
    };
    let mut receiver = Role::spawn(spec)?;
    receiver.wait_until_ready(&probe_client()?).await?;
    let broker = Mosquitto::start(Place::new(folder.data(), folder.logs())?).await?;
    Ok(Props { receiver, receiver_address, broker })
}
