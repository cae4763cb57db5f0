//! A steady load: so many events in a second, to several APIs in turns, each sent again until it is accepted. What comes
//! before a disturbance is counted apart from what comes during it.

use std::{
    cell::{Cell, RefCell},
    fmt,
    time::{Duration, Instant},
};

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::MissedTickBehavior;

use crate::{client::Client, sender::event};

/// Requests under way at once, at most.
const UNDER_WAY_MAX: usize = 256;

/// How long accepted requests took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// So many of them.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What so many in a hundred did not exceed; nothing where there are none.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied().unwrap_or_default()
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [half, most, all] = [50, 99, 100].map(|percent| self.percentile(percent).as_micros());
        write!(f, "{} accepted, p50 {half} µs, p99 {most} µs, longest {all} µs", self.count())
    }
}

/// What callers noticed.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Requests that were sent.
    pub requests: u64,
    /// Requests that were answered 5xx.
    pub server_errors: u64,
    /// Requests that were answered neither 201 nor 5xx.
    pub refused: u64,
    /// Requests to which no answer came.
    pub unanswered: u64,
    /// Longest wait for an answer, whatever it was, or for the end of the connection.
    pub longest: Duration,
    /// Accepted requests from before the disturbance.
    pub before: Latencies,
    /// Those from then on.
    pub during: Latencies,
}

impl Tally {
    /// The two 99th percentiles compared, if there was something on both sides.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let [before, during] = [&self.before, &self.during].map(|latencies| latencies.percentile(99).as_secs_f64());
        (before > 0.0 && during > 0.0).then(|| during / before)
    }

    /// Events that were accepted.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.before.count() + self.during.count()
    }
}

/// Events on their way.
pub struct Load {
    clients: Vec<Client>,
    endpoint: String,
    /// Before an event that was not accepted is sent again, to the next API.
    pause: Duration,
    is_over: Cell<bool>,
    is_disturbed: Cell<bool>,
    tally: RefCell<Tally>,
}

impl Load {
    /// For an endpoint, over these APIs.
    #[must_use]
    pub fn new(clients: Vec<Client>, endpoint: String, pause: Duration) -> Self {
        let (is_over, is_disturbed, tally) = Default::default();
        Self { clients, endpoint, pause, is_over, is_disturbed, tally }
    }

    /// From now on it is disturbed.
    pub fn disturb(&self) {
        self.is_disturbed.set(true);
    }

    /// Nothing new is sent.
    pub fn end(&self) {
        self.is_over.set(true);
    }

    /// What callers have noticed so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally.borrow().clone()
    }

    /// Sends so many events in a second until it is over; answers how many were accepted, which all are in the end.
    pub async fn send(&self, rate: u32) -> u64 {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut under_way, mut number) = (FuturesUnordered::new(), 0);
        while !self.is_over.get() {
            tokio::select! {
                _ = ticks.tick(), if under_way.len() < UNDER_WAY_MAX => {
                    under_way.push(self.accept(number));
                    number += 1;
                }
                Some(()) = under_way.next() => {}
            }
        }
        while under_way.next().await.is_some() {}
        number
    }

    /// Sends one event until it is accepted.
    async fn accept(&self, number: u64) {
        let event = event(&self.endpoint, &format!("event-{number}"));
        let first = usize::try_from(number).unwrap_or_default() % self.clients.len().max(1);
        for client in self.clients.iter().cycle().skip(first) {
            let began = Instant::now();
            let reply = client.post("events", &event).await;
            if self.note(reply.ok().map(|reply| reply.status), began.elapsed()) {
                return;
            }
            tokio::time::sleep(self.pause).await;
        }
    }

    /// Counts an answer of this status, or none; whether the event was accepted.
    fn note(&self, status: Option<u16>, took: Duration) -> bool {
        let mut tally = self.tally.borrow_mut();
        tally.requests += 1;
        tally.longest = tally.longest.max(took);
        match status {
            Some(201) => {
                let list = if self.is_disturbed.get() { &mut tally.during } else { &mut tally.before };
                list.0.push(took);
                return true;
            }
            Some(500..) => tally.server_errors += 1,
            Some(_) => tally.refused += 1,
            None => tally.unanswered += 1,
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let latencies = Latencies((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!([50, 99, 100].map(|percent| latencies.percentile(percent).as_millis()), [100, 198, 200]);
        assert_eq!(Latencies::default().percentile(99), Duration::ZERO);
    }

    #[test]
    fn answers_are_counted_apart() {
        let load = Load::new(Vec::new(), "e".into(), Duration::ZERO);
        let took = Duration::from_millis(10);
        assert!(load.note(Some(201), took));
        assert_eq!(load.tally().ratio(), None);
        load.disturb();
        assert!(load.note(Some(201), 3 * took));
        assert!(![Some(503), Some(429), None].into_iter().any(|status| load.note(status, 5 * took)));
        let tally = load.tally();
        assert_eq!((tally.requests, tally.server_errors, tally.refused, tally.unanswered), (5, 1, 1, 1));
        assert_eq!((tally.accepted(), tally.longest), (2, 5 * took));
        assert!(tally.ratio().is_some_and(|ratio| (ratio - 3.0).abs() < 0.001));
    }
}
