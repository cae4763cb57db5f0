//! Keeps a message of a broker that will never be an event as it is.

use std::collections::BTreeMap;

use posthouse_schema::ids::{ProjectId, RejectedMessageId, SourceId};
use serde::{Deserialize, Serialize};

use crate::Job;

/// Queue `store_rejected_message`. Pushed by ingest before it acknowledges the message; its job id is the message's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreRejectedMessage {
    /// The project.
    pub project_id: ProjectId,
    /// Chosen when it was rejected, which is its time.
    pub message_id: RejectedMessageId,
    /// The source that it came in by.
    pub source_id: SourceId,
    /// Why, as one of a closed set of words.
    pub reason: String,
    /// Why, for its owner.
    pub detail: String,
    /// Its bytes, or the first ones, in standard base64.
    pub payload: String,
    /// How many bytes it had.
    pub payload_bytes: u64,
    /// What its broker said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl Job for StoreRejectedMessage {
    const QUEUE: &'static str = "store_rejected_message";

    fn job_id(&self) -> Option<String> {
        Some(self.message_id.to_string())
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
        let stored = r#"{"project_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","message_id":"01BX5ZZKBKACTAV9WEVGEMMVRZ","source_id":"01BX5ZZKBKACTAV9WEVGEMMVS0","reason":"not_json","detail":"the body is not JSON","payload":"bm8=","payload_bytes":2,"metadata":{"topic":"a/b"}}"#;
        let job: StoreRejectedMessage = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&job).unwrap(), stored);
        assert_eq!(job.job_id().unwrap(), "01BX5ZZKBKACTAV9WEVGEMMVRZ");
    }
}
