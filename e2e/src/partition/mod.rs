//! A partition: ten roles on ten hosts, which are network namespaces. Under load some of them are cut off from PostgreSQL and
//! Redis, then all from PostgreSQL; nobody is told. When the cables are back every role is, by itself, nothing accepted is
//! lost, and no two schedulers have been active at once.

mod site;
mod terms;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};
use futures::FutureExt as _;

use self::{
    site::{APIS, Networks, Site},
    terms::Tick,
};
use crate::{
    chaos::{Account, settled},
    client::Client,
    database::Database,
    ground::Ground,
    load::{Load, Tally},
    services::{Access, Durability},
};

/// Before an event that was not accepted is sent again, by the other API.
const PAUSE: Duration = Duration::from_millis(500);
/// Seconds of load before the first cut.
const STEADY_SECONDS: usize = 2;
/// A caller of an API waits for this long.
const CALLER_LIMIT: Duration = Duration::from_secs(120);
/// An API answers within this, cut off or not: a free connection is waited for, and then a statement that stays away.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// A schedule that makes up for every tick it missed.
const SCHEDULE: &str = "sweep_deliveries";
const EVERY_SECONDS: i64 = 2;
const POLL: Duration = Duration::from_millis(100);

/// How it is done.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Events sent in a second, by both APIs in turns.
    pub rate: u32,
    /// How long some hosts are cut off at least, and then all of them.
    pub lasts: Duration,
    /// How long a busy machine may keep a process from running.
    pub stall_max: Duration,
    /// What PostgreSQL may lose.
    pub durability: Durability,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What callers noticed.
    pub tally: Tally,
    /// What was accepted, stored and delivered; all of it adds up.
    pub account: Account,
    /// Terms of schedulers.
    pub terms: usize,
    /// Ticks of one schedule, each enqueued by one of them.
    pub ticks: usize,
}

/// Runs it below `root`, in a network of this program's own, telling `say` how far it is and what came of it.
///
/// # Errors
/// Something does not come up, or not again; a caller was left without an answer; the accounts differ, or two schedulers were
/// active at once.
pub async fn run(root: &Path, name: &str, options: &Options, say: &mut dyn FnMut(&str)) -> Result<Outcome> {
    let networks = Networks::lay().await?;
    let mut ground = Ground::start_for(Access::Networks, root, name, options.durability).await?;
    networks.take_in(&mut ground).await?;
    let sweeps = vec!["--sweep-schedule".into(), format!("*/{EVERY_SECONDS} * * * * *")];
    ground.shared.extra.push(("scheduler", sweeps));
    let mut site = Site::start(&ground, &networks).await?;
    let tenant = &ground.tenant;
    let client = |api| Client::patient(&format!("http://{api}"), &tenant.project_id, &tenant.api_key, CALLER_LIMIT);
    let [first, second] = site.apis().map(client);
    let clients = vec![first?, second?];
    let direct = clients.first().cloned().context("there are two")?;
    let endpoint = ground.endpoint(&direct, "a").await?;
    say("Two APIs, three workers, two schedulers and three egress are ready, each on a host of its own.");

    let load = Load::new(clients, endpoint, PAUSE);
    let disturbing = async {
        let disturbed = disturb(&mut site, &load, options, say).await;
        load.end();
        disturbed
    };
    let (sent, faults) = tokio::try_join!(load.send(options.rate).map(anyhow::Ok), disturbing)?;
    let tally = load.tally();
    tell(&tally, sent, say);
    let account = settled(&ground, &direct, sent, faults).await?;
    let ticks = settled_ticks(ground.stage.database_url()).await?;
    let terms = site.terms()?;
    site.wait_until_ready().await?;
    site.stop().await?;
    ground.stage.stop().await?;

    let mut found = terms::faults(terms.clone(), &ticks, options.stall_max);
    if tally.unanswered + tally.refused > 0 {
        found.push(format!("{} requests unanswered, {} refused", tally.unanswered, tally.refused));
    }
    if tally.longest > ANSWER_LIMIT + options.stall_max {
        found.push(format!("an API answered after {:?}, more than {ANSWER_LIMIT:?}", tally.longest));
    }
    if !found.is_empty() {
        bail!("{}", found.join("\n  "));
    }
    let (received, terms, ticks) = (&account.received, terms.len(), ticks.len());
    say(&format!(
        "{} of {sent} events delivered, {} requests twice; {terms} terms of schedulers, never two at once; {ticks} ticks of \
        {SCHEDULE}, none missing, each enqueued by one term",
        received.idempotency_keys, received.duplicates
    ));
    Ok(Outcome { tally, account, terms, ticks })
}

/// Cuts and heals; answers how many hosts were cut off, each time.
async fn disturb(site: &mut Site, load: &Load, options: &Options, say: &mut dyn FnMut(&str)) -> Result<u64> {
    let steady = usize::try_from(options.rate)?.saturating_mul(STEADY_SECONDS);
    while load.tally().accepted() < steady {
        tokio::time::sleep(POLL).await;
    }
    let leader = site.wait_for_leader(None).await?;
    load.disturb();
    let some = [APIS[0], "worker-1", leader, "egress-1"];
    for role in some {
        site.cut_off(role).await?;
    }
    let began = Instant::now();
    say(&format!("{} are cut off; {} events accepted", some.join(", "), load.tally().accepted()));
    let (next, ()) = tokio::join!(site.wait_for_leader(Some(leader)), tokio::time::sleep(options.lasts));
    let next = next?;
    say(&format!("{next} is active; {} events accepted in {:.1?}", load.tally().accepted(), began.elapsed()));

    site.cut_database().await?;
    let began = Instant::now();
    let (missed, ()) = tokio::join!(site.wait_until_missed(), tokio::time::sleep(options.lasts));
    missed?;
    say(&format!(
        "all were without PostgreSQL for {:.1?}; {} events accepted",
        began.elapsed(),
        load.tally().accepted()
    ));
    site.heal().await?;
    let began = Instant::now();
    site.wait_until_ready().await?;
    site.wait_for_leader(None).await?;
    say(&format!("all are ready again after {:.1?}", began.elapsed()));
    // Seven hosts lost PostgreSQL, three of them and an egress before.
    Ok(7 + u64::try_from(some.len())?)
}

fn tell(tally: &Tally, sent: u64, say: &mut dyn FnMut(&str)) {
    say(&format!("before the cut: {}", tally.before));
    say(&format!("from then on:   {}", tally.during));
    let Tally { requests, server_errors, refused, unanswered, longest, .. } = tally;
    say(&format!(
        "{sent} events in {requests} requests: {server_errors} answered 5xx, {refused} refused, {unanswered} unanswered, each \
        sent again; the longest wait for an answer was {longest:.1?}"
    ));
}

/// The schedule's ticks, once all of them are enqueued and there is one for every time since the first.
async fn settled_ticks(url: &str) -> Result<Vec<Tick>> {
    let database = Database::open(url).await?;
    let statement = "SELECT extract(epoch FROM tick_at)::bigint, fencing_token, enqueued_at IS NOT NULL \
        FROM schedule_ticks WHERE name = $1 AND requested_by IS NULL ORDER BY tick_at";
    let began = Instant::now();
    loop {
        let rows = database.client.query(statement, &[&SCHEDULE]).await.context("read the ticks")?;
        let ticks: Vec<(i64, i64, bool)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        let is_whole = ticks.array_windows().all(|[one, next]| next.0 - one.0 == EVERY_SECONDS);
        if !ticks.is_empty() && is_whole && ticks.iter().all(|(_, _, is_enqueued)| *is_enqueued) {
            database.close().await?;
            let at = |second| DateTime::<Utc>::from_timestamp(second, 0).context("a time");
            return ticks.into_iter().map(|(second, term, is)| Ok((at(second)?, term, is))).collect();
        }
        if began.elapsed() > CALLER_LIMIT {
            bail!("ticks of {SCHEDULE} are missing or not enqueued: {ticks:?}");
        }
        tokio::time::sleep(POLL).await;
    }
}
