//! Goes on with a batch run: the retry or the replay of everything that a query matched.

use posthouse_schema::ids::{BatchRunId, ProjectId};
use serde::{Deserialize, Serialize};

use crate::Job;

/// Queue `run_batch`. Its row says what is wanted and how far it has come; the run's id is the job's, so that a run goes on
/// in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunBatch {
    /// The project.
    pub project_id: ProjectId,
    /// The run.
    pub batch_run_id: BatchRunId,
}

impl Job for RunBatch {
    const QUEUE: &'static str = "run_batch";

    fn job_id(&self) -> Option<String> {
        Some(self.batch_run_id.to_string())
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
        let stored = r#"{"project_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","batch_run_id":"01BX5ZZKBKACTAV9WEVGEMMVRZ"}"#;
        let job: RunBatch = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&job).unwrap(), stored);
        assert_eq!(job.job_id().unwrap(), "01BX5ZZKBKACTAV9WEVGEMMVRZ");
    }
}
