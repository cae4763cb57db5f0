//! What schedulers tell of leadership, and of what all share: the queues and the breakers in Redis. Every instance looks at
//! them at an interval, however often it is scraped: where there are several, `max by (queue)` is the queue's number.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, UNIX_EPOCH},
};

use chrono::Utc;
use posthouse_jobs::{
    QUEUES, Queues,
    queue::{OpenBreakers, QueueError, Sample},
};
use posthouse_schema::lease::FencingToken;
use posthouse_service::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};
use tokio_util::sync::CancellationToken;

/// How often Redis is looked at. It takes three round trips a queue.
const INTERVAL: Duration = Duration::from_secs(10);

type Seconds = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Queue {
    queue: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Jobs {
    queue: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

/// What a scheduler tells. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SchedulerMetrics {
    leads: Gauge,
    fencing_token: Gauge,
    jobs: Family<Jobs, Gauge>,
    oldest_seconds: Family<Queue, Seconds>,
    paused: Family<Queue, Gauge>,
    done: Family<Queue, Counter>,
    failed: Family<Queue, Counter>,
    died: Family<Queue, Counter>,
    taken_over: Family<Queue, Counter>,
    breakers: Family<State, Gauge>,
    sampled_at: Seconds,
    sample_failures: Counter,
}

/// A term as leader, for as long as it lives.
#[derive(Debug)]
pub(super) struct Term(Gauge);

impl Drop for Term {
    fn drop(&mut self) {
        self.0.set(0);
    }
}

impl SchedulerMetrics {
    /// Registers them.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            leads: metrics.register("scheduler_leader", "Whether this scheduler is the active one", Gauge::default()),
            fencing_token: metrics.register(
                "scheduler_fencing_token",
                "Token of this scheduler's last term; 0 for none",
                Gauge::default(),
            ),
            jobs: metrics.register("queue_jobs", "Jobs of a queue by where they are", Family::default()),
            oldest_seconds: metrics.register(
                "queue_oldest_seconds",
                "How long the oldest job that may run has waited",
                Family::default(),
            ),
            paused: metrics.register("queue_paused", "Whether a queue is paused", Family::default()),
            done: metrics.register("queue_done", "Jobs done", Family::default()),
            failed: metrics.register("queue_failed_tries", "Failed tries of jobs", Family::default()),
            died: metrics.register("queue_died", "Jobs that became dead letters", Family::default()),
            taken_over: metrics.register("queue_taken_over", "Jobs taken over from dead workers", Family::default()),
            breakers: metrics.register(
                "breakers",
                "Circuit breakers of endpoints that are not closed",
                Family::default(),
            ),
            sampled_at: metrics.register(
                "queue_sampled_timestamp_seconds",
                "When the queues were looked at, Unix time; 0 for never",
                Seconds::default(),
            ),
            sample_failures: metrics.register(
                "queue_sample_failures",
                "Times that the queues could not be looked at",
                Counter::default(),
            ),
        }
    }

    /// This scheduler is the active one until the answer is dropped.
    pub(super) fn lead(&self, token: FencingToken) -> Term {
        self.leads.set(1);
        self.fencing_token.set(token.0);
        Term(self.leads.clone())
    }

    /// Looks at the queues and breakers until `shutdown`.
    pub async fn watch(&self, queues: &Queues, shutdown: &CancellationToken) {
        let mut known = OpenBreakers::default();
        let watching = async {
            loop {
                if let Err(error) = self.look(queues, &mut known).await {
                    self.sample_failures.inc();
                    tracing::debug!(error = %error, "The queues could not be looked at.");
                }
                tokio::time::sleep(INTERVAL).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = watching => {}
        }
    }

    async fn look(&self, queues: &Queues, known: &mut OpenBreakers) -> Result<(), QueueError> {
        for queue in QUEUES {
            self.show(queue, &queues.view(queue).sample().await?);
        }
        if let Some(changed) = queues.open_breakers(&known.version).await? {
            *known = changed;
        }
        let now = Utc::now();
        let mut states = HashMap::from([("open", 0), ("half-open", 0)]);
        for endpoint in known.open.keys() {
            *states.entry(known.state(*endpoint, now)).or_default() += 1;
        }
        for (state, count) in states {
            self.breakers.get_or_create(&State { state }).set(count);
        }
        self.sampled_at.set(UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64());
        Ok(())
    }

    fn show(&self, queue: &'static str, sample: &Sample) {
        let counts = &sample.counts;
        for (state, count) in [
            ("ready", counts.ready),
            ("delayed", counts.delayed),
            ("running", counts.running),
            ("failing", counts.failing),
            ("dead", counts.dead),
        ] {
            self.jobs.get_or_create(&Jobs { queue, state }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let of = Queue { queue };
        self.oldest_seconds.get_or_create(&of).set(sample.oldest.as_secs_f64());
        self.paused.get_or_create(&of).set(i64::from(sample.is_paused));
        for (counter, count) in [
            (&self.done, counts.done),
            (&self.failed, counts.failed),
            (&self.died, counts.died),
            (&self.taken_over, counts.taken_over),
        ] {
            // Redis counts for all; this one follows.
            counter.get_or_create(&of).inner().store(count, Relaxed);
        }
    }
}
