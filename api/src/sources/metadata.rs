//! A source as events, deliveries and subscriptions show it: enough to recognise it, in the whole shape of a source, contract section 2.4.

use chrono::{DateTime, Utc};
use posthouse_schema::source::Source;
use salvo::oapi::ToSchema;
use serde::Serialize;

use crate::endpoints::wire::zero_time;

/// The source that an event came in by; of no source, all is empty.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SourceMetadata {
    /// The source.
    pub uid: String,
    /// Its project; empty beside events and deliveries, as are the next two.
    pub project_id: String,
    /// What its ingest URL ends with.
    pub mask_id: String,
    /// What it is called.
    pub name: String,
    /// Always empty.
    pub url: String,
    /// `http` or `pub_sub`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Always empty.
    pub provider: String,
    /// Whether it refuses; false beside events and deliveries.
    pub is_disabled: bool,
    /// Always null.
    pub verifier: Option<serde_json::Value>,
    /// Always empty.
    pub custom_response: CustomResponseMetadata,
    /// Always null.
    pub provider_config: Option<serde_json::Value>,
    /// Always null.
    pub forward_headers: Option<Vec<String>>,
    /// Always null.
    pub pub_sub: Option<serde_json::Value>,
    /// Empty in a list of deliveries, and null elsewhere.
    pub idempotency_keys: Option<Vec<String>>,
    /// Always empty.
    pub event_type_location: String,
    /// Always null.
    pub body_function: Option<String>,
    /// Always null.
    pub header_function: Option<String>,
    /// Always year 1.
    pub created_at: DateTime<Utc>,
    /// Always year 1.
    pub updated_at: DateTime<Utc>,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// What an ingest request is answered with.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct CustomResponseMetadata {
    /// Always empty.
    pub body: String,
    /// Always empty.
    pub content_type: String,
}

impl SourceMetadata {
    /// The source with this id and name; empty texts where there is none.
    #[must_use]
    pub fn new(uid: String, name: String) -> Self {
        Self {
            uid,
            project_id: String::new(),
            mask_id: String::new(),
            name,
            url: String::new(),
            kind: String::new(),
            provider: String::new(),
            is_disabled: false,
            verifier: None,
            custom_response: CustomResponseMetadata::default(),
            provider_config: None,
            forward_headers: None,
            pub_sub: None,
            idempotency_keys: None,
            event_type_location: String::new(),
            body_function: None,
            header_function: None,
            created_at: zero_time(),
            updated_at: zero_time(),
            deleted_at: None,
        }
    }

    /// As a subscription shows it.
    #[must_use]
    pub fn of_subscription(source: &Source) -> Self {
        Self {
            project_id: source.project_id.to_string(),
            mask_id: source.mask_id.clone(),
            kind: source.kind.to_string(),
            is_disabled: source.is_disabled,
            ..Self::new(source.id.to_string(), source.name.clone())
        }
    }
}
