//! A rolling restart: every role is stopped by SIGTERM and started again, one instance after the other, while events flow through
//! two APIs behind a balancer. Nothing is lost, and no caller is answered 5xx.

mod balancer;

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use futures::FutureExt as _;

use self::balancer::Balancer;
use crate::{
    chaos::{Account, settled},
    client::Client,
    deployment::{Deployment, ROLES, probe_client, spec},
    ground::Ground,
    load::{Load, Tally},
    ports,
    role::Role,
    services::Durability,
};

const PAUSE: Duration = Duration::from_millis(20);
/// How long an API goes on when it is told to stop: more than the balancer needs to see that.
const DRAIN_DELAY: &str = "2s";
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

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Instances that were restarted.
    pub restarts: u64,
    /// What callers noticed.
    pub tally: Tally,
    /// What was accepted, stored and delivered; all of it adds up.
    pub account: Account,
}

/// Runs it below `root`, telling `say` how far it is and what came of it.
///
/// # Errors
/// Something does not come up or down, a caller was answered otherwise than 201, or the accounts differ at the end.
pub async fn run(root: &Path, name: &str, options: &Options, say: &mut dyn FnMut(&str)) -> Result<Outcome> {
    let mut ground = Ground::start(root, name, options.durability).await?;
    ground.shared.extra.push(("api", vec!["--drain-delay".into(), DRAIN_DELAY.into()]));
    let (mut deployment, direct) = ground.roles().await?;
    let apis = [deployment.api, ports::free()?];
    let mut second = Role::spawn(spec(&ground.shared, SECOND_API, apis[1], ports::free()?, deployment.egress)?)?;
    second.wait_until_ready(&probe_client()?).await?;
    let balancer = Balancer::start(&apis).await?;
    let endpoint = ground.endpoint(&direct, "a").await?;
    let url = format!("http://{}", balancer.address);
    let client = Client::new(&url, &ground.tenant.project_id, &ground.tenant.api_key)?;
    let load = Load::new(vec![client], endpoint, PAUSE);
    let rolling = async {
        tokio::time::sleep(options.steady).await;
        load.disturb();
        let rolled = roll(&mut deployment, &mut second, (&balancer, apis), say).await;
        load.end();
        rolled
    };
    let (sent, restarts) = tokio::try_join!(load.send(options.rate).map(anyhow::Ok), rolling)?;
    let tally = load.tally();
    say(&format!("before:  {}", tally.before));
    say(&format!("during:  {}", tally.during));
    if let Some(ratio) = tally.ratio() {
        say(&format!("p99 during the restarts is {ratio:.2} times that of before"));
    }
    let Tally { requests, server_errors, refused, unanswered, .. } = tally;
    say(&format!(
        "{sent} events in {requests} requests: {server_errors} answered 5xx, {refused} refused, {unanswered} unanswered, \
        each sent again"
    ));
    let account = settled(&ground, &direct, sent, restarts).await?;
    second.process().stop().await?;
    deployment.stop().await?;
    ground.stage.stop().await?;
    if server_errors + refused > 0 {
        bail!("{server_errors} answers of 5xx, {refused} of another kind than 201");
    }
    let received = &account.received;
    say(&format!(
        "{restarts} restarts: {} of {sent} events delivered, {} requests twice",
        received.idempotency_keys, received.duplicates
    ));
    Ok(Outcome { restarts, tally, account })
}

/// Restarts every instance; answers how many that were.
async fn roll(
    deployment: &mut Deployment,
    second: &mut Role,
    (balancer, apis): (&Balancer, [SocketAddr; 2]),
    say: &mut dyn FnMut(&str),
) -> Result<u64> {
    let mut restarts = 0;
    for name in ROLES.into_iter().chain([SECOND_API]) {
        let began = Instant::now();
        let role = if name == SECOND_API { &mut *second } else { deployment.role(name)? };
        let api = match name {
            "api" => Some(apis[0]),
            SECOND_API => Some(apis[1]),
            _ => None,
        };
        if let Some(api) = api {
            leave(role).await.with_context(|| format!("stop {name}"))?;
            balancer.take_out(api);
        }
        let status = role.process().stop().await.with_context(|| format!("stop {name}"))?;
        if !status.success() {
            bail!("{name} ended with {status}");
        }
        role.respawn()?;
        role.wait_until_ready(&probe_client()?).await?;
        if let Some(api) = api {
            balancer.put_in(api);
        }
        restarts += 1;
        say(&format!("{name} was restarted in {} ms", began.elapsed().as_millis()));
    }
    Ok(restarts)
}

/// Tells an API to stop, and waits until it says that it is not ready, as balancers do. It still answers.
async fn leave(role: &mut Role) -> Result<()> {
    role.process().ask_to_end()?;
    let (http, url) = (probe_client()?, format!("http://{}/readyz", role.probe()));
    while http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
