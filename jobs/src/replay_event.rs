//! Matches a stored event again and delivers it again.

use chrono::{DateTime, Utc};
use posthouse_schema::ids::{EventId, ProjectId, ReplayId};
use serde::{Deserialize, Serialize};

use crate::Job;

/// Queue `replay_event`. The replay is part of the job's id and of the ids of its deliveries: it happens once, however
/// often it is pushed or run, and the next replay of the event is another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayEvent {
    /// The project.
    pub project_id: ProjectId,
    /// The event.
    pub event_id: EventId,
    /// The replay.
    pub replay_id: ReplayId,
    /// When it was asked for; what its deliveries' latencies count from.
    pub requested_at: DateTime<Utc>,
}

impl Job for ReplayEvent {
    const QUEUE: &'static str = "replay_event";

    fn job_id(&self) -> Option<String> {
        Some(format!("{}:{}", self.event_id, self.replay_id))
    }

    fn lane(&self) -> Option<String> {
        Some(self.project_id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_is_stable() {
        let stored = r#"{"project_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","event_id":"01BX5ZZKBKACTAV9WEVGEMMVRZ","replay_id":"01BX5ZZKBKACTAV9WEVGEMMVS0","requested_at":"2026-01-02T03:04:05.678Z"}"#;
        let job: ReplayEvent = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&job).unwrap(), stored);
        assert_eq!(job.job_id().unwrap(), "01BX5ZZKBKACTAV9WEVGEMMVRZ:01BX5ZZKBKACTAV9WEVGEMMVS0");
    }
}
