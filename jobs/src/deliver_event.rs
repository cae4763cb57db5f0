//! Sends one event delivery to its endpoint.

use posthouse_schema::ids::{EventDeliveryId, ProjectId};
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
}

impl Job for DeliverEvent {
    const QUEUE: &'static str = "deliver_event";

    fn job_id(&self) -> Option<String> {
        Some(self.event_delivery_id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_is_stable() {
        let stored = r#"{"project_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","event_delivery_id":"01BX5ZZKBKACTAV9WEVGEMMVRZ"}"#;
        let job: DeliverEvent = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&job).unwrap(), stored);
        assert_eq!(job.job_id().unwrap(), "01BX5ZZKBKACTAV9WEVGEMMVRZ");
    }
}
