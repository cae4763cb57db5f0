//! Queues on the wire. The contract has none.

use chrono::{DateTime, Utc};
use posthouse_jobs::queue::{Counts, DeadLetter};
use salvo::oapi::ToSchema;
use serde::Serialize;

/// A queue: what it holds, and what became of its jobs.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueWire {
    /// Names it.
    pub name: String,
    /// Whether workers take no jobs of it.
    pub is_paused: bool,
    /// Jobs that may run now.
    pub ready: u64,
    /// Jobs that wait for their time.
    pub delayed: u64,
    /// Jobs that run.
    pub running: u64,
    /// Live jobs whose last try failed.
    pub failing: u64,
    /// Dead letters.
    pub dead: u64,
    /// Jobs done, ever.
    pub done: u64,
    /// Failed tries, ever.
    pub failed: u64,
    /// Jobs that became dead letters, ever.
    pub died: u64,
    /// Jobs done today (UTC).
    pub done_today: u64,
}

impl QueueWire {
    /// The queue of this name.
    #[must_use]
    pub fn new(name: &str, counts: &Counts, is_paused: bool) -> Self {
        Self {
            name: name.into(),
            is_paused,
            ready: counts.ready,
            delayed: counts.delayed,
            running: counts.running,
            failing: counts.failing,
            dead: counts.dead,
            done: counts.done,
            failed: counts.failed,
            died: counts.died,
            done_today: counts.done_by_day.last().copied().unwrap_or_default(),
        }
    }
}

/// A job that cannot succeed.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetterWire {
    /// Its id.
    pub uid: String,
    /// Why it was given up.
    pub reason: String,
    /// Failed tries, with the last.
    pub tries: u32,
    /// When it was enqueued.
    pub enqueued_at: DateTime<Utc>,
    /// When it was given up.
    pub died_at: DateTime<Utc>,
    /// What it was to do: JSON as a text, unless that was the trouble.
    pub payload: String,
}

impl From<DeadLetter> for DeadLetterWire {
    fn from(letter: DeadLetter) -> Self {
        Self {
            uid: letter.id,
            reason: letter.reason,
            tries: letter.tries,
            enqueued_at: letter.enqueued_at,
            died_at: letter.died_at,
            payload: String::from_utf8_lossy(&letter.payload).into_owned(),
        }
    }
}

/// Dead letters of a queue.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLettersWire {
    /// How many there are in all.
    pub total: u64,
    /// Those that were asked for, the newest first.
    pub content: Vec<DeadLetterWire>,
}

/// How many dead letters it was.
#[derive(Debug, Serialize, ToSchema)]
pub struct RedrivenWire {
    /// The number.
    pub num: u64,
}
