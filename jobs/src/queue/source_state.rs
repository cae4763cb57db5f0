//! How sources are doing, as the instance that reads one tells it: a hash in Redis for each. It is an account for people: after
//! a lost connection some messages may be counted twice.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use posthouse_schema::ids::SourceId;

use super::{QueueError, Queues};

/// How long a source is remembered that nobody tells of.
const KEPT: Duration = Duration::from_hours(30 * 24);
/// Characters of an error.
const ERROR_CHARS_MAX: usize = 500;

/// What is new of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceNote {
    /// Messages that its broker brought since the last note.
    pub received: u64,
    /// Those that became events.
    pub accepted: u64,
    /// Those that never will as they are.
    pub rejected: u64,
    /// Whether it is being read.
    pub is_connected: bool,
    /// Messages that wait at its broker, where the broker tells and it was asked.
    pub lag: Option<u64>,
    /// When its broker last brought a message.
    pub last_message_at: Option<DateTime<Utc>>,
    /// What last went wrong, and when.
    pub error: Option<(String, DateTime<Utc>)>,
}

/// How a source is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceState {
    /// Everything that was noted; the counts are of all time.
    pub note: SourceNote,
    /// When something was last noted.
    pub noted_at: Option<DateTime<Utc>>,
    /// Since when it is failing, and why; `None`: it is not.
    pub failing: Option<Failing>,
}

/// A source that is failing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why, in a word.
    pub reason: String,
}

impl Queues {
    /// Adds what is new of a source.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn note_source(&self, source: SourceId, note: &SourceNote) -> Result<(), QueueError> {
        let key = self.source_key(source);
        let mut pipeline = redis::pipe();
        for (field, count) in [("received", note.received), ("accepted", note.accepted), ("rejected", note.rejected)] {
            if count > 0 {
                pipeline.cmd("HINCRBY").arg(&key).arg(field).arg(count).ignore();
            }
        }
        let set = pipeline.cmd("HSET").arg(&key).arg("connected").arg(u8::from(note.is_connected));
        set.arg("noted_at").arg(Utc::now().timestamp_millis());
        if let Some(at) = note.last_message_at {
            set.arg("last_message_at").arg(at.timestamp_millis());
        }
        if let Some(lag) = note.lag {
            set.arg("lag").arg(lag);
        }
        if let Some((error, at)) = &note.error {
            let error: String = error.chars().take(ERROR_CHARS_MAX).collect();
            set.arg("error").arg(error).arg("error_at").arg(at.timestamp_millis());
        }
        set.ignore();
        pipeline.cmd("EXPIRE").arg(&key).arg(KEPT.as_secs()).ignore();
        self.connection.ask(&pipeline).await
    }

    /// How the source is doing; `None`: nobody has told.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn source_state(&self, source: SourceId) -> Result<Option<SourceState>, QueueError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("HGETALL").arg(self.source_key(source));
        let (fields,): (HashMap<String, String>,) = self.connection.ask(&pipeline).await?;
        if fields.is_empty() {
            return Ok(None);
        }
        let text = |field: &str| fields.get(field).cloned();
        let count = |field: &str| text(field).and_then(|text| text.parse().ok()).unwrap_or_default();
        let time = |field: &str| DateTime::from_timestamp_millis(text(field)?.parse().ok()?);
        let note = SourceNote {
            received: count("received"),
            accepted: count("accepted"),
            rejected: count("rejected"),
            is_connected: text("connected").as_deref() == Some("1"),
            lag: text("lag").and_then(|text| text.parse().ok()),
            last_message_at: time("last_message_at"),
            error: text("error").zip(time("error_at")),
        };
        let failing =
            time("failing_since").map(|since| Failing { since, reason: text("failing_reason").unwrap_or_default() });
        Ok(Some(SourceState { note, noted_at: time("noted_at"), failing }))
    }

    /// Notes that the source is failing. `false`: that was known, for whatever reason.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn begin_failing(&self, source: SourceId, failing: &Failing) -> Result<bool, QueueError> {
        let key = self.source_key(source);
        let mut pipeline = redis::pipe();
        pipeline.cmd("HSETNX").arg(&key).arg("failing_since").arg(failing.since.timestamp_millis());
        pipeline.cmd("HSETNX").arg(&key).arg("failing_reason").arg(&failing.reason).ignore();
        let (is_new,): (bool,) = self.connection.ask(&pipeline).await?;
        Ok(is_new)
    }

    /// Notes that the source is failing no more. Whoever reads a source is alone with that, so nobody comes between.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn end_failing(&self, source: SourceId) -> Result<(), QueueError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("HDEL").arg(self.source_key(source)).arg("failing_since").arg("failing_reason").ignore();
        self.connection.ask(&pipeline).await
    }

    /// Forgets the source.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn forget_source(&self, source: SourceId) -> Result<(), QueueError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("DEL").arg(self.source_key(source)).ignore();
        self.connection.ask(&pipeline).await
    }

    fn source_key(&self, source: SourceId) -> String {
        format!("{{{}:source:{source}}}:state", self.prefix)
    }
}
