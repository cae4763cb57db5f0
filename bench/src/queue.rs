//! What the queue promises, measured on a Redis of its own with an append-only file: one process pushes, one worker takes.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use apalis_core::task::data::Data;
use chrono::{DateTime, TimeDelta, Utc};
use posthouse_e2e::{
    folder::RunFolder,
    services::{Place, Redis},
};
use posthouse_jobs::{BackendSettings, Job, Queues, queue::run_worker};
use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    cases::median,
    latency::{Percentiles, micros},
    processes::Snapshot,
    progress::Progress,
    redis_info,
    table::{Goal, Row},
};

/// A job of about 200 bytes that does nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Nothing {
    number: u64,
    due_us: i64,
    filling: String,
}

impl Job for Nothing {
    const QUEUE: &'static str = "bench";
}

fn nothing(number: u64, due: DateTime<Utc>) -> Nothing {
    Nothing { number, due_us: due.timestamp_micros(), filling: "x".repeat(140) }
}

/// What a worker has run.
#[derive(Default)]
struct Seen {
    count: AtomicU64,
    /// One of them has ended.
    ran: Notify,
    /// How late each job was that had a time.
    late_us: Mutex<Vec<u32>>,
}

struct Worker {
    seen: Arc<Seen>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Worker {
    fn start(queues: &Queues) -> Self {
        Self::start_with(queues, BackendSettings { batch: 1_000, concurrency: 4_000, ..BackendSettings::default() })
    }

    fn start_with(queues: &Queues, settings: BackendSettings) -> Self {
        let (seen, stop) = (Arc::new(Seen::default()), CancellationToken::new());
        let handler = async |job: Nothing, seen: Data<Arc<Seen>>| {
            if job.due_us > 0 {
                let late = Utc::now().timestamp_micros().saturating_sub(job.due_us);
                if let Ok(mut all) = seen.late_us.lock() {
                    all.push(u32::try_from(late.max(0)).unwrap_or(u32::MAX));
                }
            }
            seen.count.fetch_add(1, Ordering::Relaxed);
            seen.ran.notify_one();
            Ok(())
        };
        let running = tokio::spawn(run_worker(queues.clone(), settings, Arc::clone(&seen), handler, stop.clone()));
        Self { seen, stop, running }
    }

    async fn reach(&self, count: u64, progress: &Progress) -> Result<()> {
        let began = Instant::now();
        while self.seen.count.load(Ordering::Relaxed) < count {
            progress.note("run", self.seen.count.load(Ordering::Relaxed));
            if began.elapsed() > Duration::from_secs(300) {
                bail!("{} of {count} jobs ran", self.seen.count.load(Ordering::Relaxed));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.running.await.context("the worker")
    }
}

/// All promises, in a table.
pub async fn measure(folder: &Path, jobs: u64) -> Result<Vec<Row>> {
    let folder = RunFolder::create(folder, "queue")?;
    let mut redis = Redis::start(Place::new(folder.data(), folder.logs())?).await?;
    let queues = Queues::connect(&redis.url(), "bench").await?;
    // Redis rewrites its file whenever it has doubled; whichever figure that fell into would be a matter of chance.
    redis_info::set(&redis.url(), "auto-aof-rewrite-percentage", "0").await?;
    let mut rows = throughput(&queues, &redis.url(), jobs).await?;
    rows.extend(backlog(&queues, (redis.id(), &redis.url()), jobs).await?);
    rows.extend(promptness(&queues).await?);
    redis.stop().await?;
    Ok(rows)
}

async fn push(queues: &Queues, jobs: u64, progress: &Progress) -> Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    let next = Arc::new(AtomicU64::new(0));
    for _ in 0..4 {
        let (queues, next) = (queues.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let first = next.fetch_add(1_000, Ordering::Relaxed);
                if first >= jobs {
                    return anyhow::Ok(());
                }
                let last = (first + 1_000).min(jobs);
                let batch: Vec<_> = (first..last).map(|number| nothing(number, DateTime::UNIX_EPOCH)).collect();
                queues.push_all(&batch).await?;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
        progress.note("pushed", next.load(Ordering::Relaxed).min(jobs));
    }
    Ok(())
}

async fn throughput(queues: &Queues, redis: &str, jobs: u64) -> Result<Vec<Row>> {
    // Scripts and structures that stay are there before memory is read.
    let worker = Worker::start(queues);
    push(queues, 1_000, &Progress::none()).await?;
    worker.reach(1_000, &Progress::none()).await?;
    worker.stop().await?;
    let before = redis_info::number(redis, "memory", "used_memory").await?;
    let progress = Progress::new("queue: push", jobs);
    let began = Instant::now();
    push(queues, jobs, &progress).await?;
    let pushed = whole(jobs) / began.elapsed().as_secs_f64();
    progress.end();
    let progress = Progress::new("queue: take", jobs);
    let began = Instant::now();
    let worker = Worker::start(queues);
    worker.reach(jobs, &progress).await?;
    let taken = whole(jobs) / began.elapsed().as_secs_f64();
    progress.end();
    worker.stop().await?;
    let mut after = before;
    // What was freed is counted a moment later.
    for _ in 0..50 {
        after = redis_info::number(redis, "memory", "used_memory").await?;
        if after <= before + (1 << 20) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let left = (whole(after) - whole(before)) / f64::from(1 << 20);
    Ok(vec![
        Row::new(
            &format!("{jobs} jobs of 200 bytes, one process"),
            "pushed per second",
            pushed,
            Some(Goal::at_least(150_000.0, 400_000.0)),
        ),
        Row::new("", "taken, run and acknowledged per second", taken, Some(Goal::at_least(100_000.0, 200_000.0))),
        Row::new("", "memory that Redis keeps afterwards, MiB", left, Some(Goal::at_most(1.0, 0.0))),
    ])
}

/// CPU time of Redis and of this process for a job, with little and with much waiting; both three times in turns, because
/// whatever else the machine does shows in either.
async fn backlog(queues: &Queues, (redis, url): (u32, &str), jobs: u64) -> Result<Vec<Row>> {
    let sample = (jobs / 5).max(1_000);
    let (mut little, mut much, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        let (one, other) =
            (cost_among(queues, redis, 1_000, sample).await?, cost_among(queues, redis, jobs, sample).await?);
        little.push(one);
        much.push(other);
        ratios.push(other / one.max(0.001));
    }
    let slow = slow_scripts(queues, url, jobs).await?;
    Ok(vec![
        Row::new("CPU time for a job: push, take, acknowledge", "with 1,000 waiting, µs", median(little), None),
        Row::new("", &format!("with {jobs} waiting, µs"), median(much), None),
        Row::new("", "the same as a ratio", median(ratios), Some(Goal::at_most(1.2, 1.0))),
        Row::new(
            &format!("full batches among {jobs} waiting, one at a time"),
            "scripts of more than 5 ms, quietest of three passes",
            whole(slow),
            Some(Goal::at_most(0.0, 0.0)),
        ),
    ])
}

/// Microseconds for a job while `waiting` others wait: whenever a thousand have run, a thousand are pushed.
async fn cost_among(queues: &Queues, redis: u32, waiting: u64, sample: u64) -> Result<f64> {
    push(queues, waiting, &Progress::none()).await?;
    let settings = BackendSettings { batch: 500, concurrency: 1_000, ..BackendSettings::default() };
    let before = cpu(redis);
    let worker = Worker::start_with(queues, settings);
    for round in 1..=sample / 1_000 {
        worker.reach(round * 1_000, &Progress::none()).await?;
        push(queues, 1_000, &Progress::none()).await?;
    }
    let run = worker.seen.count.load(Ordering::Relaxed);
    let cost = (cpu(redis) - before).as_secs_f64() * 1e6 / whole(run);
    worker.stop().await?;
    let worker = Worker::start(queues);
    until_empty(queues).await?;
    worker.stop().await?;
    Ok(cost)
}

/// How many scripts take Redis more than 5 ms with `jobs` waiting, in the quietest of up to three passes. Calls follow one
/// another: Redis counts the time for which its process does not run too, and beside a client that is busy on every core
/// that is longer than any script. A script that is slow by itself is so in every pass.
async fn slow_scripts(queues: &Queues, url: &str, jobs: u64) -> Result<u64> {
    push(queues, jobs, &Progress::none()).await?;
    let mut fewest = u64::MAX;
    for _ in 0..3 {
        fewest = fewest.min(slow_in_a_pass(queues, url).await?);
        if fewest == 0 {
            break;
        }
    }
    let worker = Worker::start(queues);
    until_empty(queues).await?;
    worker.stop().await?;
    Ok(fewest)
}

/// 100,000 jobs are pushed, and as many taken.
async fn slow_in_a_pass(queues: &Queues, url: &str) -> Result<u64> {
    redis_info::ask::<()>(url, &["SLOWLOG", "RESET"]).await?;
    redis_info::set(url, "slowlog-log-slower-than", "5000").await?;
    let sample: Vec<_> = (0..500).map(|number| nothing(number, DateTime::UNIX_EPOCH)).collect();
    for _ in 0..200 {
        queues.push_all(&sample).await?;
    }
    let one_at_a_time = BackendSettings { batch: 500, concurrency: 500, ..BackendSettings::default() };
    let worker = Worker::start_with(queues, one_at_a_time);
    worker.reach(100_000, &Progress::none()).await?;
    let slow = redis_info::ask(url, &["SLOWLOG", "LEN"]).await?;
    redis_info::set(url, "slowlog-log-slower-than", "-1").await?;
    worker.stop().await?;
    Ok(slow)
}

async fn until_empty(queues: &Queues) -> Result<()> {
    let (view, began) = (queues.view(Nothing::QUEUE), Instant::now());
    loop {
        let counts = view.counts().await?;
        if counts.ready + counts.running == 0 {
            return Ok(());
        }
        if began.elapsed() > Duration::from_secs(300) {
            bail!("{} jobs are left", counts.ready + counts.running);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Of Redis and of this process.
fn cpu(redis: u32) -> Duration {
    Snapshot::take().usage(&[redis, std::process::id()]).cpu
}

async fn promptness(queues: &Queues) -> Result<Vec<Row>> {
    let worker = Worker::start(queues);
    let mut starts = Vec::new();
    for number in 1..=300 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let began = Instant::now();
        queues.push(&nothing(number, DateTime::UNIX_EPOCH)).await?;
        while worker.seen.count.load(Ordering::Relaxed) < number {
            worker.seen.ran.notified().await;
        }
        starts.push(micros(began.elapsed()));
    }
    let idle = Percentiles::of(starts);
    // Pushed over the first seconds, due over the ten after.
    let (pending, first) = (50_000, Utc::now() + TimeDelta::seconds(15));
    let mut tasks = tokio::task::JoinSet::new();
    for part in 0..50_i64 {
        let queues = queues.clone();
        tasks.spawn(async move {
            for number in 0..1_000_i64 {
                let due = first + TimeDelta::microseconds((number * 50 + part) * 200);
                queues.push_at(&nothing(0, due), due).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    if Utc::now() > first {
        bail!("this machine is too slow to set up {pending} delays within 15 s");
    }
    let progress = Progress::new("queue: delays", pending + 300);
    worker.reach(pending + 300, &progress).await?;
    progress.end();
    let late = worker.seen.late_us.lock().map(|mut late| std::mem::take(&mut *late)).unwrap_or_default();
    let delays = Percentiles::of(late);
    worker.stop().await?;
    Ok(vec![
        Row::new("a job pushed to an idle queue", "starts after, p50, ms", idle.p50_ms, Some(Goal::at_most(5.0, 1.0))),
        Row::new("", "starts after, p99, ms", idle.p99_ms, Some(Goal::at_most(5.0, 2.0))),
        Row::new(
            "50,000 delays pending, 5,000 due a second",
            "late, p99, ms",
            delays.p99_ms,
            Some(Goal::at_most(100.0, 20.0)),
        ),
        Row::new("", "late, max, ms", delays.max_ms, Some(Goal::at_most(100.0, 50.0))),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn whole(number: u64) -> f64 {
    number as f64
}
