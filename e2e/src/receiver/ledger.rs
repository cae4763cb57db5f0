//! What a receiver got. A webhook id that was accepted more than once is a duplicate, and every duplicate is counted.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::signature::Verdict;

/// Requests kept; later ones are only counted.
const REQUESTS_MAX: usize = 200_000;

/// One request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Received {
    /// When.
    pub at: DateTime<Utc>,
    /// Where.
    pub path: String,
    /// What names the delivery, the same for each of its attempts.
    pub webhook_id: String,
    /// The event's idempotency key; empty when there is none.
    pub idempotency_key: String,
    /// What its signature is worth.
    pub verdict: Verdict,
    /// How it was answered.
    pub status: u16,
}

/// Totals over all requests to the paths asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Requests.
    pub requests: usize,
    /// Requests answered with 2xx.
    pub accepted: usize,
    /// Different webhook ids among the accepted.
    pub webhook_ids: usize,
    /// Different idempotency keys among the accepted.
    pub idempotency_keys: usize,
    /// Accepted requests beyond the first of their webhook id.
    pub duplicates: usize,
    /// Requests whose signature was not good.
    pub unverified: usize,
}

/// All requests, oldest first.
#[derive(Debug, Default)]
pub struct Ledger {
    requests: Vec<Received>,
    times_seen: BTreeMap<(String, String), u32>,
    /// Requests that came after the list was full.
    pub dropped: u64,
}

impl Ledger {
    /// How often this webhook id came to this path before; counts this time.
    pub(super) fn seen_before(&mut self, path: &str, webhook_id: &str) -> u32 {
        let is_full = self.times_seen.len() >= REQUESTS_MAX;
        let key = (path.to_owned(), webhook_id.to_owned());
        if is_full && !self.times_seen.contains_key(&key) {
            return 0;
        }
        let times = self.times_seen.entry(key).or_default();
        *times += 1;
        *times - 1
    }

    pub(super) fn record(&mut self, request: Received) {
        if self.requests.len() < REQUESTS_MAX {
            self.requests.push(request);
        } else {
            self.dropped += 1;
        }
    }

    /// The requests to paths that begin so.
    pub fn requests(&self, path_prefix: &str) -> impl Iterator<Item = &Received> {
        self.requests.iter().filter(move |request| request.path.starts_with(path_prefix))
    }

    /// Totals over the requests to paths that begin so.
    #[must_use]
    pub fn summary(&self, path_prefix: &str) -> Summary {
        let mut summary = Summary::default();
        let (mut webhook_ids, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for request in self.requests(path_prefix) {
            summary.requests += 1;
            summary.unverified += usize::from(request.verdict != Verdict::Good);
            if (200..300).contains(&request.status) {
                summary.accepted += 1;
                webhook_ids.insert((&request.path, &request.webhook_id));
                keys.insert((&request.path, &request.idempotency_key));
            }
        }
        summary.webhook_ids = webhook_ids.len();
        summary.idempotency_keys = keys.len();
        summary.duplicates = summary.accepted - summary.webhook_ids;
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_accepted_requests_with_a_known_webhook_id() {
        let mut ledger = Ledger::default();
        for (webhook_id, status, verdict) in [
            ("d1", 503, Verdict::Good),
            ("d1", 200, Verdict::Good),
            ("d1", 200, Verdict::Good),
            ("d2", 200, Verdict::Bad),
        ] {
            let (at, path) = (DateTime::UNIX_EPOCH, "/ok/a".to_owned());
            let (webhook_id, idempotency_key) = (webhook_id.to_owned(), "k".to_owned());
            ledger.record(Received { at, path, webhook_id, idempotency_key, verdict, status });
        }
        let all =
            Summary { requests: 4, accepted: 3, webhook_ids: 2, idempotency_keys: 1, duplicates: 1, unverified: 1 };
        assert_eq!(ledger.summary("/ok/"), all);
        assert_eq!(ledger.summary("/fail/"), Summary::default());
    }

    #[test]
    fn each_webhook_id_is_counted_by_path() {
        let mut ledger = Ledger::default();
        assert_eq!(
            [("/a", "d1"), ("/a", "d1"), ("/b", "d1")].map(|(path, id)| ledger.seen_before(path, id)),
            [0, 1, 0]
        );
    }
}
