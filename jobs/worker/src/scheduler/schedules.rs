//! What is done periodically, and what becomes of ticks that nobody was there for.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use posthouse_jobs::{
    BackUp, HouseTask, IndexEvents, KeepHouse, PurgeExpired, QueueError, Queues, SendDigests, SweepDeliveries, Tick,
};
use posthouse_schema::schedule::{NewSchedule, Standing};
use posthouse_service::traces::{self, Beginning, Kind};
use serde_json::{Value, json};

/// What becomes of ticks that were missed while no scheduler was active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// Each is enqueued, up to this many of the latest.
    Each(usize),
    /// Only the latest.
    Latest,
}

impl CatchUp {
    /// Ticks that are made up for at once.
    const fn most(self) -> usize {
        match self {
            Self::Each(most) => most,
            Self::Latest => 1,
        }
    }
}

/// The job that a tick enqueues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// [`PurgeExpired`], as this one but for its tick.
    Purge(PurgeExpired),
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
    /// [`KeepHouse`].
    House(HouseTask),
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
    /// By how much a tick may be late on purpose, so that not everything begins in the same second. Shorter than the time
    /// between two ticks.
    pub jitter: Duration,
    /// What a tick enqueues.
    pub work: Work,
}

/// What a schedule has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Ticks that are to be enqueued now, the oldest first.
    pub ticks: Vec<DateTime<Utc>>,
    /// When there will be more; `None`: never.
    pub next: Option<DateTime<Utc>>,
}

impl Schedule {
    /// What is to be done at `now`. While it is paused that is nothing.
    #[must_use]
    pub fn due(&self, standing: Standing, now: DateTime<Utc>) -> Due {
        let mut ticks = VecDeque::new();
        let mut next = None;
        for tick in self.cron.after(&standing.since) {
            let due = tick + self.late_by(tick);
            if due > now {
                next = Some(due);
                break;
            }
            ticks.push_back(tick);
            if ticks.len() > self.catch_up.most() {
                ticks.pop_front();
            }
        }
        if standing.is_paused {
            ticks.clear();
        }
        Due { ticks: ticks.into(), next }
    }

    /// The next tick after `now`.
    #[must_use]
    pub fn next_after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.cron.after(&now).next()
    }

    /// By how much this tick is late: whoever asks gets the same, so that a new leader neither hurries nor waits again.
    fn late_by(&self, tick: DateTime<Utc>) -> TimeDelta {
        let jitter = u64::try_from(self.jitter.as_millis()).unwrap_or(u64::MAX);
        if jitter == 0 {
            return TimeDelta::zero();
        }
        let mut hasher = DefaultHasher::new();
        (self.name, tick.timestamp()).hash(&mut hasher);
        TimeDelta::milliseconds(i64::try_from(hasher.finish() % jitter).unwrap_or(0))
    }

    /// The schedule as others are told of it.
    #[must_use]
    pub fn announced(&self, now: DateTime<Utc>) -> NewSchedule {
        NewSchedule {
            name: self.name,
            cron: self.cron.source().to_string(),
            catch_up_max: i32::try_from(self.catch_up.most()).unwrap_or(i32::MAX),
            jitter_seconds: i32::try_from(self.jitter.as_secs()).unwrap_or(i32::MAX),
            settings: self.settings(),
            next_tick_at: self.next_after(now),
        }
    }

    fn settings(&self) -> Value {
        let mut settings = match &self.work {
            Work::Purge(job) => serde_json::to_value(job).unwrap_or_default(),
            Work::Sweep | Work::Digests => json!({}),
            Work::Index { events_max } => json!({"events_max": events_max}),
            Work::BackUp { place, keep_days } => json!({"place": place, "keep_days": keep_days}),
            Work::House(task) => serde_json::to_value(task).unwrap_or_default(),
        };
        if let Value::Object(fields) = &mut settings {
            fields.retain(|name, _| !["tick", "traceparent", "name"].contains(&name.as_str()));
        }
        settings
    }

    /// Enqueues the tick's job, in a trace of its own where its work is traced; one that lives already is left alone.
    ///
    /// # Errors
    /// The queue did not take it.
    pub async fn enqueue(&self, queues: &Queues, tick: DateTime<Utc>) -> Result<(), QueueError> {
        if !self.work.is_traced() {
            return self.work.enqueue(queues, tick.into()).await;
        }
        let mut span = traces::begin("schedule run", Kind::Producer, Beginning::default);
        if let Some(span) = &mut span {
            span.set("posthouse.schedule", self.name);
            span.set_text("posthouse.tick", tick.to_rfc3339());
        }
        let parent = span.as_ref().map(traces::Span::place);
        let enqueued = self.work.enqueue(queues, Tick { at: tick, parent }).await;
        if let (Some(span), Err(error)) = (&mut span, &enqueued) {
            span.fail(error.to_string());
        }
        enqueued
    }
}

impl Work {
    /// Whether its runs are worth a trace each. Indexing runs every few seconds and mostly finds little to do: its traces would
    /// hide all others, and the schedule tells what came of it.
    #[must_use]
    pub const fn is_traced(&self) -> bool {
        !matches!(self, Self::Index { .. })
    }

    /// Enqueues the tick's job; one that lives already is left alone.
    ///
    /// # Errors
    /// The queue did not take it.
    pub async fn enqueue(&self, queues: &Queues, tick: Tick) -> Result<(), QueueError> {
        match self {
            Self::Purge(job) => queues.push(&PurgeExpired { tick, ..job.clone() }).await?,
            Self::Index { events_max } => queues.push(&IndexEvents { tick, events_max: *events_max }).await?,
            Self::BackUp { place, keep_days } => {
                queues.push(&BackUp { tick, place: place.clone(), keep_days: *keep_days }).await?
            }
            Self::Digests => queues.push(&SendDigests { tick }).await?,
            Self::Sweep => queues.push(&SweepDeliveries { tick }).await?,
            Self::House(task) => queues.push(&KeepHouse { tick, task: *task }).await?,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    fn schedule(catch_up: CatchUp) -> Schedule {
        Schedule {
            name: "test",
            cron: cron::Schedule::from_str("*/10 * * * * *").unwrap(),
            catch_up,
            jitter: Duration::ZERO,
            work: Work::Sweep,
        }
    }

    #[test]
    fn only_what_runs_every_few_seconds_is_not_traced() {
        assert!(!Work::Index { events_max: 1 }.is_traced());
        assert!(Work::Sweep.is_traced() && Work::House(HouseTask::CountEvents).is_traced());
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn since(seconds: i64) -> Standing {
        Standing { since: at(seconds), is_paused: false }
    }

    #[test]
    fn each_missed_tick_is_due_within_its_bound() {
        let due = |max, from, until| schedule(CatchUp::Each(max)).due(since(from), at(until));
        assert_eq!(due(100, 0, 35), Due { ticks: vec![at(10), at(20), at(30)], next: Some(at(40)) });
        assert_eq!(due(2, 0, 35).ticks, [at(20), at(30)]);
        assert_eq!(due(100, 30, 39), Due { ticks: Vec::new(), next: Some(at(40)) });
        assert_eq!(due(100, 29, 30).ticks, [at(30)], "the end is included");
    }

    #[test]
    fn only_the_latest_missed_tick_is_due_where_that_is_enough() {
        assert_eq!(schedule(CatchUp::Latest).due(since(0), at(3_605)).ticks, [at(3_600)]);
    }

    #[test]
    fn nothing_is_due_while_it_is_paused() {
        let paused = Standing { since: at(0), is_paused: true };
        let due = schedule(CatchUp::Each(100)).due(paused, at(35));
        assert_eq!(due, Due { ticks: Vec::new(), next: Some(at(40)) });
    }

    #[test]
    fn a_tick_with_jitter_is_late_within_its_bound_and_always_by_the_same() {
        let calm = Schedule { jitter: Duration::from_secs(5), ..schedule(CatchUp::Each(10_000)) };
        let delays: Vec<_> = (0..1_000).map(|n| calm.late_by(at(n * 10))).collect();
        assert!(delays.iter().all(|delay| (TimeDelta::zero()..TimeDelta::seconds(5)).contains(delay)));
        assert!(delays.iter().any(|delay| *delay != delays[0]), "not all together");
        let tick = at(10);
        let due = tick + calm.late_by(tick);
        let before = calm.due(since(0), due - TimeDelta::milliseconds(1));
        assert_eq!(before, Due { ticks: Vec::new(), next: Some(due) });
        assert_eq!(calm.due(since(0), due).ticks, [tick]);
    }

    #[test]
    fn what_is_announced_says_what_its_jobs_are_told() {
        let task = HouseTask::TrimDeadLetters { days: 30, letters_max: 7 };
        let purge = PurgeExpired { payload_retention_days: Some(3), ..PurgeExpired::new(at(0), 30) };
        for (work, settings) in [
            (Work::House(task), json!({"days": 30, "letters_max": 7})),
            (Work::Purge(purge), json!({"retention_days": 30, "payload_retention_days": 3})),
        ] {
            let announced = Schedule { work, ..schedule(CatchUp::Latest) }.announced(at(1));
            assert_eq!((announced.settings, announced.next_tick_at), (settings, Some(at(10))));
            assert_eq!((announced.cron.as_str(), announced.catch_up_max), ("*/10 * * * * *", 1));
        }
    }
}
