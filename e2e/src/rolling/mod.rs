//! A rolling restart: every role is stopped by SIGTERM and started again, one instance after the other, while events flow through
//! two APIs behind a balancer. Nothing is lost, and no caller is answered 5xx.

mod balancer;

use std::{
    cell::{Cell, RefCell},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::MissedTickBehavior;

use self::balancer::Balancer;
use crate::{
    chaos::settled,
    client::Client,
    deployment::{Deployment, ROLES, probe_client, spec},
    ground::Ground,
    ports,
    role::Role,
    sender::event,
    services::Durability,
};

/// Requests under way at once, at most.
const UNDER_WAY_MAX: usize = 256;
const PAUSE: Duration = Duration::from_millis(20);
/// How long the balancer leaves an API alone before it is stopped.
const OUT_BEFORE_STOP: Duration = Duration::from_millis(500);
const SECOND_API: &str = "api-2";

/// How it is done.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Events sent in a second.
    pub rate: u32,
    /// How long they are sent before the first restart, to compare with.
    pub steady: Duration,
    /// What PostgreSQL may lose.
    pub durability: Durability,
}

/// How long accepted requests took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// So many of them.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What so many in a hundred did not exceed; nothing where there are none.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied().unwrap_or_default()
    }
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Instances that were restarted.
    pub restarts: u64,
    /// Requests that were answered 5xx.
    pub server_errors: u64,
    /// Requests whose connection ended without an answer, and that were sent again.
    pub unanswered: u64,
    /// Before the first restart.
    pub steady: Latencies,
    /// From then on.
    pub rolling: Latencies,
}

/// Runs it below `root`, telling `say` how far it is.
///
/// # Errors
/// Something does not come up or down, a caller was answered 5xx, or the accounts differ at the end.
pub async fn run(root: &Path, name: &str, options: &Options, say: &mut dyn FnMut(&str)) -> Result<Outcome> {
    let ground = Ground::start(root, name, options.durability).await?;
    let (mut deployment, direct) = ground.roles().await?;
    let mut second = Role::spawn(spec(&ground.shared, SECOND_API, ports::free()?, ports::free()?, deployment.egress)?)?;
    second.wait_until_ready(&probe_client()?).await?;
    let balancer = Balancer::start(&[deployment.api, second.probe()]).await?;
    let endpoint = ground.endpoint(&direct, "a").await?;
    let url = format!("http://{}", balancer.address);
    let load = Load {
        client: Client::new(&url, &ground.tenant.project_id, &ground.tenant.api_key)?,
        endpoint,
        is_over: Cell::new(false),
        is_rolling: Cell::new(false),
        outcome: RefCell::default(),
    };
    let rolling = async {
        tokio::time::sleep(options.steady).await;
        load.is_rolling.set(true);
        let rolled = roll(&mut deployment, &mut second, &balancer, say).await;
        load.is_over.set(true);
        rolled
    };
    let (sent, restarts) = tokio::join!(load.send(options.rate), rolling);
    let restarts = restarts?;
    say(&format!("{sent} accepted; waiting until all is settled."));
    let account = settled(&ground, &direct, sent, restarts).await?;
    second.process().stop().await?;
    deployment.stop().await?;
    ground.stage.stop().await?;
    let found = account.faults_found();
    let outcome = Outcome { restarts, ..load.outcome.into_inner() };
    if !found.is_empty() || outcome.server_errors > 0 {
        bail!("{} answers of 5xx; {}", outcome.server_errors, found.join("; "));
    }
    Ok(outcome)
}

/// Restarts every instance; answers how many that were.
async fn roll(
    deployment: &mut Deployment,
    second: &mut Role,
    balancer: &Balancer,
    say: &mut dyn FnMut(&str),
) -> Result<u64> {
    let mut restarts = 0;
    for name in ROLES.into_iter().chain([SECOND_API]) {
        let began = Instant::now();
        let role = if name == SECOND_API { &mut *second } else { deployment.role(name)? };
        let is_api = role.name().starts_with("api");
        if is_api {
            balancer.take_out(role.probe());
            tokio::time::sleep(OUT_BEFORE_STOP).await;
        }
        let status = role.process().stop().await.with_context(|| format!("stop {name}"))?;
        if !status.success() {
            bail!("{name} ended with {status}");
        }
        role.respawn()?;
        role.wait_until_ready(&probe_client()?).await?;
        if is_api {
            balancer.put_in(role.probe());
        }
        restarts += 1;
        say(&format!("{name} was restarted in {} ms", began.elapsed().as_millis()));
    }
    Ok(restarts)
}

struct Load {
    client: Client,
    endpoint: String,
    is_over: Cell<bool>,
    is_rolling: Cell<bool>,
    outcome: RefCell<Outcome>,
}

impl Load {
    /// Sends so many events in a second until it is over; answers how many were accepted, which all are in the end.
    async fn send(&self, rate: u32) -> u64 {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut under_way, mut number) = (FuturesUnordered::new(), 0);
        while !self.is_over.get() {
            tokio::select! {
                _ = ticks.tick(), if under_way.len() < UNDER_WAY_MAX => {
                    under_way.push(self.accept(number));
                    number += 1;
                }
                Some(()) = under_way.next() => {}
            }
        }
        while under_way.next().await.is_some() {}
        number
    }

    /// Sends one event until it is accepted.
    async fn accept(&self, number: u64) {
        let event = event(&self.endpoint, &format!("event-{number}"));
        loop {
            let began = Instant::now();
            let reply = self.client.post("events", &event).await;
            if self.note(reply.map_or(0, |reply| reply.status), began.elapsed()) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Counts an answer of this status, or none; whether the event was accepted.
    fn note(&self, status: u16, took: Duration) -> bool {
        let mut outcome = self.outcome.borrow_mut();
        match status {
            201 => {
                let list = if self.is_rolling.get() { &mut outcome.rolling } else { &mut outcome.steady };
                list.0.push(took);
                return true;
            }
            500.. => outcome.server_errors += 1,
            _ => outcome.unanswered += 1,
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let latencies = Latencies((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!([50, 99, 100].map(|percent| latencies.percentile(percent).as_millis()), [100, 198, 200]);
        assert_eq!(Latencies::default().percentile(99), Duration::ZERO);
    }
}
