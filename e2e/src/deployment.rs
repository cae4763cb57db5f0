//! Every role as a process of its own: two workers, the API, two schedulers, ingest and egress, on free loopback ports.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use anyhow::{Context, Result};
use futures::future::try_join_all;

use crate::{
    ports,
    role::{Role, RoleSpec, binary},
};

/// Names of the roles, as in their log files.
pub const ROLES: [&str; 7] = ["egress", "api", "worker-1", "worker-2", "scheduler-1", "scheduler-2", "ingest"];

/// What the roles share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The folder of the built binaries.
    pub binaries: PathBuf,
    /// The folder for logs.
    pub logs: PathBuf,
    /// The database, migrated.
    pub database_url: String,
    /// The queues.
    pub redis_url: String,
    /// Addresses that egress lets through although its rules refuse them: `CIDR` or `CIDR:PORT`.
    pub egress_allow: Vec<String>,
    /// How egress is spoken to: `http` or `https`.
    pub egress_scheme: &'static str,
    /// Further flags, by the role's binary such as `api`.
    pub extra: Vec<(&'static str, Vec<String>)>,
}

/// The running roles.
#[derive(Debug)]
pub struct Deployment {
    roles: Vec<Role>,
    http: reqwest::Client,
    /// Where the REST API answers.
    pub api: SocketAddr,
    /// Where the job board answers.
    pub board: SocketAddr,
    /// Where egress takes connections.
    pub egress: SocketAddr,
}

impl Deployment {
    /// Starts every role and waits until all are ready.
    ///
    /// # Errors
    /// A binary is missing or a role does not come up.
    pub async fn start(shared: &Shared) -> Result<Self> {
        let (api, board, egress) = (ports::free()?, ports::free()?, ports::free()?);
        let specs = ROLES.map(|name| spec(shared, name, api, board, egress)).into_iter().collect::<Result<_>>()?;
        Self::of(specs, api, board, egress).await
    }

    /// Starts these roles and waits until all are ready.
    ///
    /// # Errors
    /// A role does not come up.
    pub async fn of(specs: Vec<RoleSpec>, api: SocketAddr, board: SocketAddr, egress: SocketAddr) -> Result<Self> {
        let roles = specs.into_iter().map(Role::spawn).collect::<Result<_>>()?;
        let mut deployment = Self { roles, http: probe_client()?, api, board, egress };
        deployment.wait_until_ready().await?;
        Ok(deployment)
    }

    /// Waits until every role is ready.
    ///
    /// # Errors
    /// One does not come up.
    pub async fn wait_until_ready(&mut self) -> Result<()> {
        let http = self.http.clone();
        try_join_all(self.roles.iter_mut().map(|role| role.wait_until_ready(&http))).await.map(|_| ())
    }

    /// The role of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn role(&mut self, name: &str) -> Result<&mut Role> {
        self.roles.iter_mut().find(|role| role.name() == name).with_context(|| format!("no role is called {name}"))
    }

    /// Kills the role with SIGKILL and starts it again at once; the answer comes when it is ready.
    ///
    /// # Errors
    /// There is none of that name, or it does not come up again.
    pub async fn crash(&mut self, name: &str) -> Result<()> {
        let http = self.http.clone();
        let role = self.role(name)?;
        role.process().kill()?;
        role.respawn()?;
        role.wait_until_ready(&http).await
    }

    /// The process ids of all roles.
    #[must_use]
    pub fn ids(&self) -> Vec<u32> {
        self.roles.iter().map(Role::id).collect()
    }

    /// An error when a role has ended by itself.
    ///
    /// # Errors
    /// One has; the text has the end of its log.
    pub fn check_alive(&mut self) -> Result<()> {
        self.roles.iter_mut().try_for_each(|role| role.process().check_alive())
    }

    /// Stops all roles at the same time, as a deploy would.
    ///
    /// # Errors
    /// One did not drain in its time.
    pub async fn stop(mut self) -> Result<()> {
        self.ask_all_to_end()?;
        for role in &mut self.roles {
            role.process().stop().await?;
        }
        Ok(())
    }

    fn ask_all_to_end(&mut self) -> Result<()> {
        self.roles.iter_mut().try_for_each(|role| role.process().ask_to_end())
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        // Each role's own drop waits for its end; told now, all drain at the same time.
        drop(self.ask_all_to_end());
    }
}

/// A client for probes, which neither follows redirects nor uses a proxy.
///
/// # Errors
/// It cannot be built.
pub fn probe_client() -> Result<reqwest::Client> {
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    builder.build().context("build the probe client")
}

/// Where a role listens, and where it finds egress.
#[derive(Debug, Clone)]
pub struct Places {
    /// Its probes.
    pub probe: SocketAddr,
    /// The REST API.
    pub api: SocketAddr,
    /// The job board.
    pub board: SocketAddr,
    /// Every egress; one that is started listens at the first.
    pub egress: Vec<SocketAddr>,
}

/// How to start the role of this name on this machine.
///
/// # Errors
/// Its binary is missing or no port is free.
pub fn spec(shared: &Shared, name: &str, api: SocketAddr, board: SocketAddr, egress: SocketAddr) -> Result<RoleSpec> {
    spec_at(shared, name, &Places { probe: ports::free()?, api, board, egress: vec![egress] })
}

/// How to start the role of this name in these places.
///
/// # Errors
/// Its binary is missing.
pub fn spec_at(shared: &Shared, name: &str, places: &Places) -> Result<RoleSpec> {
    let kind = name.split('-').next().unwrap_or(name);
    let Places { probe, api, board, egress } = places;
    let listen_flag = if matches!(kind, "api" | "egress") { "--probe-listen" } else { "--listen" };
    let mut arguments = vec![listen_flag.into(), probe.to_string()];
    let urls: Vec<_> = egress.iter().map(|egress| format!("{}://{egress}", shared.egress_scheme)).collect();
    match kind {
        "api" => {
            arguments.extend(["--listen".into(), api.to_string()]);
            arguments.extend(["--board-listen".into(), board.to_string()]);
            arguments.extend(["--egress-url".into(), urls.join(",")]);
        }
        "worker" => arguments.extend(["--egress-url".into(), urls.join(",")]),
        "ingest" => arguments.extend(["--poll-interval".into(), "1s".into()]),
        "egress" => {
            let listen = egress.first().context("egress listens somewhere")?;
            arguments.extend(["--listen".into(), listen.to_string()]);
            arguments.extend(shared.egress_allow.iter().flat_map(|range| ["--allow".into(), range.clone()]));
        }
        _ => {}
    }
    arguments.extend(shared.extra.iter().filter(|(of, _)| *of == kind).flat_map(|(_, flags)| flags.clone()));
    let mut environment = Vec::new();
    if kind != "egress" {
        environment.push(("POSTHOUSE_DATABASE_URL", shared.database_url.clone()));
        environment.push(("POSTHOUSE_REDIS_URL", shared.redis_url.clone()));
    }
    if kind == "api" {
        // Nothing balances between these, unless a test says so by a flag, which wins over this.
        environment.push(("POSTHOUSE_API_DRAIN_DELAY", "0s".into()));
    }
    let program = binary(&shared.binaries, &format!("posthouse-{kind}"))?;
    Ok(RoleSpec { name: name.into(), program, arguments, environment, probe: *probe, logs: shared.logs.clone() })
}

/// The allow entry for one loopback port.
#[must_use]
pub fn allow_port(port: u16) -> String {
    format!("{}/32:{port}", Ipv4Addr::LOCALHOST)
}
