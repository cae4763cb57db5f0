//! What is done periodically, and what becomes of ticks that nobody was there for.

use chrono::{DateTime, Utc};
use posthouse_jobs::{BackUp, IndexEvents, PurgeExpired, QueueError, Queues, SendDigests, SweepDeliveries};

/// What becomes of ticks that were missed while no scheduler was active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// Each is enqueued, up to this many of the latest.
    Each(usize),
    /// Only the latest.
    Latest,
}

/// The job that a tick enqueues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// [`PurgeExpired`] with this many days kept.
    Purge {
        /// Whole days.
        retention_days: u16,
        /// The same for refused messages.
        rejected_retention_days: u16,
        /// The same for lines of the audit log.
        audit_retention_days: u16,
    },
    /// [`SweepDeliveries`].
    Sweep,
    /// [`IndexEvents`] with so many at most.
    Index {
        /// Events.
        events_max: u32,
    },
    /// [`SendDigests`].
    Digests,
    /// [`BackUp`].
    BackUp {
        /// Where archives are.
        place: String,
        /// Whole days whose archives are kept.
        keep_days: u16,
    },
}

/// A periodic job.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Names it in the ledger and in logs.
    pub name: &'static str,
    /// When it ticks, in UTC: seconds, minutes, hours, day of month, month, day of week.
    pub cron: cron::Schedule,
    /// What becomes of missed ticks.
    pub catch_up: CatchUp,
    /// What a tick enqueues.
    pub work: Work,
}

impl Schedule {
    /// The ticks after `last` up to and including `until` that are to be enqueued.
    #[must_use]
    pub fn due(&self, last: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let kept = match self.catch_up {
            CatchUp::Each(max) => max,
            CatchUp::Latest => 1,
        };
        let mut ticks: std::collections::VecDeque<_> = std::collections::VecDeque::new();
        for tick in self.cron.after(&last).take_while(|tick| *tick <= until) {
            ticks.push_back(tick);
            if ticks.len() > kept {
                ticks.pop_front();
            }
        }
        ticks.into()
    }

    /// Enqueues the tick's job; one that lives already is left alone.
    ///
    /// # Errors
    /// The queue did not take it.
    pub async fn enqueue(&self, queues: &Queues, tick: DateTime<Utc>) -> Result<(), QueueError> {
        match &self.work {
            &Work::Purge { retention_days, rejected_retention_days, audit_retention_days } => {
                let (rejected_retention_days, audit_retention_days) =
                    (Some(rejected_retention_days), Some(audit_retention_days));
                let purge = PurgeExpired { tick, retention_days, rejected_retention_days, audit_retention_days };
                queues.push(&purge).await?
            }
            &Work::Index { events_max } => queues.push(&IndexEvents { tick, events_max }).await?,
            Work::BackUp { place, keep_days } => {
                queues.push(&BackUp { tick, place: place.clone(), keep_days: *keep_days }).await?
            }
            Work::Digests => queues.push(&SendDigests { tick }).await?,
            Work::Sweep => queues.push(&SweepDeliveries { tick }).await?,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use chrono::TimeDelta;

    use super::*;

    fn schedule(catch_up: CatchUp) -> Schedule {
        Schedule {
            name: "test",
            cron: cron::Schedule::from_str("*/10 * * * * *").unwrap(),
            catch_up,
            work: Work::Sweep,
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn each_missed_tick_is_due_within_its_bound() {
        assert_eq!(schedule(CatchUp::Each(100)).due(at(0), at(35)), [at(10), at(20), at(30)]);
        assert_eq!(schedule(CatchUp::Each(2)).due(at(0), at(35)), [at(20), at(30)]);
        assert!(schedule(CatchUp::Each(100)).due(at(30), at(39)).is_empty());
        assert_eq!(schedule(CatchUp::Each(100)).due(at(29), at(30)), [at(30)], "the end is included");
    }

    #[test]
    fn only_the_latest_missed_tick_is_due_where_that_is_enough() {
        assert_eq!(schedule(CatchUp::Latest).due(at(0), at(3_605)), [at(3_600)]);
    }
}
