//! Follows the sources of the database: each enabled broker source has one task, and a task is replaced when anything
//! about its source changes. The new task begins after the old one has ended, so a source never has two consumers here. They
//! are read when the API tells of a change, and now and then, should that be missed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use posthouse_schema::{
    ids::SourceId,
    pool::Pool,
    source_feed::{FeedSource, broker_sources_all_projects},
};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    broker::settings,
    fault::Fault,
    follow::Follower,
    status::End,
    stop::{Farewell, Stop},
};

/// Sources of one read.
const PAGE: i64 = 500;
/// Longest wait for the database.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Earlier topics of a source that are remembered for unsubscribing.
const STALE_TOPICS_MAX: usize = 16;
/// How long changes are gathered before the sources are read: many in a row take few reads.
const GATHERING: Duration = Duration::from_millis(250);

/// A source and the task that consumes it, if it is enabled.
#[derive(Debug)]
struct Followed {
    source: FeedSource,
    stale_topics: Vec<String>,
    stop: Stop,
    /// Cancelled when the task has ended, however it did.
    ended: CancellationToken,
}

/// All sources that this instance follows.
pub struct Feed {
    follower: Arc<Follower>,
    followed: HashMap<SourceId, Followed>,
    tasks: JoinSet<()>,
}

impl Feed {
    /// Follows nothing yet.
    #[must_use]
    pub fn new(follower: Follower) -> Self {
        Self { follower: Arc::new(follower), followed: HashMap::new(), tasks: JoinSet::new() }
    }

    /// Reads the sources when a change is told and every `poll_interval`, and follows them, until `shutdown`. Then every
    /// source stops taking, finishes what it took, and leaves its session to the broker, for at most `drain_timeout`.
    pub async fn run(mut self, poll_interval: Duration, drain_timeout: Duration, shutdown: CancellationToken) {
        let (queues, changed) = (self.follower.intake.queues.clone(), Notify::new());
        tokio::select! {
            () = self.follow(poll_interval, &changed, &shutdown) => {}
            never = queues.hear_source_changes(&changed) => match never {},
        }
        self.drain(drain_timeout).await;
    }

    async fn follow(&mut self, poll_interval: Duration, changed: &Notify, shutdown: &CancellationToken) {
        let mut ticks = interval(poll_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut fault = Fault::default();
        loop {
            let sources = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                sources = next_sources(&mut ticks, changed, &self.follower.pool) => sources,
            };
            self.reap();
            match sources {
                Ok(sources) => {
                    if fault.is_over() {
                        tracing::info!("The sources can be read again.");
                    }
                    self.reconcile(sources);
                }
                Err(error) => {
                    if fault.is_news(&error) {
                        tracing::error!(error, "The sources cannot be read; those known are followed as they were.");
                    }
                }
            }
        }
    }

    /// Brings the tasks in line with the sources: what is new starts, what is gone stops, what changed does both.
    fn reconcile(&mut self, sources: Vec<FeedSource>) {
        let live: HashSet<SourceId> = sources.iter().map(|source| source.id).collect();
        let gone: Vec<SourceId> = self.followed.keys().filter(|id| !live.contains(id)).copied().collect();
        for id in gone {
            if let Some(followed) = self.followed.remove(&id) {
                self.leave(followed);
            }
        }
        for source in sources {
            let Some(followed) = self.followed.get_mut(&source.id) else {
                let ended = CancellationToken::new();
                ended.cancel();
                self.start(source, Vec::new(), ended);
                continue;
            };
            let has_died = followed.ended.is_cancelled() && !followed.stop.is_requested();
            if followed.source == source && !has_died {
                continue;
            }
            followed.stop.request(farewell(&followed.source, &source));
            let (stale_topics, ended) = (followed.stale_topics_for(&source), followed.ended.clone());
            self.start(source, stale_topics, ended);
        }
    }

    fn start(&mut self, source: FeedSource, stale_topics: Vec<String>, previous_ended: CancellationToken) {
        let followed = if source.is_disabled {
            let stop = Stop::default();
            stop.request(Farewell::Keep);
            let (follower, resting, ended) = (Arc::clone(&self.follower), source.clone(), previous_ended.clone());
            self.tasks.spawn(async move {
                ended.cancelled().await;
                follower.intake.metrics.statuses().end(&resting, End::Resting);
            });
            Followed { source, stale_topics, stop, ended: previous_ended }
        } else {
            let (stop, ended) = (Stop::default(), CancellationToken::new());
            let followed = Followed {
                source: source.clone(),
                stale_topics: stale_topics.clone(),
                stop: stop.clone(),
                ended: ended.clone(),
            };
            let follower = Arc::clone(&self.follower);
            let guard = ended.drop_guard();
            self.tasks.spawn(async move {
                previous_ended.cancelled().await;
                follower.follow(&source, stale_topics, &stop).await;
                drop(guard);
            });
            followed
        };
        self.followed.insert(followed.source.id, followed);
    }

    /// Stops a source that is gone. The broker is told even when nobody consumed it, because it was disabled.
    fn leave(&mut self, followed: Followed) {
        let was_consumed = !followed.stop.is_requested();
        followed.stop.request(Farewell::Forget);
        let follower = Arc::clone(&self.follower);
        self.tasks.spawn(async move {
            followed.ended.cancelled().await;
            if !was_consumed {
                follower.forget(&followed.source).await;
            }
            follower.intake.metrics.forget(followed.source.id);
            follower.intake.metrics.statuses().end(&followed.source, End::Gone);
        });
    }

    /// Takes note of tasks that have ended. One that panicked is started again by the next reconciliation.
    fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "The task of a source ended unexpectedly.");
            }
        }
    }

    async fn drain(&mut self, drain_timeout: Duration) {
        for followed in self.followed.values() {
            followed.stop.request(Farewell::Keep);
        }
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(drain_timeout, all).await.is_err() {
            tracing::warn!("The drain takes too long; what is not acknowledged is left to the brokers.");
            self.tasks.shutdown().await;
        }
    }
}

impl Followed {
    /// The filters that the kept session may hold besides the next one.
    fn stale_topics_for(&self, next: &FeedSource) -> Vec<String> {
        let (Ok(current), Ok(next)) = (settings(&self.source), settings(next)) else {
            return self.stale_topics.clone();
        };
        if !current.shares_session(&next) {
            return Vec::new();
        }
        let earlier = self.stale_topics.iter().map(String::as_str).chain(current.session_topic());
        let mut topics: Vec<String> =
            earlier.filter(|topic| Some(*topic) != next.session_topic()).map(str::to_owned).collect();
        topics.dedup();
        let surplus = topics.len().saturating_sub(STALE_TOPICS_MAX);
        topics.drain(..surplus);
        topics
    }
}

/// A source that moves to another place at its broker, or to another broker, leaves nothing behind.
fn farewell(current: &FeedSource, next: &FeedSource) -> Farewell {
    match (settings(current), settings(next)) {
        (Ok(current), Ok(next)) if !current.shares_session(&next) => Farewell::Forget,
        _ => Farewell::Keep,
    }
}

async fn next_sources(
    ticks: &mut tokio::time::Interval,
    changed: &Notify,
    pool: &Pool,
) -> Result<Vec<FeedSource>, String> {
    let told = async {
        changed.notified().await;
        sleep(GATHERING).await;
    };
    tokio::select! {
        _ = ticks.tick() => {}
        () = told => {}
    }
    timeout(ANSWER_MAX, all_sources(pool))
        .await
        .unwrap_or_else(|_| Err("the database did not answer in time".to_owned()))
}

async fn all_sources(pool: &Pool) -> Result<Vec<FeedSource>, String> {
    let mut conn = pool.get().await.map_err(|error| error.to_string())?;
    let mut sources: Vec<FeedSource> = Vec::new();
    loop {
        let after = sources.last().map(|source| source.id);
        let page = broker_sources_all_projects(&mut conn, after, PAGE).await.map_err(|error| error.to_string())?;
        if page.is_empty() {
            return Ok(sources);
        }
        sources.extend(page);
    }
}
