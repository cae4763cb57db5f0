//! What the egress proxy costs, beside a plain TCP relay in the same run: new tunnels per second, bytes per second, and
//! memory per idle tunnel. Proxy, relay, origins and the clients that hold tunnels are processes of their own.

mod ends;
mod parts;

use std::{path::Path, time::Instant};

use anyhow::{Context, Result};
use clap::Subcommand;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use self::{
    ends::Way,
    parts::{Holder, Part},
};
use crate::{
    cases::{Scale, median},
    processes::Snapshot,
    table::{Goal, Row},
};

/// In turns, because a figure is at the mercy of the machine.
const ROUNDS: usize = 5;
const CONCURRENCY: usize = 64;
/// Tunnels that carry bytes at once.
const CARRYING: usize = 4;
const MEGABYTE: u64 = 1_000_000;

/// The other processes of this measurement.
#[derive(Debug, Subcommand)]
pub enum End {
    /// Says one byte back, takes the rest, and tells how much it was.
    Origin,
    /// A plain relay.
    Relay {
        /// Where all connections go.
        #[arg(long)]
        to: std::net::SocketAddr,
    },
    /// Opens so many tunnels, and holds them until it is told to go on.
    Hold {
        #[arg(long)]
        proxy: std::net::SocketAddr,
        #[arg(long)]
        to: std::net::SocketAddr,
        #[arg(long)]
        count: usize,
    },
}

/// One of the other processes.
pub async fn run(end: End) -> Result<()> {
    ends::take_handles();
    match end {
        End::Origin => ends::origin().await,
        End::Relay { to } => ends::relay(to).await,
        End::Hold { proxy, to, count } => ends::hold(&Way::Egress { proxy, to }, count).await,
    }
}

/// Measures all of it.
pub async fn measure(folder: &Path, scale: Scale) -> Result<Vec<Row>> {
    ends::take_handles();
    let origin = Part::end("origin", &[]).await?;
    let relay = Part::end("relay", &["--to".into(), origin.address.to_string()]).await?;
    let proxy = Part::egress(folder, "egress.log").await?;
    let direct = Way::Relay(relay.address);
    let through = Way::Egress { proxy: proxy.address, to: origin.address };
    let mut rows = new_tunnels(&through, &direct, scale).await?;
    rows.extend(bytes(&through, &direct, scale).await?);
    drop((proxy, relay, origin));
    rows.extend(idle(folder, scale).await?);
    Ok(rows)
}

async fn new_tunnels(through: &Way, direct: &Way, scale: Scale) -> Result<Vec<Row>> {
    let count = usize::try_from(scale.events(5_000)).unwrap_or(usize::MAX);
    let (mut by_proxy, mut by_relay) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        by_relay.push(opened_per_second(direct, count).await?);
        by_proxy.push(opened_per_second(through, count).await?);
    }
    let (by_proxy, by_relay) = (median(by_proxy), median(by_relay));
    Ok(vec![
        Row::new("egress: one byte there and back on each, 64 at once", "tunnels per second", by_proxy, None),
        Row::new("", "the relay's connections per second", by_relay, None),
        Row::new("", "the same as a ratio", by_proxy / by_relay.max(0.001), None),
    ])
}

async fn opened_per_second(way: &Way, count: usize) -> Result<f64> {
    let began = Instant::now();
    let opened = stream::iter(0..count).map(|_| async { way.open().await?.ask().await.map(drop) });
    opened.buffer_unordered(CONCURRENCY).try_collect::<Vec<()>>().await?;
    Ok(number(count as u64) / began.elapsed().as_secs_f64())
}

async fn bytes(through: &Way, direct: &Way, scale: Scale) -> Result<Vec<Row>> {
    let each = 500 * MEGABYTE / u64::from(scale.divisor);
    let (mut by_proxy, mut by_relay) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        by_relay.push(carried_per_second(direct, each).await?);
        by_proxy.push(carried_per_second(through, each).await?);
    }
    let (by_proxy, by_relay) = (median(by_proxy), median(by_relay));
    let share = by_proxy / by_relay.max(0.001) * 100.0;
    Ok(vec![
        Row::new("egress: 4 tunnels, 500 MB each", "MB per second", by_proxy, None),
        Row::new("", "MB per second, the relay", by_relay, None),
        Row::new("", "of the relay's, percent", share, Some(Goal::at_least(90.0, 100.0))),
    ])
}

async fn carried_per_second(way: &Way, each: u64) -> Result<f64> {
    let began = Instant::now();
    let carrying = (0..CARRYING).map(|_| async { way.open().await?.send(each).await });
    futures::future::try_join_all(carrying).await?;
    Ok(number(each * CARRYING as u64 / MEGABYTE) / began.elapsed().as_secs_f64())
}

/// Opens many tunnels, over as many processes as their file handles need, and looks at what the proxies hold.
async fn idle(folder: &Path, scale: Scale) -> Result<Vec<Row>> {
    let count = usize::try_from(scale.events(20_000)).unwrap_or(usize::MAX);
    let handles = ends::take_handles().saturating_sub(500);
    let proxies_count = count.div_ceil(handles / 2);
    let mut groups = Vec::new();
    for at in 0..proxies_count {
        let origin = Part::end("origin", &[]).await?;
        let proxy = Part::egress(folder, &format!("egress-idle-{at}.log")).await?;
        // What the first tunnels leave behind is not the idle ones'.
        opened_per_second(&Way::Egress { proxy: proxy.address, to: origin.address }, 500).await?;
        groups.push((origin, proxy));
    }
    let ids: Vec<u32> = groups.iter().map(|(_, proxy)| proxy.id()).collect();
    let before = Snapshot::take().usage(&ids).resident_bytes;
    let mut holders = Vec::new();
    for (at, (origin, proxy)) in groups.iter().enumerate() {
        let share = count / proxies_count + usize::from(at < count % proxies_count);
        holders.push(Holder::start(proxy.address, origin.address, share).await?);
    }
    let held = Snapshot::take().usage(&ids).resident_bytes.saturating_sub(before);
    let mut alive = 0;
    for holder in holders {
        alive += holder.finish().await.context("what a holder found alive")?;
    }
    let kib = number(held) / 1_024.0 / number(count as u64);
    Ok(vec![
        Row::new(
            "egress: idle tunnels",
            "held, and alive after that",
            number(alive),
            Some(Goal::at_least(number(count as u64), number(count as u64))),
        ),
        Row::new("", "proxies that they need for their file handles", number(proxies_count as u64), None),
        Row::new("", "KiB of memory each", kib, Some(Goal::at_most(20.0, 10.0))),
    ])
}

fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count / 1_000).unwrap_or(u32::MAX)) * 1_000.0
        + f64::from(u32::try_from(count % 1_000).unwrap_or(0))
}
