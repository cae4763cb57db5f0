//! Subscriptions on the wire, contract section 2.7.

use chrono::{DateTime, Utc};
use posthouse_filter::Scopes;
use posthouse_schema::subscription::Subscription;
use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    endpoints::wire::EndpointWire,
    filters::wire::{SampleBody, flat},
    sources::metadata::SourceMetadata,
};

/// What a subscription is made or changed with.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SubscriptionBody {
    /// What it is called.
    pub name: Option<String>,
    /// Who receives.
    pub endpoint_id: Option<String>,
    /// Whose events; required in incoming projects.
    pub source_id: Option<String>,
    /// JavaScript whose `transform(payload)` makes the payload of deliveries; an empty text on a change removes it.
    pub function: Option<String>,
    /// Which events.
    pub filter_config: Option<FilterConfig>,
    /// When people are told of failures: `{"count", "threshold"}`.
    pub alert_config: Option<Value>,
    /// Its own retry policy instead of the project's: `type` (`linear`, `exponential`, or `custom` with a `schedule` of waits in
    /// seconds), `duration` (such as `30s`, or seconds; `interval_seconds` means the same), `retry_count` (attempts),
    /// `deadline` (seconds after which nothing is tried any more).
    pub retry_config: Option<Value>,
    /// Its own rate limit; kept, and not used by this version.
    pub rate_limit_config: Option<Value>,
    /// `at_least_once` or `at_most_once`.
    pub delivery_mode: Option<String>,
}

/// Which events a subscription takes.
#[derive(Debug, Deserialize, ToSchema)]
pub struct FilterConfig {
    /// Exact event types, or `*`.
    pub event_types: Option<Vec<String>>,
    /// What is asked of every event, whatever its type: conditions in `headers`, `body`, `query` and `path`.
    pub filter: Option<EventFilterBody>,
}

/// Conditions on each part of an event; every part must hold.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct EventFilterBody {
    /// Conditions on the event's headers, an object.
    pub headers: Option<Value>,
    /// Another name of `headers`.
    pub header: Option<Value>,
    /// Conditions on the event's data, an object.
    pub body: Option<Value>,
    /// Conditions on the query parameters with which the event came in, an object.
    pub query: Option<Value>,
    /// Conditions on the path at which the event came in, an object: `{"path": …}`.
    pub path: Option<Value>,
}

/// A filter to try, and the event to try it on.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TryFilterBody {
    /// The event.
    pub request: Option<SampleBody>,
    /// The filter.
    pub schema: Option<EventFilterBody>,
}

/// A subscription.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubscriptionWire {
    /// The subscription.
    pub uid: String,
    /// What it is called.
    pub name: String,
    /// Always `api`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its project.
    pub project_id: String,
    /// JavaScript that makes the payload of its deliveries.
    pub function: Option<String>,
    /// Enough of the source to recognise it.
    pub source_metadata: Option<SourceMetadata>,
    /// Enough of the endpoint to recognise it.
    pub endpoint_metadata: Option<EndpointWire>,
    /// Always null.
    pub device_metadata: Option<Value>,
    /// When people are told of failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert_config: Option<Value>,
    /// Its own retry policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_config: Option<Value>,
    /// Which events.
    pub filter_config: Value,
    /// Its own rate limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit_config: Option<Value>,
    /// `at_least_once` or `at_most_once`.
    pub delivery_mode: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Whether filters on query and path are shown with dotted keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// As they were given: right after the making.
    AsGiven,
    /// With dotted keys.
    Flat,
}

impl SubscriptionWire {
    /// The subscription right after it was made.
    #[must_use]
    pub fn made(row: Subscription) -> Self {
        Self::new(row, None, None, Shown::AsGiven)
    }

    /// The subscription with what its endpoint and its source add.
    #[must_use]
    pub fn new(
        row: Subscription,
        endpoint: Option<EndpointWire>,
        source: Option<SourceMetadata>,
        shown: Shown,
    ) -> Self {
        Self {
            uid: row.id.to_string(),
            name: row.name,
            kind: "api".into(),
            project_id: row.project_id.to_string(),
            function: row.function,
            source_metadata: source,
            endpoint_metadata: endpoint,
            device_metadata: None,
            alert_config: row.alert_config,
            retry_config: row.retry_config,
            filter_config: json!({"event_types": row.event_types.0, "filter": filter(row.filter, shown)}),
            rate_limit_config: row.rate_limit_config,
            delivery_mode: row.delivery_mode.to_string(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: None,
        }
    }
}

fn filter(stored: Option<Value>, shown: Shown) -> Value {
    let stored = stored.unwrap_or_default();
    let scope = |name: &str| stored.get(name).cloned().unwrap_or_else(|| json!({}));
    let raw = Scopes { headers: scope("headers"), body: scope("body"), query: scope("query"), path: scope("path") };
    let Scopes { query, path, .. } = if shown == Shown::Flat { flat(&raw) } else { raw.clone() };
    json!({
        "is_flattened": shown == Shown::Flat,
        "headers": raw.headers,
        "body": raw.body,
        "query": query,
        "path": path,
    })
}
