//! Circuit breakers: an endpoint that keeps failing is left alone for a while, by all workers, and then tried with single
//! requests. Redis decides (`posthouse_jobs::queue::BreakerRule`); a worker asks it twice a second at most, and tells it
//! nothing of endpoints that have not failed lately, so that what is well costs nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use posthouse_jobs::{
    Queues,
    queue::{BreakerRule, OpenBreakers, Probe, Tally, Told},
};
use posthouse_schema::{circuit_breaker::CircuitBreakerConfig, ids::EndpointId};

/// How old a worker's view of all breakers may be.
const VIEW_AGE_MAX: Duration = Duration::from_millis(500);
/// Endpoints that are watched; before there are more, those that have not failed lately are forgotten, or all.
const WATCHED_MAX: usize = 10_000;
/// How long ends of requests are gathered before Redis is told.
const GATHER: Duration = Duration::from_millis(250);

/// Whether a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// It may.
    Closed,
    /// It may, as the probe of its endpoint: its end must be reported.
    Probe,
    /// Not before this time.
    Open(DateTime<Utc>),
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The endpoint took it.
    Succeeded,
    /// The endpoint failed.
    Failed,
    /// It says nothing about the endpoint, as when it was not sent.
    Neither,
}

/// The breakers as a worker sees them. Cheap to clone.
#[derive(Clone)]
pub struct Breakers {
    queues: Queues,
    view: Arc<Mutex<View>>,
    /// Held by whoever reads the view anew.
    reading: Arc<tokio::sync::Mutex<()>>,
    watched: Arc<Mutex<HashMap<EndpointId, Watched>>>,
}

#[derive(Default)]
struct View {
    breakers: OpenBreakers,
    read_at: Option<Instant>,
}

/// An endpoint that failed lately.
struct Watched {
    tally: Tally,
    told_at: Option<Instant>,
    /// Whether somebody will tell Redis by and by.
    is_awaited: bool,
}

/// What a project's thresholds mean; `None`: its breakers never open.
#[must_use]
pub fn rule(config: CircuitBreakerConfig) -> Option<BreakerRule> {
    let requests_min = config.minimum_request_count.max(1);
    (config.failure_threshold > 0).then(|| BreakerRule {
        pause: Duration::from_secs(config.error_timeout.into()),
        failure_percent: config.failure_threshold.min(100),
        probes: (config.success_threshold.min(100) * requests_min.min(1_000)).div_ceil(100).max(1),
        requests_min,
        window: Duration::from_secs(u64::from(config.observability_window.max(1)) * 60),
    })
}

impl Breakers {
    /// The breakers on this Redis.
    #[must_use]
    pub fn new(queues: Queues) -> Self {
        Self { queues, view: Arc::default(), reading: Arc::default(), watched: Arc::default() }
    }

    /// Whether a request may be sent to the endpoint now, of whose end somebody hears within `lease`. While Redis does not
    /// answer, what was known last goes on to hold.
    pub async fn judge(&self, endpoint: EndpointId, lease: Duration) -> Judged {
        self.refresh().await;
        let Some(breaker) = lock(&self.view).breakers.open.get(&endpoint).copied() else { return Judged::Closed };
        if breaker.until > Utc::now() {
            return Judged::Open(breaker.until);
        }
        match self.queues.ask_breaker(endpoint, lease).await {
            Ok(Probe::Closed) => {
                lock(&self.view).breakers.open.remove(&endpoint);
                Judged::Closed
            }
            Ok(Probe::Granted) => Judged::Probe,
            Ok(Probe::Wait(until)) => Judged::Open(until),
            Err(error) => {
                tracing::debug!(endpoint.id = %endpoint, %error, "A breaker could not be asked.");
                Judged::Open(Utc::now())
            }
        }
    }

    /// Reads the view anew where it is old; one caller does, the others wait for it.
    async fn refresh(&self) {
        if !self.is_old() {
            return;
        }
        let _reading = self.reading.lock().await;
        if !self.is_old() {
            return;
        }
        let known = lock(&self.view).breakers.version.clone();
        let read = self.queues.open_breakers(&known).await;
        let mut view = lock(&self.view);
        view.read_at = Some(Instant::now());
        match read {
            Ok(Some(breakers)) => view.breakers = breakers,
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "Breakers could not be read."),
        }
    }

    fn is_old(&self) -> bool {
        lock(&self.view).read_at.is_none_or(|read_at| read_at.elapsed() >= VIEW_AGE_MAX)
    }

    /// Takes note of how a request ended. Answers how often in a row the breaker has opened, when this opened it.
    pub async fn report(&self, endpoint: EndpointId, rule: BreakerRule, end: End, is_probe: bool) -> Option<u32> {
        let tally = Tally { succeeded: u32::from(end == End::Succeeded), failed: u32::from(end == End::Failed) };
        if is_probe {
            return self.tell(endpoint, rule, tally, true).await;
        }
        let due = {
            let mut watched = lock(&self.watched);
            // Whoever has not failed is not watched.
            if end == End::Neither || (end == End::Succeeded && !watched.contains_key(&endpoint)) {
                return None;
            }
            if watched.len() >= WATCHED_MAX && !watched.contains_key(&endpoint) {
                watched.retain(|_, watched| watched.told_at.is_some_and(|told_at| told_at.elapsed() < rule.window));
                if watched.len() >= WATCHED_MAX {
                    watched.clear();
                }
            }
            let watched = watched.entry(endpoint).or_insert_with(Watched::new);
            watched.tally.succeeded += tally.succeeded;
            watched.tally.failed += tally.failed;
            if watched.told_at.is_none_or(|told_at| told_at.elapsed() >= GATHER) {
                Some(watched.take())
            } else {
                if !watched.is_awaited {
                    watched.is_awaited = true;
                    self.tell_soon(endpoint, rule);
                }
                None
            }
        };
        self.tell(endpoint, rule, due?, false).await
    }

    fn tell_soon(&self, endpoint: EndpointId, rule: BreakerRule) {
        let breakers = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(GATHER).await;
            let due = lock(&breakers.watched).get_mut(&endpoint).map(Watched::take);
            if let Some(tally) = due.filter(|tally| *tally != Tally::default()) {
                breakers.tell(endpoint, rule, tally, false).await;
            }
        });
    }

    async fn tell(&self, endpoint: EndpointId, rule: BreakerRule, tally: Tally, is_probe: bool) -> Option<u32> {
        let told = match self.queues.report_to_breaker(endpoint, rule, tally, is_probe).await {
            Ok(told) => told,
            Err(error) => {
                tracing::debug!(endpoint.id = %endpoint, %error, "A breaker could not be told how requests ended.");
                return None;
            }
        };
        self.learn(endpoint, told)
    }

    fn learn(&self, endpoint: EndpointId, told: Told) -> Option<u32> {
        let before = {
            let mut view = lock(&self.view);
            match told.open {
                Some(open) => view.breakers.open.insert(endpoint, open),
                None => view.breakers.open.remove(&endpoint),
            }
        };
        if told.failed == 0 {
            lock(&self.watched).remove(&endpoint);
        }
        let opened = told.open.filter(|open| !open.is_half_open)?;
        if before.is_some_and(|before| before.until == opened.until) {
            return None;
        }
        tracing::info!(endpoint.id = %endpoint, until = %opened.until, trips = told.trips, "A circuit breaker is open.");
        Some(told.trips)
    }
}

impl Watched {
    const fn new() -> Self {
        Self { tally: Tally { succeeded: 0, failed: 0 }, told_at: None, is_awaited: false }
    }

    fn take(&mut self) -> Tally {
        (self.told_at, self.is_awaited) = (Some(Instant::now()), false);
        std::mem::take(&mut self.tally)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_in_a_hundred() {
        let config = CircuitBreakerConfig::default();
        let usual = rule(config).unwrap();
        assert_eq!((usual.failure_percent, usual.requests_min, usual.probes), (70, 10, 1));
        assert_eq!((usual.pause, usual.window), (Duration::from_secs(30), Duration::from_mins(5)));
        assert_eq!(rule(CircuitBreakerConfig { success_threshold: 80, ..config }).unwrap().probes, 8);
        assert_eq!(rule(CircuitBreakerConfig { failure_threshold: 0, ..config }), None);
    }
}
