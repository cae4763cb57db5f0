//! The periodic jobs that the scheduler enqueues. Each carries the tick that caused it, and the tick is in its job id:
//! even two schedulers enqueue a tick once.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Job;

/// Queue `purge_expired`: makes the partitions of the coming days and drops those past their retention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeExpired {
    /// The tick that caused it.
    pub tick: DateTime<Utc>,
    /// Whole days for which events, deliveries and attempts are kept.
    pub retention_days: u16,
    /// Whole days for which refused messages of brokers are kept; as long as events where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_retention_days: Option<u16>,
    /// Whole days for which lines of the audit log are kept; for ever where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_retention_days: Option<u16>,
}

impl Job for PurgeExpired {
    const QUEUE: &'static str = "purge_expired";

    fn job_id(&self) -> Option<String> {
        Some(tick_id(self.tick))
    }
}

/// Queue `sweep_deliveries`: enqueues every unfinished delivery that is past due, in case its job was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepDeliveries {
    /// The tick that caused it.
    pub tick: DateTime<Utc>,
}

impl Job for SweepDeliveries {
    const QUEUE: &'static str = "sweep_deliveries";

    fn job_id(&self) -> Option<String> {
        Some(tick_id(self.tick))
    }
}

/// Queue `index_events`: makes what was stored searchable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexEvents {
    /// The tick that caused it.
    pub tick: DateTime<Utc>,
    /// Events that this job may index.
    pub events_max: u32,
}

impl Job for IndexEvents {
    const QUEUE: &'static str = "index_events";

    fn job_id(&self) -> Option<String> {
        Some(tick_id(self.tick))
    }
}

/// Queue `back_up`: exports the day before the tick's of every project, and removes exports that are too old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackUp {
    /// The tick that caused it.
    pub tick: DateTime<Utc>,
    /// Where archives are, without credentials: a folder, `s3://bucket/prefix` or `az://container/prefix`.
    pub place: String,
    /// Whole days whose archives are kept.
    pub keep_days: u16,
}

impl Job for BackUp {
    const QUEUE: &'static str = "back_up";

    fn job_id(&self) -> Option<String> {
        Some(tick_id(self.tick))
    }
}

/// Queue `send_digests`: tells projects which of their endpoints have begun to fail since the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendDigests {
    /// The tick that caused it.
    pub tick: DateTime<Utc>,
}

impl Job for SendDigests {
    const QUEUE: &'static str = "send_digests";

    fn job_id(&self) -> Option<String> {
        Some(tick_id(self.tick))
    }
}

fn tick_id(tick: DateTime<Utc>) -> String {
    format!("tick:{}", tick.timestamp_millis())
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
        let stored = r#"{"tick":"2026-01-02T03:00:00Z","retention_days":30,"rejected_retention_days":7,"audit_retention_days":90}"#;
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
    }
}
