//! The cases of `docs/benchmarks.md`: what is sent, what is looked at, and what is at least to be reached.

use std::{path::Path, time::Duration};

use anyhow::Result;

use crate::{
    disk::Disk,
    gateway::Gateway,
    load::{self, Load, Mode, Outcome},
    parts,
    sink::Sink,
    table::{Goal, Row},
};

/// How much of each case is run.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Divides counts and durations.
    pub divisor: u32,
}

impl Scale {
    /// Of so many events.
    pub fn events(self, events: u64) -> u64 {
        (events / u64::from(self.divisor)).max(100)
    }
}

/// So many events to one endpoint, as quickly as 64 connections carry them.
pub fn load(events: u64) -> Load {
    Load {
        events,
        connections: 64,
        size: 1_024,
        endpoints: 1,
        mode: Mode::Single,
        rate: None,
        hang: 0,
        refuse: 0,
        subscription: serde_json::Map::new(),
    }
}

/// At a rate, for `seconds`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand events")]
pub fn paced(rate: f64, seconds: u32, scale: Scale) -> Load {
    let events = (rate * f64::from((seconds / scale.divisor).max(5))) as u64;
    Load { rate: Some(rate), ..load(events) }
}

/// The bare client, for the same requests.
pub async fn bare(sink: &Sink, scale: Scale) -> Result<Vec<Row>> {
    let (outcome, cpu) = load::bare(sink, &load(scale.events(100_000))).await?;
    let cpu_ms = cpu.as_secs_f64() * 1_000.0 / outcome.deliveries();
    Ok(vec![
        Row::new("bare client and receiver", "CPU-ms per request", cpu_ms, None),
        Row::new("", "requests per second", outcome.per_second, None),
    ])
}

/// Many events to one endpoint, as quickly as they go.
pub async fn one_endpoint(gateway: &Gateway, sink: &Sink, scale: Scale) -> Result<Vec<Row>> {
    let outcome = load::run(gateway, sink, &load(scale.events(20_000)), "one endpoint").await?;
    let mut rows = vec![
        Row::new(
            "20,000 events, 1 endpoint, 64 connections",
            "CPU-ms per delivery",
            outcome.cpu_ms(None),
            Some(Goal::at_most(0.60, 0.25)),
        ),
        Row::new("", "deliveries per second", outcome.per_second, Some(Goal::at_least(2_500.0, 5_000.0))),
        Row::new(
            "",
            "Redis commands per delivery",
            per_delivery(outcome.account.redis_commands, &outcome),
            Some(Goal::at_most(3.0, 1.0)),
        ),
        Row::new(
            "",
            "PostgreSQL transactions per delivery",
            per_delivery(outcome.account.transactions, &outcome),
            Some(Goal::at_most(1.0, 0.2)),
        ),
        Row::new("", "memory of all roles, MB", megabytes(outcome.memory_bytes), None),
        Row::new("", "accept p50, ms", outcome.accept.p50_ms, None),
        Row::new("", "end to end p99, ms", outcome.arrived.latency.p99_ms, None),
        Row::new("", "duplicates", count(outcome.arrived.duplicates), Some(Goal::at_most(0.0, 0.0))),
    ];
    let parts = outcome.account.parts.keys();
    rows.extend(
        parts.map(|part| Row::new("", &format!("CPU-ms per delivery, {part}"), outcome.cpu_ms(Some(part)), None)),
    );
    Ok(rows)
}

/// The same events, one part of their way after another.
pub async fn parts(gateway: &Gateway, sink: &Sink, scale: Scale) -> Result<Vec<Row>> {
    parts::measure(gateway, sink, &load(scale.events(20_000))).await
}

/// 200 events a second.
///
/// Beside it, how long the disk takes by itself: an event is created and recorded in two transactions that wait for it.
pub async fn steady(gateway: &Gateway, sink: &Sink, scale: Scale, folder: &Path) -> Result<Vec<Row>> {
    let disk = Disk::watch(folder);
    let outcome = load::run(gateway, sink, &paced(200.0, 30, scale), "200 a second").await?;
    let (latency, disk) = (outcome.arrived.latency, disk.percentiles().await?);
    Ok(vec![
        Row::new("200 events a second", "end to end p50, ms", latency.p50_ms, Some(Goal::at_most(6.0, 3.0))),
        Row::new("", "end to end p99, ms", latency.p99_ms, Some(Goal::at_most(20.0, 8.0))),
        Row::new("", "the disk alone, a page of 8 KiB, p50, ms", disk.p50_ms, None),
        Row::new("", "the disk alone, p99, ms", disk.p99_ms, None),
    ])
}

/// One event to ten endpoints.
pub async fn fanout(gateway: &Gateway, sink: &Sink, scale: Scale) -> Result<Vec<Row>> {
    let load = Load { endpoints: 10, mode: Mode::Fanout, ..load(scale.events(2_000)) };
    let outcome = load::run(gateway, sink, &load, "fan-out").await?;
    Ok(vec![
        Row::new(
            "fan-out to 10 endpoints",
            "CPU-ms per delivery",
            outcome.cpu_ms(None),
            Some(Goal::at_most(0.30, 0.15)),
        ),
        Row::new("", "deliveries per second", outcome.per_second, None),
    ])
}

/// One endpoint of two never answers.
pub async fn hanging(gateway: &Gateway, sink: &Sink, scale: Scale) -> Result<Vec<Row>> {
    let load = Load { endpoints: 2, hang: 1, ..paced(40.0, 30, scale) };
    let outcome = load::run(gateway, sink, &load, "one of two hangs").await?;
    let p99 = outcome.arrived.latency.p99_ms;
    Ok(vec![Row::new(
        "one endpoint of two hangs, 40 a second",
        "p99 at the healthy one, ms",
        p99,
        Some(Goal::at_most(100.0, 10.0)),
    )])
}

/// One endpoint of twenty refuses connections, beside the same with all of them well. A 99th percentile of a few
/// milliseconds is at the mercy of the machine, so both are measured in turns.
pub async fn refusing(gateway: &Gateway, sink: &Sink, scale: Scale) -> Result<Vec<Row>> {
    let well = Load { endpoints: 20, ..paced(60.0, 20, scale) };
    let load = Load { refuse: 1, ..well.clone() };
    let (mut all_well, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        all_well.push(load::run(gateway, sink, &well, "twenty well").await?.arrived.latency.p99_ms);
        refused.push(load::run(gateway, sink, &load, "one of twenty refuses").await?.arrived.latency.p99_ms);
    }
    let (all_well, refused) = (median(all_well), median(refused));
    Ok(vec![
        Row::new("20 endpoints, 60 a second, five times in turns", "p99, all well, median, ms", all_well, None),
        Row::new("", "p99 of the others, one refuses, median, ms", refused, None),
        Row::new("", "the same as a ratio", refused / all_well.max(0.001), Some(Goal::at_most(1.2, 1.0))),
    ])
}

/// The one in the middle.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Nothing to do.
pub async fn idle(gateway: &Gateway, scale: Scale) -> Result<Vec<Row>> {
    // What the cases before left to do ends first.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let seconds = (60 / scale.divisor).max(10);
    let before = gateway.usage();
    tokio::time::sleep(Duration::from_secs(seconds.into())).await;
    let after = gateway.usage();
    let is_role = |part: &&String| !matches!(part.as_str(), "postgres" | "redis");
    let used: Duration = after
        .keys()
        .filter(is_role)
        .filter_map(|part| Some(after.get(part)?.cpu.saturating_sub(before.get(part)?.cpu)))
        .sum();
    let share = used.as_secs_f64() / f64::from(seconds) * 100.0;
    Ok(vec![Row::new("idle", "CPU of all roles, % of a core", share, Some(Goal::at_most(1.0, 0.2)))])
}

fn per_delivery(total: u64, outcome: &Outcome) -> f64 {
    count(total) / outcome.deliveries()
}

fn megabytes(bytes: u64) -> f64 {
    count(bytes) / 1_000_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn count(number: u64) -> f64 {
    number as f64
}
