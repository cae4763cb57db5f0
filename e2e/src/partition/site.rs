//! The hosts: each role on one of its own, with a cable to the other hosts, and further ones to PostgreSQL and to Redis where
//! the role needs them. This program, both services and the receiver are where all cables end.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use serde_json::Value;

use super::terms::{self, Term};
use crate::{
    deployment::{Deployment, Places, probe_client, spec_at},
    ground::Ground,
    network::{Cable, Host, Switch},
    stage::DATABASE,
};

/// Every role, in the order of their hosts' numbers.
const ROLES: [&str; 10] = [
    "egress-1",
    "egress-2",
    "egress-3",
    "api-1",
    "api-2",
    "worker-1",
    "worker-2",
    "worker-3",
    "scheduler-1",
    "scheduler-2",
];
/// The two APIs.
pub const APIS: [&str; 2] = ["api-1", "api-2"];
const SCHEDULERS: [&str; 2] = ["scheduler-1", "scheduler-2"];
/// The number of the first host.
const FIRST: u8 = 11;
const RECEIVER_PORT: u16 = 8080;
/// How long anything that comes by itself may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(100);

/// The networks.
pub struct Networks {
    /// Between hosts.
    lan: Switch,
    /// To PostgreSQL.
    database: Switch,
    /// To Redis.
    queues: Switch,
}

impl Networks {
    /// New ones.
    pub async fn lay() -> Result<Self> {
        Ok(Self {
            lan: Switch::new("lan", 91).await?,
            database: Switch::new("database", 92).await?,
            queues: Switch::new("queues", 93).await?,
        })
    }

    /// Moves what roles are told of services and receiver into these networks.
    pub async fn take_in(&self, ground: &mut Ground) -> Result<()> {
        let (postgres, redis) = (ground.stage.postgres.as_ref(), ground.stage.redis.as_ref());
        let postgres = postgres.context("a PostgreSQL of our own")?;
        ground.shared.database_url = postgres.url_at(self.database.address(), DATABASE);
        ground.shared.redis_url = redis.context("a Redis of our own")?.url_at(self.queues.address());
        ground.receiver_address = (self.lan.address(), RECEIVER_PORT).into();
        ground.receiver.listen(ground.receiver_address).await.context("start the receiver")?;
        ground.shared.egress_allow = vec![format!("{}/32:{RECEIVER_PORT}", self.lan.address())];
        Ok(())
    }
}

/// A host's cables.
struct Cables {
    role: &'static str,
    lan: Cable,
    /// Those to PostgreSQL and to Redis.
    services: Option<(Cable, Cable)>,
}

/// All hosts with their roles.
pub struct Site {
    cables: Vec<Cables>,
    deployment: Deployment,
    apis: [SocketAddr; 2],
}

impl Site {
    /// Sets up the hosts and starts the roles.
    pub async fn start(ground: &Ground, networks: &Networks) -> Result<Self> {
        let address = |role: &str| -> Result<Ipv4Addr> {
            let at = ROLES.iter().position(|known| *known == role).context("a role of ours")?;
            Ok(networks.lan.address_of(FIRST + u8::try_from(at)?))
        };
        let egress = [address("egress-1")?, address("egress-2")?, address("egress-3")?];
        let (mut cables, mut specs) = (Vec::new(), Vec::new());
        for (role, number) in ROLES.into_iter().zip(FIRST..) {
            let (host, own) = (Host::new(role).await?, address(role)?);
            let lan = host.join(&networks.lan, number).await?;
            let is_egress = role.starts_with("egress");
            let services = if is_egress {
                None
            } else {
                Some((host.join(&networks.database, number).await?, host.join(&networks.queues, number).await?))
            };
            cables.push(Cables { role, lan, services });
            let at = |port: u16| SocketAddr::from((own, port));
            let exits = if is_egress { vec![own] } else { egress.to_vec() };
            let places = Places {
                probe: at(5_008),
                api: at(5_005),
                board: at(5_010),
                egress: exits.into_iter().map(|exit| (exit, 4_750).into()).collect(),
            };
            specs.push(host.runs(spec_at(&ground.shared, role, &places)?));
        }
        let apis = [(address(APIS[0])?, 5_005).into(), (address(APIS[1])?, 5_005).into()];
        let deployment = Deployment::of(specs, apis[0], (address(APIS[0])?, 5_010).into(), (egress[0], 4_750).into());
        Ok(Self { cables, deployment: deployment.await?, apis })
    }

    /// Where the two APIs answer.
    pub const fn apis(&self) -> [SocketAddr; 2] {
        self.apis
    }

    /// Cuts the host off: from PostgreSQL and Redis, or from all where it needs neither.
    pub async fn cut_off(&self, role: &str) -> Result<()> {
        let cables = self.cables.iter().find(|cables| cables.role == role).context("a role of ours")?;
        match &cables.services {
            Some((database, queues)) => {
                database.pull().await?;
                queues.pull().await
            }
            None => cables.lan.pull().await,
        }
    }

    /// Cuts every host off from PostgreSQL.
    pub async fn cut_database(&self) -> Result<()> {
        for (database, _) in self.cables.iter().filter_map(|cables| cables.services.as_ref()) {
            database.pull().await?;
        }
        Ok(())
    }

    /// Plugs every cable in again.
    pub async fn heal(&self) -> Result<()> {
        for Cables { lan, services, .. } in &self.cables {
            lan.plug().await?;
            if let Some((database, queues)) = services {
                database.plug().await?;
                queues.plug().await?;
            }
        }
        Ok(())
    }

    /// Waits until every role that needs PostgreSQL says that it misses it.
    pub async fn wait_until_missed(&mut self) -> Result<()> {
        let mut asked = Vec::new();
        for Cables { role, services, .. } in &self.cables {
            if services.is_some() {
                asked.push(missed(role, self.deployment.role(role)?.probe()));
            }
        }
        try_join_all(asked).await.map(|_| ())
    }

    /// Waits until every role is ready. None may have ended: they come back by themselves.
    pub async fn wait_until_ready(&mut self) -> Result<()> {
        self.deployment.check_alive()?;
        self.deployment.wait_until_ready().await
    }

    /// The terms of both schedulers.
    pub fn terms(&mut self) -> Result<Vec<Term>> {
        Ok(self.terms_by_scheduler()?.into_iter().flatten().collect())
    }

    fn terms_by_scheduler(&mut self) -> Result<[Vec<Term>; 2]> {
        let mut of = |name| anyhow::Ok(terms::of_log(&self.deployment.role(name)?.process().log()?));
        Ok([of(SCHEDULERS[0])?, of(SCHEDULERS[1])?])
    }

    /// Waits until a scheduler other than `but` is active, and names it.
    pub async fn wait_for_leader(&mut self, but: Option<&str>) -> Result<&'static str> {
        let began = Instant::now();
        loop {
            let terms = self.terms_by_scheduler()?;
            let is_active = |terms: &Vec<Term>| terms.last().is_some_and(|term| term.until.is_none());
            let active =
                SCHEDULERS.into_iter().zip(&terms).find(|(name, terms)| is_active(terms) && Some(*name) != but);
            if let Some((name, _)) = active {
                return Ok(name);
            }
            if began.elapsed() > PATIENCE {
                bail!("no scheduler but {but:?} is active after {PATIENCE:?}: {terms:?}");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Stops every role.
    pub async fn stop(self) -> Result<()> {
        self.deployment.stop().await
    }
}

async fn missed(role: &str, probe: SocketAddr) -> Result<()> {
    let (http, url) = (probe_client()?, format!("http://{probe}/readyz"));
    let began = Instant::now();
    loop {
        let answer = http.get(&url).timeout(PATIENCE).send().await.with_context(|| format!("ask {role}"))?;
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.with_context(|| format!("ask {role}"))?;
        let said = body.pointer("/checks/postgres").and_then(Value::as_str);
        if status == 503 && said.is_some_and(|said| said != "ok") {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            bail!("{role} does not miss PostgreSQL after {PATIENCE:?}: {status} {body}");
        }
        tokio::time::sleep(POLL).await;
    }
}
