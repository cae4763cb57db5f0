//! Sends one event delivery to its endpoint.

use posthouse_schema::ids::{EndpointId, EventDeliveryId, ProjectId};
use serde::{Deserialize, Serialize};

use crate::Job;

/// Queue `deliver_event`. Ids only: the worker reads the rows again, and the row is the truth. The delivery's id is the
/// job's, so a delivery has at most one live job however often it is pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverEvent {
    /// The project.
    pub project_id: ProjectId,
    /// The delivery.
    pub event_delivery_id: EventDeliveryId,
    /// Where it goes, so that a worker can tell before it reads the rows whether the endpoint takes more. `None`: pushed
    /// by a release that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<EndpointId>,
}

impl Job for DeliverEvent {
    const QUEUE: &'static str = "deliver_event";

    fn job_id(&self) -> Option<String> {
        Some(self.event_delivery_id.to_string())
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
        for (stored, has_endpoint) in [
            (r#"{"project_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","event_delivery_id":"01BX5ZZKBKACTAV9WEVGEMMVRZ"}"#, false),
            (
                r#"{"project_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","event_delivery_id":"01BX5ZZKBKACTAV9WEVGEMMVRZ","endpoint_id":"01BX5ZZKBKACTAV9WEVGEMMVS0"}"#,
                true,
            ),
        ] {
            let job: DeliverEvent = serde_json::from_str(stored).unwrap();
            assert_eq!(serde_json::to_string(&job).unwrap(), stored);
            assert_eq!(job.job_id().unwrap(), "01BX5ZZKBKACTAV9WEVGEMMVRZ");
            assert_eq!(job.endpoint_id.is_some(), has_endpoint);
        }
    }
}
