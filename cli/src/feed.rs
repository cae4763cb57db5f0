//! A project's deliveries as they come and change, by asking the API again and again. Lists are read from a cursor on that
//! follows what is new; deliveries that have not ended are asked for one by one when their next attempt is due. So an idle
//! project costs one short answer each time, and a busy one its new rows.
//!
//! Rows are ordered by when their event was accepted, and stored a moment later, beside each other. So the cursor stays
//! [`OVERLAP`] behind, and what was seen before is no news.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use posthouse_schema::words::DeliveryStatus;
use tokio::time::Instant;

use crate::api::{CallError, Client, Query, delivery::Delivery, window};

const OVERLAP: Duration = Duration::from_secs(3);
const PER_PAGE: usize = 100;
/// Pages of one look; the next look goes on from there.
const PAGES_MAX: usize = 25;
/// Deliveries that are asked for one by one in one look.
const ASKED_MAX: usize = 5;
/// Deliveries that are kept in mind until they end; of more, the oldest are forgotten.
const OPEN_MAX: usize = 10_000;
/// Between two looks at one delivery that does not change, at first and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Where a feed begins.
#[derive(Debug, Clone, Copy)]
pub enum Start {
    /// With what comes from now on.
    Now,
    /// With what was accepted since then.
    Since(DateTime<Utc>),
}

/// Deliveries as they come and change.
#[derive(Debug)]
pub struct Feed<'a> {
    client: &'a Client,
    filter: Query,
    watch: Watch,
    since: Option<DateTime<Utc>>,
    /// Where a look that did not come to the end left off.
    left_off: Option<String>,
    /// What a look found that failed afterwards.
    news: Vec<Delivery>,
}

impl<'a> Feed<'a> {
    /// The deliveries that `filter` lets through.
    ///
    /// # Errors
    /// The API refuses.
    pub async fn begin(client: &'a Client, filter: Query, start: Start) -> anyhow::Result<Self> {
        let mut feed = Self { client, filter, watch: Watch::default(), since: None, left_off: None, news: Vec::new() };
        match start {
            Start::Since(time) => feed.since = Some(time),
            // By the newest delivery and not by the clock, which need not be the server's.
            Start::Now => {
                let (rows, _) = client.page(&["eventdeliveries"], &feed.filter, 1, None).await?;
                for row in rows {
                    feed.watch.begin(Delivery::read(row)?);
                }
            }
        }
        Ok(feed)
    }

    /// What is new since the last look, or has changed, the oldest first.
    ///
    /// # Errors
    /// A call fails; the next look makes up for it.
    pub async fn look(&mut self) -> anyhow::Result<Vec<Delivery>> {
        let mut query = self.filter.clone();
        query.push(("sort", "ASC".into()));
        query.extend(self.since.map(|time| ("startDate", window::date(time))));
        let mut cursor = self.left_off.take().or_else(|| self.watch.horizon.clone());
        for _ in 0..PAGES_MAX {
            let (rows, next) = self.client.page(&["eventdeliveries"], &query, PER_PAGE, cursor.as_deref()).await?;
            for row in rows {
                self.news.extend(self.watch.take(Delivery::read(row)?, Instant::now()));
            }
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        self.left_off = cursor;
        for id in self.watch.due(Utc::now(), Instant::now()) {
            match self.client.get(&["eventdeliveries", &id], Query::new()).await {
                Ok(row) => self.news.extend(self.watch.take(Delivery::read(row)?, Instant::now())),
                Err(error) if error.is_missing() => self.watch.forget(&id),
                Err(error) => return Err(error.into()),
            }
        }
        self.watch.settle(Instant::now());
        Ok(std::mem::take(&mut self.news))
    }
}

/// Whether a failed look may succeed later.
#[must_use]
pub fn may_pass(error: &anyhow::Error) -> bool {
    error.downcast_ref::<CallError>().is_some_and(CallError::may_pass)
}

/// What was seen, without I/O.
#[derive(Debug, Default)]
struct Watch {
    seen: BTreeMap<String, Seen>,
    /// The id from which on rows are read.
    horizon: Option<String>,
}

#[derive(Debug)]
struct Seen {
    status: DeliveryStatus,
    attempts: u32,
    first_at: Instant,
    due: DateTime<Utc>,
    /// When it was last looked at, and how long it is left alone.
    looked: (Instant, Duration),
}

impl Watch {
    /// Takes this delivery for known, and begins with it.
    fn begin(&mut self, delivery: Delivery) {
        self.horizon = Some(delivery.uid.clone());
        self.take(delivery, Instant::now());
    }

    /// The delivery, if it is new or has changed.
    fn take(&mut self, delivery: Delivery, now: Instant) -> Option<Delivery> {
        let (status, attempts, due) = (delivery.status, delivery.metadata.num_trials, delivery.metadata.next_send_time);
        if let Some(seen) = self.seen.get_mut(&delivery.uid) {
            let is_same = (seen.status, seen.attempts) == (status, attempts);
            let patience = if is_same { (seen.looked.1 * 2).min(PATIENCE.1) } else { PATIENCE.0 };
            *seen = Seen { status, attempts, due, first_at: seen.first_at, looked: (now, patience) };
            return (!is_same).then_some(delivery);
        }
        let seen = Seen { status, attempts, due, first_at: now, looked: (now, PATIENCE.0) };
        self.seen.insert(delivery.uid.clone(), seen);
        Some(delivery)
    }

    /// Those that should be looked at again: they have not ended, and their attempt is due.
    fn due(&self, clock: DateTime<Utc>, now: Instant) -> Vec<String> {
        let is_due = |seen: &Seen| {
            let (looked_at, patience) = seen.looked;
            !seen.status.is_final() && seen.due <= clock && now.saturating_duration_since(looked_at) >= patience
        };
        let mut due: Vec<_> = self.seen.iter().filter(|(_, seen)| is_due(seen)).collect();
        due.sort_by_key(|(_, seen)| seen.looked.0);
        due.into_iter().take(ASKED_MAX).map(|(id, _)| id.clone()).collect()
    }

    fn forget(&mut self, id: &str) {
        self.seen.remove(id);
    }

    /// Moves the horizon to what was first seen long enough ago, and forgets what has ended before it.
    fn settle(&mut self, now: Instant) {
        let is_old = |seen: &Seen| now.saturating_duration_since(seen.first_at) >= OVERLAP;
        let newest = self.seen.iter().rev().find(|(_, seen)| is_old(seen)).map(|(id, _)| id.clone());
        self.horizon = newest.max(self.horizon.take());
        let Some(horizon) = &self.horizon else { return };
        self.seen.retain(|id, seen| id >= horizon || !seen.status.is_final());
        while self.seen.len() > OPEN_MAX && self.seen.first_key_value().is_some_and(|(id, _)| id < horizon) {
            self.seen.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::api::delivery::testing::row;

    fn delivery(id: &str, status: &str, attempts: u32, due: DateTime<Utc>) -> Delivery {
        Delivery::read(row(id, status, attempts, due, due)).unwrap()
    }

    #[test]
    fn a_delivery_is_news_when_it_comes_and_when_it_changes() {
        let (mut watch, now, at) = (Watch::default(), Instant::now(), Utc::now());
        assert!(watch.take(delivery("1", "Scheduled", 0, at), now).is_some());
        assert!(watch.take(delivery("1", "Scheduled", 0, at), now).is_none());
        assert!(watch.take(delivery("1", "Retry", 1, at), now).is_some());
        assert!(watch.take(delivery("1", "Retry", 2, at), now).is_some(), "another attempt");
        assert!(watch.take(delivery("1", "Success", 3, at), now).is_some());
    }

    #[test]
    fn the_horizon_follows_what_was_seen_long_ago_and_never_goes_back() {
        let (mut watch, began, at) = (Watch::default(), Instant::now(), Utc::now());
        watch.take(delivery("2", "Success", 1, at), began);
        watch.take(delivery("3", "Retry", 1, at), began);
        watch.settle(began);
        assert_eq!(watch.horizon, None, "one with a smaller id may still come");
        assert!(watch.take(delivery("1", "Success", 1, at), began + OVERLAP / 2).is_some());
        watch.take(delivery("4", "Success", 1, at), began + OVERLAP / 2);
        watch.settle(began + OVERLAP);
        assert_eq!(watch.horizon.as_deref(), Some("3"));
        assert_eq!(watch.seen.keys().collect::<Vec<_>>(), ["3", "4"]);
        watch.settle(began + OVERLAP * 2);
        assert_eq!(watch.horizon.as_deref(), Some("4"));
        assert_eq!(watch.seen.keys().collect::<Vec<_>>(), ["3", "4"], "one that has not ended is kept in mind");
        assert!(watch.take(delivery("3", "Success", 2, at), began + OVERLAP * 2).is_some());
        watch.settle(began + OVERLAP * 2);
        assert_eq!(watch.seen.keys().collect::<Vec<_>>(), ["4"]);
    }

    #[test]
    fn what_has_not_ended_is_asked_for_when_it_is_due_and_ever_more_rarely() {
        let (mut watch, began, clock) = (Watch::default(), Instant::now(), Utc::now());
        watch.take(delivery("1", "Retry", 1, clock + TimeDelta::seconds(60)), began);
        watch.take(delivery("2", "Scheduled", 0, clock), began);
        watch.take(delivery("3", "Success", 1, clock), began);
        assert!(watch.due(clock, began).is_empty(), "it was seen just now");
        assert_eq!(watch.due(clock, began + PATIENCE.0), ["2"]);
        assert_eq!(watch.due(clock + TimeDelta::seconds(61), began + PATIENCE.0), ["1", "2"]);
        watch.take(delivery("2", "Scheduled", 0, clock), began + PATIENCE.0);
        assert!(watch.due(clock, began + PATIENCE.0 * 2).is_empty());
        assert_eq!(watch.due(clock, began + PATIENCE.0 * 3), ["2"]);
        for number in 10..30 {
            watch.take(delivery(&number.to_string(), "Scheduled", 0, clock), began);
        }
        assert_eq!(watch.due(clock, began + PATIENCE.1).len(), ASKED_MAX);
    }
}
