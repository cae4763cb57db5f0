//! The periodic jobs that the scheduler enqueues. Each carries the tick that caused it, and the tick is in its job id:
//! even two schedulers enqueue a tick once.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Job, Tick};

/// Queue `purge_expired`: makes the partitions of the coming days and drops those past their retention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeExpired {
    /// The tick that caused it.
    #[serde(flatten)]
    pub tick: Tick,
    /// Whole days for which events are kept, and everything else that has no days of its own here.
    pub retention_days: u16,
    /// Whole days for which refused messages of brokers are kept; as long as events where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_retention_days: Option<u16>,
    /// Whole days for which lines of the audit log are kept; for ever where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_log_retention_days: Option<u16>,
    /// Whole days for which deliveries are kept, at most as long as events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliveries_retention_days: Option<u16>,
    /// Whole days for which attempts are kept, at most as long as deliveries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_retention_days: Option<u16>,
    /// Whole days for which the data of events is kept, at most as long as events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_retention_days: Option<u16>,
}

impl PurgeExpired {
    /// The tick's job, with everything kept for as long as events.
    #[must_use]
    pub const fn new(tick: DateTime<Utc>, retention_days: u16) -> Self {
        Self {
            tick: Tick::at(tick),
            retention_days,
            rejected_retention_days: None,
            audit_log_retention_days: None,
            deliveries_retention_days: None,
            attempts_retention_days: None,
            payload_retention_days: None,
        }
    }
}

impl Job for PurgeExpired {
    const QUEUE: &'static str = "purge_expired";

    fn job_id(&self) -> Option<String> {
        Some(self.tick.id())
    }
}

/// Queue `sweep_deliveries`: enqueues every unfinished delivery that is past due, in case its job was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepDeliveries {
    /// The tick that caused it.
    #[serde(flatten)]
    pub tick: Tick,
}

impl Job for SweepDeliveries {
    const QUEUE: &'static str = "sweep_deliveries";

    fn job_id(&self) -> Option<String> {
        Some(self.tick.id())
    }
}

/// Queue `index_events`: makes what was stored searchable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexEvents {
    /// The tick that caused it.
    #[serde(flatten)]
    pub tick: Tick,
    /// Events that this job may index.
    pub events_max: u32,
}

impl Job for IndexEvents {
    const QUEUE: &'static str = "index_events";

    fn job_id(&self) -> Option<String> {
        Some(self.tick.id())
    }
}

/// Queue `back_up`: exports the day before the tick's of every project, and removes exports that are too old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackUp {
    /// The tick that caused it.
    #[serde(flatten)]
    pub tick: Tick,
    /// Where archives are, without credentials: a folder, `s3://bucket/prefix` or `az://container/prefix`.
    pub place: String,
    /// Whole days whose archives are kept.
    pub keep_days: u16,
}

impl Job for BackUp {
    const QUEUE: &'static str = "back_up";

    fn job_id(&self) -> Option<String> {
        Some(self.tick.id())
    }
}

/// Queue `send_digests`: tells projects which of their endpoints have begun to fail since the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendDigests {
    /// The tick that caused it.
    #[serde(flatten)]
    pub tick: Tick,
}

impl Job for SendDigests {
    const QUEUE: &'static str = "send_digests";

    fn job_id(&self) -> Option<String> {
        Some(self.tick.id())
    }
}

/// Queue `keep_house`: the small periodic tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepHouse {
    /// The tick that caused it.
    #[serde(flatten)]
    pub tick: Tick,
    /// What is to be done.
    pub task: HouseTask,
}

/// A small periodic task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum HouseTask {
    /// Counts the events of the days that are over, for as long as they are there.
    CountEvents,
    /// Counts what happened in projects since the last time, for charts.
    CountActivity,
    /// Deletes secrets, keys and invitations whose time has passed.
    ExpireSecrets,
    /// Announces sources that have received nothing for longer than they should.
    WatchSources,
    /// Forgets old dead letters.
    TrimDeadLetters {
        /// Whole days for which they are kept.
        days: u16,
        /// How many each queue keeps.
        letters_max: u32,
    },
    /// Checks that what was stored since the last time adds up.
    AuditLedger {
        /// Events that one run looks at.
        events_max: u32,
    },
}

impl HouseTask {
    /// Its name, which is also that of its schedule.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CountEvents => "count_events",
            Self::CountActivity => "count_activity",
            Self::ExpireSecrets => "expire_secrets",
            Self::WatchSources => "watch_sources",
            Self::TrimDeadLetters { .. } => "trim_dead_letters",
            Self::AuditLedger { .. } => "audit_ledger",
        }
    }
}

impl Job for KeepHouse {
    const QUEUE: &'static str = "keep_house";

    fn job_id(&self) -> Option<String> {
        Some(format!("{}:{}", self.task.name(), self.tick.id()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_stable_and_named_after_their_tick() {
        let stored = r#"{"tick":"2026-01-02T03:00:00Z","retention_days":30}"#;
        let job: PurgeExpired = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&job).unwrap(), stored);
        assert_eq!(job.job_id().unwrap(), "tick:1767322800000");
        let stored = r#"{"tick":"2026-01-02T03:00:00Z","retention_days":30,"rejected_retention_days":7,"audit_log_retention_days":90}"#;
        let job: PurgeExpired = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&job).unwrap(), stored);
        let sweep: SweepDeliveries = serde_json::from_str(r#"{"tick":"2026-01-02T03:00:00Z"}"#).unwrap();
        assert_eq!(sweep.job_id(), job.job_id());
        let stored = r#"{"tick":"2026-01-02T03:00:00Z","place":"s3://bucket/posthouse","keep_days":35}"#;
        let backup: BackUp = serde_json::from_str(stored).unwrap();
        assert_eq!((serde_json::to_string(&backup).unwrap().as_str(), backup.job_id()), (stored, job.job_id()));
        let stored = r#"{"tick":"2026-01-02T03:00:00Z","events_max":2500}"#;
        let index: IndexEvents = serde_json::from_str(stored).unwrap();
        assert_eq!((serde_json::to_string(&index).unwrap().as_str(), index.job_id()), (stored, job.job_id()));
        for (stored, id) in [
            (r#"{"tick":"2026-01-02T03:00:00Z","task":{"name":"count_events"}}"#, "count_events:tick:1767322800000"),
            (
                r#"{"tick":"2026-01-02T03:00:00Z","task":{"name":"count_activity"}}"#,
                "count_activity:tick:1767322800000",
            ),
            (
                r#"{"tick":"2026-01-02T03:00:00Z","task":{"name":"trim_dead_letters","days":30,"letters_max":7}}"#,
                "trim_dead_letters:tick:1767322800000",
            ),
        ] {
            let task: KeepHouse = serde_json::from_str(stored).unwrap();
            assert_eq!((serde_json::to_string(&task).unwrap().as_str(), task.job_id().unwrap().as_str()), (stored, id));
        }
    }
}
