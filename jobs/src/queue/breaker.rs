//! Circuit breakers that all workers share: Redis counts what came of requests to an endpoint that fails, opens its breaker
//! when too many did, and gives out one probe at a time until enough of them succeeded.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use posthouse_schema::ids::EndpointId;

use super::{
    QueueError, Queues,
    script::{BREAKER_PROBE, BREAKER_REPORT, BREAKER_VIEW, Call},
};

/// When a breaker opens and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRule {
    /// How long it stays open before it is probed.
    pub pause: Duration,
    /// Failures in a hundred requests that open it.
    pub failure_percent: u32,
    /// Successful probes that close it.
    pub probes: u32,
    /// Requests below which nothing is concluded.
    pub requests_min: u32,
    /// How far back requests count.
    pub window: Duration,
}

/// A breaker that is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenBreaker {
    /// Whether it is being probed.
    pub is_half_open: bool,
    /// From when on it may be probed.
    pub until: DateTime<Utc>,
}

/// Requests whose end a breaker is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// That succeeded.
    pub succeeded: u32,
    /// That failed.
    pub failed: u32,
}

/// What a breaker says to a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Its state; `None`: closed.
    pub open: Option<OpenBreaker>,
    /// How often in a row it has opened.
    pub trips: u32,
    /// Failures that still count.
    pub failed: u32,
}

/// Whether a request may be sent to an endpoint whose breaker was seen open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The breaker is closed.
    Closed,
    /// This request is the probe. Its end must be reported as such.
    Granted,
    /// Not before this time, or not before the probe that is under way has ended when the time has passed.
    Wait(DateTime<Utc>),
}

/// All breakers that are not closed, as of a version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenBreakers {
    /// The version; empty: never read.
    pub version: String,
    /// Them.
    pub open: HashMap<EndpointId, OpenBreaker>,
}

impl OpenBreakers {
    /// The endpoint's state as the wire spells it: `open`, `half-open` or `closed`.
    #[must_use]
    pub fn state(&self, endpoint: EndpointId, now: DateTime<Utc>) -> &'static str {
        match self.open.get(&endpoint) {
            None => "closed",
            Some(open) if open.is_half_open || open.until <= now => "half-open",
            Some(_) => "open",
        }
    }
}

impl Queues {
    /// Tells the endpoint's breaker what came of requests, or of its probe; nothing at all of a probe that was not sent.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn report_to_breaker(
        &self,
        endpoint: EndpointId,
        rule: BreakerRule,
        tally: Tally,
        is_probe: bool,
    ) -> Result<Told, QueueError> {
        let [breaker, view, version] = self.breaker_keys(endpoint);
        let mut call = Call::new(&BREAKER_REPORT, &[&breaker, &view, &version]);
        call.arg(endpoint.to_string()).arg(tally.succeeded).arg(tally.failed).arg(u8::from(is_probe));
        call.arg(millis(rule.pause)).arg(rule.failure_percent).arg(rule.probes).arg(rule.requests_min);
        call.arg(millis(rule.window));
        let (state, until, trips, failed): (u8, i64, u32, u32) = self.connection.call(&call).await?;
        let open = (state > 0).then(|| OpenBreaker { is_half_open: state == 2, until: time(until) });
        Ok(Told { open, trips, failed })
    }

    /// Asks the endpoint's breaker for its probe, of which somebody will hear within `lease`.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn ask_breaker(&self, endpoint: EndpointId, lease: Duration) -> Result<Probe, QueueError> {
        let [breaker, view, version] = self.breaker_keys(endpoint);
        let mut call = Call::new(&BREAKER_PROBE, &[&breaker, &view, &version]);
        call.arg(endpoint.to_string()).arg(millis(lease));
        let (verdict, until): (u8, i64) = self.connection.call(&call).await?;
        Ok(match verdict {
            0 => Probe::Closed,
            1 => Probe::Granted,
            _ => Probe::Wait(time(until)),
        })
    }

    /// The breakers that are not closed, or `None` where `known` is their version still.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn open_breakers(&self, known: &str) -> Result<Option<OpenBreakers>, QueueError> {
        let [view, version] = [self.breakers_key("view"), self.breakers_key("version")];
        let mut call = Call::new(&BREAKER_VIEW, &[&view, &version]);
        call.arg(known);
        let mut answer: std::vec::IntoIter<String> = self.connection.call::<Vec<String>>(&call).await?.into_iter();
        let version = answer.next().unwrap_or_default();
        if version == known {
            return Ok(None);
        }
        let mut open = HashMap::new();
        while let (Some(endpoint), Some(state)) = (answer.next(), answer.next()) {
            if let (Ok(endpoint), Some((state, until))) = (endpoint.parse(), state.split_once('|')) {
                let until = time(until.parse().unwrap_or_default());
                open.insert(endpoint, OpenBreaker { is_half_open: state == "half-open", until });
            }
        }
        Ok(Some(OpenBreakers { version, open }))
    }

    fn breaker_keys(&self, endpoint: EndpointId) -> [String; 3] {
        [self.breakers_key(&endpoint.to_string()), self.breakers_key("view"), self.breakers_key("version")]
    }

    /// One hash tag for all: a script changes a breaker and the view of all together. They are few, and rarely asked.
    fn breakers_key(&self, name: &str) -> String {
        format!("{{{}:breakers}}:{name}", self.prefix)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn time(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}
