//! Sends one meta event to the URL of its project's settings.

use posthouse_schema::{
    ids::{MetaEventId, ProjectId},
    words::MetaEventKind,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Job;

/// Queue `deliver_meta_event`. The meta event's id is the job's, so that it has at most one live job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeliverMetaEvent {
    /// The project.
    pub project_id: ProjectId,
    /// The meta event.
    pub meta_event_id: MetaEventId,
    /// What happened, where the worker is to write the row first. `None`: the row is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Announcement>,
}

/// What happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Announcement {
    /// The kind.
    pub event_type: MetaEventKind,
    /// To what: the endpoint or the delivery as the API shows it, without secrets.
    pub data: Box<RawValue>,
}

impl DeliverMetaEvent {
    /// The job that stores and sends what has just happened.
    ///
    /// # Errors
    /// The data cannot be written as JSON.
    pub fn announce<T: Serialize>(
        project_id: ProjectId,
        event_type: MetaEventKind,
        data: &T,
    ) -> Result<Self, serde_json::Error> {
        let data = serde_json::value::to_raw_value(data)?;
        let new = Some(Announcement { event_type, data });
        Ok(Self { project_id, meta_event_id: MetaEventId::generate(), new })
    }
}

impl Job for DeliverMetaEvent {
    const QUEUE: &'static str = "deliver_meta_event";

    fn job_id(&self) -> Option<String> {
        Some(self.meta_event_id.to_string())
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
        for stored in [
            r#"{"project_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","meta_event_id":"01BX5ZZKBKACTAV9WEVGEMMVRZ"}"#,
            r#"{"project_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","meta_event_id":"01BX5ZZKBKACTAV9WEVGEMMVRZ","new":{"event_type":"endpoint.created","data":{"uid": 1}}}"#,
        ] {
            let job: DeliverMetaEvent = serde_json::from_str(stored).unwrap();
            assert_eq!(serde_json::to_string(&job).unwrap(), stored);
            assert_eq!(job.job_id().unwrap(), "01BX5ZZKBKACTAV9WEVGEMMVRZ");
        }
    }
}
