//! A job, and workers that tell the test what they run.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use apalis_core::{error::BoxDynError, task::data::Data};
use posthouse_jobs::{
    BackendSettings, Job, Queues,
    queue::{Counts, run_worker},
};
use serde::{Deserialize, Serialize};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Work {
    pub number: u64,
    #[serde(default)]
    pub id: Option<String>,
}

impl Job for Work {
    const QUEUE: &'static str = "work";

    fn job_id(&self) -> Option<String> {
        self.id.clone()
    }
}

pub fn work(number: u64) -> Work {
    Work { number, id: None }
}

pub fn named(number: u64, id: &str) -> Work {
    Work { number, id: Some(id.into()) }
}

/// Settings in which everything happens soon.
pub fn settings() -> BackendSettings {
    BackendSettings {
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_millis(20),
        heartbeat: Duration::from_millis(200),
        lease: Duration::from_millis(1_000),
        drain: Duration::from_secs(5),
        ..BackendSettings::default()
    }
}

/// What was run, in order, and when it began.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<(u64, Instant)>>>);

impl Seen {
    pub fn note(&self, number: u64) {
        self.0.lock().unwrap().push((number, Instant::now()));
    }

    pub fn numbers(&self) -> Vec<u64> {
        self.0.lock().unwrap().iter().map(|(number, _)| *number).collect()
    }

    pub fn last(&self) -> Option<(u64, Instant)> {
        self.0.lock().unwrap().last().copied()
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Waits until `count` jobs have been run.
    pub async fn reach(&self, count: usize) {
        until(&format!("{count} runs"), async || self.len() >= count).await;
    }
}

/// Waits until `holds`.
pub async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub struct Worker {
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Worker {
    /// Runs `handler` on the queue of [`Work`].
    pub fn start<H, F>(queues: &Queues, settings: BackendSettings, handler: H) -> Self
    where
        H: Fn(Work) -> F + Clone + Send + 'static,
        F: Future<Output = Result<(), BoxDynError>> + Send + 'static,
    {
        let (stop, queues) = (CancellationToken::new(), queues.clone());
        let shutdown = stop.clone();
        let handler = move |job: Work, _: Data<()>| handler(job);
        let running = tokio::spawn(run_worker(queues, settings, (), handler, shutdown));
        Self { stop, running }
    }

    /// Notes every job and calls it done.
    pub fn noting(queues: &Queues, settings: BackendSettings, seen: &Seen) -> Self {
        let seen = seen.clone();
        Self::start(queues, settings, move |job| {
            seen.note(job.number);
            async { Ok(()) }
        })
    }

    /// Ends as a crash would: nothing is handed back, no heartbeat comes any more.
    pub async fn crash(self) {
        self.running.abort();
        assert!(self.running.await.unwrap_err().is_cancelled());
    }

    pub async fn stop(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.running).await.unwrap().unwrap();
    }
}

pub async fn counts(queues: &Queues) -> Counts {
    queues.view(Work::QUEUE).counts().await.unwrap()
}

/// Nothing waits, runs or lies dead.
pub async fn is_empty(queues: &Queues) -> bool {
    let counts = counts(queues).await;
    (counts.ready, counts.delayed, counts.running, counts.failing, counts.dead) == (0, 0, 0, 0, 0)
}
