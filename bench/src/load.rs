//! Posts events and waits for their deliveries. In an open loop events are sent at a fixed rate, and their latency counts
//! from the instant at which each was to be sent, so that a gateway that stalls cannot slow its own measurement.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::{
    gateway::{Account, Gateway, memory_of_roles},
    http::Connection,
    latency::{Percentiles, micros},
    payload,
    processes::Snapshot,
    progress::Progress,
    sink::{Sink, Stats, now_ns},
};

/// Nothing arrives for so long: the rest is missing.
const STALL: Duration = Duration::from_secs(30);
/// CPU time counts on for so long after the last delivery.
const SETTLE: Duration = Duration::from_secs(2);

/// Whom events are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Each for one endpoint, in turns.
    Single,
    /// Each for all endpoints, which have one owner.
    Fanout,
}

/// What to send.
#[derive(Debug, Clone, clap::Args)]
pub struct Load {
    /// Events; with --rate that many seconds' worth.
    #[arg(short = 'n', long, default_value_t = 20_000)]
    pub events: u64,
    /// Connections.
    #[arg(short = 'c', long, default_value_t = 64)]
    pub connections: u32,
    /// Bytes of a payload, 128 to 1,000,000.
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(128..=1_000_000))]
    pub size: u32,
    /// Endpoints.
    #[arg(short = 'k', long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub endpoints: u32,
    /// Whom each event is for.
    #[arg(long, value_enum, default_value_t = Mode::Single)]
    pub mode: Mode,
    /// Events per second; without it as many as the connections carry.
    #[arg(long)]
    pub rate: Option<f64>,
    /// Of the endpoints so many never answer.
    #[arg(long, default_value_t = 0)]
    pub hang: u32,
    /// Of the endpoints so many refuse connections.
    #[arg(long, default_value_t = 0)]
    pub refuse: u32,
    /// What the subscriptions are made with, besides their names and endpoints.
    #[arg(skip)]
    pub subscription: serde_json::Map<String, serde_json::Value>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Events that the gateway answered with 2xx.
    pub accepted: u64,
    /// Other answers, and failures.
    pub refused: u64,
    /// Deliveries expected at endpoints that answer.
    pub expected: u64,
    /// Of accepting.
    pub accept: Percentiles,
    /// What arrived.
    pub arrived: Stats,
    /// Deliveries per second, from the first event sent to the last one that arrived.
    pub per_second: f64,
    /// What the gateway used and did meanwhile.
    pub account: Account,
    /// Most resident memory of the roles meanwhile.
    pub memory_bytes: u64,
}

impl Outcome {
    /// CPU milliseconds per delivery, of everything or of one part.
    pub fn cpu_ms(&self, part: Option<&str>) -> f64 {
        let cpu = match part {
            Some(part) => self.account.parts.get(part).map_or(Duration::ZERO, |usage| usage.cpu),
            None => self.account.cpu(),
        };
        cpu.as_secs_f64() * 1_000.0 / self.deliveries()
    }

    /// Deliveries that arrived, at least one.
    #[expect(clippy::cast_precision_loss, reason = "a count of events")]
    pub fn deliveries(&self) -> f64 {
        self.arrived.unique.max(1) as f64
    }
}

/// Creates endpoints, warms up, sends, and waits for what is to arrive.
pub async fn run(gateway: &Gateway, sink: &Sink, load: &Load, name: &str) -> Result<Outcome> {
    let run = now_ns() / 1_000_000;
    let targets = create(gateway, sink, load, run).await?;
    run_to(gateway, sink, load, name, (run, &targets)).await
}

/// The same to endpoints that were made for this run.
pub async fn run_to(
    gateway: &Gateway,
    sink: &Sink,
    load: &Load,
    name: &str,
    (run, targets): (u64, &Arc<Targets>),
) -> Result<Outcome> {
    sink.reset(run + 1).await?;
    let healthy = load.endpoints.saturating_sub(load.hang + load.refuse);
    let warm = Load { events: u64::from(load.endpoints), rate: None, connections: 4, ..load.clone() };
    let per_event = if load.mode == Mode::Fanout { u64::from(healthy) } else { 1 };
    let warm_expected = if load.mode == Mode::Fanout { warm.events * per_event } else { u64::from(healthy) };
    send(gateway, &warm, targets, run + 1, &Progress::none()).await?;
    wait(sink, warm_expected, &Progress::none()).await?;
    sink.reset(run).await?;
    let before = gateway.account().await?;
    let progress = Progress::new(name, load.events * per_event);
    let began = now_ns();
    let measured = async {
        let sent = send(gateway, load, targets, run, &progress).await?;
        let expected = if load.mode == Mode::Fanout { sent.accepted * per_event } else { sent.accepted_healthy };
        let arrived = wait(sink, expected, &progress).await?;
        tokio::time::sleep(SETTLE).await;
        anyhow::Ok((sent, expected, arrived))
    };
    let mut memory_bytes = 0;
    tokio::pin!(measured);
    let (sent, expected, arrived) = loop {
        tokio::select! {
            measured = &mut measured => break measured?,
            bytes = watch(gateway) => memory_bytes = memory_bytes.max(bytes),
        }
    };
    progress.end();
    let account = gateway.account().await?.since(&before);
    let seconds = Duration::from_nanos(arrived.last_ns.saturating_sub(began)).as_secs_f64().max(0.001);
    #[expect(clippy::cast_precision_loss, reason = "a count of events")]
    let per_second = arrived.unique as f64 / seconds;
    let accept = Percentiles::of(sent.micros);
    let (accepted, refused) = (sent.accepted, sent.refused);
    Ok(Outcome { accepted, refused, expected, accept, arrived, per_second, account, memory_bytes })
}

/// The roles' memory, a moment from now.
async fn watch(gateway: &Gateway) -> u64 {
    tokio::time::sleep(Duration::from_millis(200)).await;
    memory_of_roles(&gateway.usage())
}

/// Where the events go, in turns.
pub struct Targets {
    endpoints: Vec<String>,
    owner: String,
}

/// Makes the endpoints that the load is for, with their subscriptions.
pub async fn create(gateway: &Gateway, sink: &Sink, load: &Load, run: u64) -> Result<Arc<Targets>> {
    let owner = format!("owner-{run}");
    let mut endpoints = Vec::new();
    for number in 0..load.endpoints {
        let url = match number {
            number if number < load.hang => format!("http://{}/hang/{run}/{number}", sink.address),
            // Nothing listens on port 1.
            number if number < load.hang + load.refuse => format!("http://127.0.0.1:1/{run}/{number}"),
            number => format!("http://{}/ok/{run}/{number}", sink.address),
        };
        let body = json!({"name": format!("bench-{run}-{number}"), "url": url, "owner_id": owner});
        let endpoint = gateway.client.create("endpoints", &body).await?;
        let mut body = load.subscription.clone();
        body.insert("name".into(), format!("bench-{run}-{number}").into());
        body.insert("endpoint_id".into(), endpoint.as_str().into());
        gateway.client.create("subscriptions", &body.into()).await?;
        endpoints.push(endpoint);
    }
    Ok(Arc::new(Targets { endpoints, owner }))
}

impl Targets {
    /// Whose endpoints they are.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The first endpoint's id.
    pub fn first(&self) -> Option<&str> {
        self.endpoints.first().map(String::as_str)
    }
}

/// What was sent.
#[derive(Default)]
pub struct Sent {
    accepted: u64,
    accepted_healthy: u64,
    refused: u64,
    micros: Vec<u32>,
}

impl Sent {
    /// Events that were answered with 2xx.
    pub const fn accepted(&self) -> u64 {
        self.accepted
    }
}

/// Sends the load's events.
pub async fn send(
    gateway: &Gateway,
    load: &Load,
    targets: &Arc<Targets>,
    run: u64,
    progress: &Progress,
) -> Result<Sent> {
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut connections = tokio::task::JoinSet::new();
    for _ in 0..load.connections {
        let (load, targets, next) = (load.clone(), Arc::clone(targets), Arc::clone(&next));
        let head = Head { api: gateway.api, project: gateway.project.clone(), key: gateway.key.clone() };
        connections.spawn(async move { send_some(&head, &load, &targets, (run, began), &next).await });
    }
    let mut sent = Sent::default();
    while let Some(some) = connections.join_next().await {
        let some = some??;
        sent.accepted += some.accepted;
        sent.accepted_healthy += some.accepted_healthy;
        sent.refused += some.refused;
        sent.micros.extend(some.micros);
        progress.note("sent", next.load(Ordering::Relaxed).min(load.events));
    }
    Ok(sent)
}

struct Head {
    api: SocketAddr,
    project: String,
    key: String,
}

async fn send_some(
    head: &Head,
    load: &Load,
    targets: &Targets,
    (run, began): (u64, Instant),
    next: &AtomicU64,
) -> Result<Sent> {
    let mut connection = Connection::open(head.api).await?;
    let (mut sent, mut body, mut request) = (Sent::default(), Vec::new(), Vec::new());
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= load.events {
            return Ok(sent);
        }
        let at = match load.rate {
            #[expect(clippy::cast_precision_loss, reason = "a count of events")]
            Some(rate) => began + Duration::from_secs_f64(number as f64 / rate),
            None => Instant::now(),
        };
        tokio::time::sleep_until(at.into()).await;
        // Both clocks are read together, so that the receiver can count from the instant meant.
        let at_ns = now_ns() - u64::try_from(at.elapsed().as_nanos()).unwrap_or(0);
        let endpoint = usize::try_from(number).unwrap_or(0) % targets.endpoints.len().max(1);
        body.clear();
        let path = match (load.mode, targets.endpoints.get(endpoint)) {
            (Mode::Single, Some(id)) => {
                body.extend_from_slice(format!("{{\"endpoint_id\":\"{id}\",").as_bytes());
                "events"
            }
            _ => {
                body.extend_from_slice(format!("{{\"owner_id\":\"{}\",", targets.owner).as_bytes());
                "events/fanout"
            }
        };
        body.extend_from_slice(b"\"event_type\":\"bench.event\",\"data\":");
        payload::write(&mut body, run, number, at_ns, usize::try_from(load.size).unwrap_or(1_024));
        body.push(b'}');
        request.clear();
        let Head { api, project, key } = head;
        request.extend_from_slice(
            format!(
                "POST /api/v1/projects/{project}/{path} HTTP/1.1\r\nHost: {api}\r\nAuthorization: Bearer {key}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            )
            .as_bytes(),
        );
        request.extend_from_slice(&body);
        let status = connection.call(&request).await.context("post an event")?;
        sent.micros.push(micros(at.elapsed()));
        if (200..300).contains(&status) {
            sent.accepted += 1;
            let is_healthy = endpoint >= usize::try_from(load.hang + load.refuse).unwrap_or(0);
            sent.accepted_healthy += u64::from(is_healthy);
        } else {
            sent.refused += 1;
        }
    }
}

/// Waits until so many deliveries have arrived.
pub async fn wait(sink: &Sink, expected: u64, progress: &Progress) -> Result<Stats> {
    let (mut last, mut changed) = (0, Instant::now());
    loop {
        let stats = sink.stats().await?;
        progress.note("arrived", stats.unique);
        if stats.unique >= expected {
            return Ok(stats);
        }
        if stats.unique > last {
            (last, changed) = (stats.unique, Instant::now());
        }
        if changed.elapsed() > STALL {
            bail!("{} of {expected} deliveries arrived, and then none for {STALL:?}", stats.unique);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The same requests straight to the receiver: what a client and a receiver cost without any gateway between.
pub async fn bare(sink: &Sink, load: &Load) -> Result<(Outcome, Duration)> {
    let run = now_ns() / 1_000_000;
    sink.reset(run).await?;
    let head = Head { api: sink.address, project: String::new(), key: "none".into() };
    let targets = Arc::new(Targets { endpoints: vec!["bare".into()], owner: String::new() });
    let next = Arc::new(AtomicU64::new(0));
    let both = [std::process::id(), sink.id()];
    let before = Snapshot::take().usage(&both);
    let (began, began_ns) = (Instant::now(), now_ns());
    let mut connections = tokio::task::JoinSet::new();
    for _ in 0..load.connections {
        let (load, targets, next) = (load.clone(), Arc::clone(&targets), Arc::clone(&next));
        let head = Head { api: head.api, project: head.project.clone(), key: head.key.clone() };
        connections.spawn(async move { send_some(&head, &load, &targets, (run, began), &next).await });
    }
    let mut micros = Vec::new();
    while let Some(some) = connections.join_next().await {
        micros.extend(some??.micros);
    }
    let arrived = wait(sink, load.events, &Progress::none()).await?;
    let cpu = Snapshot::take().usage(&both).cpu.saturating_sub(before.cpu);
    let seconds = Duration::from_nanos(arrived.last_ns.saturating_sub(began_ns)).as_secs_f64().max(0.001);
    #[expect(clippy::cast_precision_loss, reason = "a count of events")]
    let per_second = arrived.unique as f64 / seconds;
    let outcome = Outcome {
        accepted: load.events,
        refused: 0,
        expected: load.events,
        accept: Percentiles::of(micros),
        arrived,
        per_second,
        account: Account { parts: BTreeMap::new(), ..Account::default() },
        memory_bytes: 0,
    };
    Ok((outcome, cpu))
}
