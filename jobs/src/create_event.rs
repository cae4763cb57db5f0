//! Stores an accepted event and its deliveries. The only job that carries a payload: the event exists nowhere else
//! until a worker has written it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use posthouse_schema::ids::{EndpointId, EventId, ProjectId, SourceId, SubscriptionId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Job;

/// Queue `create_event`. Pushed by the API and by ingest when they accept an event; its job id is the event's id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateEvent {
    /// The project.
    pub project_id: ProjectId,
    /// Chosen at acceptance; its time is the event's.
    pub event_id: EventId,
    /// Whom the event is meant for.
    pub target: EventTarget,
    /// Dotted name, such as `invoice.paid`.
    pub event_type: String,
    /// The caller's `data`, byte for byte.
    pub data: Box<RawValue>,
    /// Header names to values, forwarded to endpoints.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Vec<String>>,
    /// The caller's repeat marker; empty when there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub idempotency_key: String,
    /// The source it came in by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<SourceId>,
    /// Raw query string of an ingested request.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url_query_params: String,
    /// Path of an ingested request.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url_path: String,
    /// Deliveries to one endpoint with the same key are sent in the order in which their events are stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering_key: Option<String>,
    /// The event with the same key that must be stored before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<EventId>,
    /// When it was accepted.
    pub accepted_at: DateTime<Utc>,
}

/// Whom an event is meant for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventTarget {
    /// One endpoint.
    Single {
        /// Its id.
        endpoint_id: EndpointId,
    },
    /// All endpoints of one owner.
    Fanout {
        /// The owner's id in the caller's own terms.
        owner_id: String,
    },
    /// Every matching subscription of the project.
    Broadcast,
    /// The endpoint with a URL that was given with the event.
    Dynamic {
        /// The URL.
        url: String,
        /// The endpoint's subscription, which was found or made when the event was accepted.
        subscription_id: SubscriptionId,
    },
    /// Every subscription of the source it came in by.
    Source {
        /// The source.
        source_id: SourceId,
    },
}

impl Job for CreateEvent {
    const QUEUE: &'static str = "create_event";

    fn job_id(&self) -> Option<String> {
        Some(self.event_id.to_string())
    }

    fn lane(&self) -> Option<String> {
        Some(self.project_id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_is_stable_and_keeps_the_bytes_of_data() {
        let stored = r#"{"project_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","event_id":"01BX5ZZKBKACTAV9WEVGEMMVRZ","target":{"kind":"single","endpoint_id":"01BX5ZZKBKACTAV9WEVGEMMVS0"},"event_type":"invoice.paid","data":{ "b": 1.00,  "a" : "ä" },"accepted_at":"2026-01-02T03:04:05.678Z"}"#;
        let job: CreateEvent = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&job).unwrap(), stored);
        assert_eq!(job.job_id().unwrap(), "01BX5ZZKBKACTAV9WEVGEMMVRZ");
    }

    #[test]
    fn every_target_has_its_stored_form() {
        let source_id: SourceId = "01BX5ZZKBKACTAV9WEVGEMMVS0".parse().unwrap();
        let subscription_id: SubscriptionId = "01BX5ZZKBKACTAV9WEVGEMMVS0".parse().unwrap();
        for (target, stored) in [
            (EventTarget::Fanout { owner_id: "acme".into() }, r#"{"kind":"fanout","owner_id":"acme"}"#),
            (EventTarget::Broadcast, r#"{"kind":"broadcast"}"#),
            (
                EventTarget::Dynamic { url: "https://a.example/b".into(), subscription_id },
                r#"{"kind":"dynamic","url":"https://a.example/b","subscription_id":"01BX5ZZKBKACTAV9WEVGEMMVS0"}"#,
            ),
            (EventTarget::Source { source_id }, r#"{"kind":"source","source_id":"01BX5ZZKBKACTAV9WEVGEMMVS0"}"#),
        ] {
            assert_eq!(serde_json::to_string(&target).unwrap(), stored);
            assert_eq!(serde_json::from_str::<EventTarget>(stored).unwrap(), target);
        }
    }
}
