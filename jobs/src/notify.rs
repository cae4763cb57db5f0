//! Tells people of what has happened to a project. The facts only: who is told, and how, is read when the job runs.

use chrono::{DateTime, Utc};
use posthouse_schema::ids::{EndpointId, ProjectId, SourceId};
use serde::{Deserialize, Serialize};

use crate::Job;

/// Queue `notify`. Its id holds what changed and when, so that one change is told once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// The project, whose contacts hear of it.
    pub project_id: ProjectId,
    /// The endpoint, whose contacts hear of it too; `None` where it is about no single one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<EndpointId>,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub notice: Notice,
}

/// What people are told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Notice {
    /// An endpoint receives nothing any more.
    EndpointDisabled {
        /// Its name.
        name: String,
        /// Its URL.
        url: String,
        /// Why, as the end of a sentence.
        cause: String,
    },
    /// An endpoint of whose failing people were told takes deliveries again.
    EndpointRecovered {
        /// Its name.
        name: String,
        /// Its URL.
        url: String,
        /// Since when it had failed.
        since: DateTime<Utc>,
    },
    /// Endpoints have begun to fail since the last digest.
    EndpointsFailing {
        /// Some of them.
        endpoints: Vec<Failing>,
        /// How many more there are.
        others: usize,
        /// How many fail of which people were told before.
        known: usize,
    },
    /// A source cannot be read, or all of its messages are refused.
    SourceFailing {
        /// The source.
        source_id: SourceId,
        /// Its name.
        name: String,
        /// Why, in a word.
        reason: String,
        /// The last error, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// An endpoint of a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// Its name.
    pub name: String,
    /// Its URL.
    pub url: String,
    /// Since when it fails.
    pub since: DateTime<Utc>,
}

impl Notify {
    /// Names the change, and nothing else ever.
    #[must_use]
    pub fn key(&self) -> String {
        let (kind, subject) = match &self.notice {
            Notice::EndpointDisabled { .. } => ("endpoint-disabled", self.endpoint_id.map(|id| id.to_string())),
            Notice::EndpointRecovered { .. } => ("endpoint-recovered", self.endpoint_id.map(|id| id.to_string())),
            Notice::EndpointsFailing { .. } => ("endpoints-failing", None),
            Notice::SourceFailing { source_id, .. } => ("source-failing", Some(source_id.to_string())),
        };
        let subject = subject.unwrap_or_else(|| self.project_id.to_string());
        format!("{kind}:{subject}:{}", self.at.timestamp_millis())
    }
}

impl Job for Notify {
    const QUEUE: &'static str = "notify";

    fn job_id(&self) -> Option<String> {
        Some(self.key())
    }

    fn lane(&self) -> Option<String> {
        Some(self.project_id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_stable_and_named_after_the_change() {
        for (stored, key) in [
            (
                r#"{"project_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","endpoint_id":"01BX5ZZKBKACTAV9WEVGEMMVRZ","at":"2026-01-02T03:00:00Z","notice":{"kind":"endpoint_disabled","name":"a","url":"https://example.com","cause":"it is gone"}}"#,
                "endpoint-disabled:01BX5ZZKBKACTAV9WEVGEMMVRZ:1767322800000",
            ),
            (
                r#"{"project_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","at":"2026-01-02T03:00:00Z","notice":{"kind":"endpoints_failing","endpoints":[{"name":"a","url":"https://example.com","since":"2026-01-01T03:00:00Z"}],"others":1,"known":2}}"#,
                "endpoints-failing:01ARZ3NDEKTSV4RRFFQ69G5FAV:1767322800000",
            ),
            (
                r#"{"project_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","at":"2026-01-02T03:00:00Z","notice":{"kind":"source_failing","source_id":"01BX5ZZKBKACTAV9WEVGEMMVRZ","name":"a","reason":"unreachable"}}"#,
                "source-failing:01BX5ZZKBKACTAV9WEVGEMMVRZ:1767322800000",
            ),
        ] {
            let job: Notify = serde_json::from_str(stored).unwrap();
            assert_eq!(serde_json::to_string(&job).unwrap(), stored);
            assert_eq!((job.job_id().as_deref(), job.lane()), (Some(key), Some(job.project_id.to_string())));
        }
    }
}
