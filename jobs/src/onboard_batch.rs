//! Makes endpoints with their subscriptions, for some rows of one onboarding request.

use std::fmt;

use posthouse_schema::ids::ProjectId;
use serde::{Deserialize, Serialize};

use crate::Job;

/// Queue `onboard_batch`. The rows were checked when they were accepted. A row whose endpoint and subscription are there
/// changes nothing, so a batch may run twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnboardBatch {
    /// The project.
    pub project_id: ProjectId,
    /// Names the batch: the request's id and the batch's number.
    pub batch: String,
    /// Its rows.
    pub rows: Vec<OnboardRow>,
}

/// An endpoint to make, or to find by its URL, and what it subscribes to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnboardRow {
    /// Name of a new endpoint.
    pub name: String,
    /// Where webhooks go.
    pub url: String,
    /// An exact event type, or `*`.
    pub event_type: String,
    /// User name and password of a new endpoint's requests; both empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub auth_username: String,
    /// See `auth_username`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub auth_password: String,
}

impl fmt::Debug for OnboardRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnboardRow").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Job for OnboardBatch {
    const QUEUE: &'static str = "onboard_batch";

    fn job_id(&self) -> Option<String> {
        Some(self.batch.clone())
    }

    fn lane(&self) -> Option<String> {
        Some(self.project_id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_is_stable_and_shows_no_password() {
        let stored = r#"{"project_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","batch":"01BX5ZZKBKACTAV9WEVGEMMVRZ-0","rows":[{"name":"a","url":"https://example.com","event_type":"*"},{"name":"b","url":"https://example.org","event_type":"c","auth_username":"u","auth_password":"hunter2"}]}"#;
        let job: OnboardBatch = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&job).unwrap(), stored);
        assert_eq!(job.job_id().unwrap(), "01BX5ZZKBKACTAV9WEVGEMMVRZ-0");
        assert!(!format!("{job:?}").contains("hunter2"));
    }
}
