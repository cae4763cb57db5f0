//! What pages read of the operations' answers: only what they show.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use posthouse_pages::{deliveries::is_open, pager::Pager, portal::deliveries::DeliveryLine};
use salvo::Request;
use serde::Deserialize;
use serde_json::Value;

use crate::dashboard::query;

/// Rows of a page.
const PER_PAGE: &str = "25";
/// Keys by which a list goes on.
const PAGING: [&str; 3] = ["direction", "next_page_cursor", "prev_page_cursor"];

/// A page of a list.
#[derive(Debug, Deserialize)]
pub struct Paged<T> {
    /// The rows.
    pub content: Vec<T>,
    /// How to go on.
    pub pagination: Pagination,
}

/// How to go on.
#[derive(Debug, Deserialize)]
pub struct Pagination {
    has_next_page: bool,
    has_prev_page: bool,
    prev_page_cursor: String,
    next_page_cursor: String,
}

impl Pagination {
    /// The links of the list at this path.
    pub fn pager(self, path: &str, query: Vec<(String, String)>) -> Pager {
        Pager {
            path: path.into(),
            query,
            previous: self.has_prev_page.then_some(self.prev_page_cursor),
            next: self.has_next_page.then_some(self.next_page_cursor),
        }
    }
}

/// What a list is asked, of the request's query: these keys, and the page.
pub fn asked(req: &mut Request, kept: &[&str]) -> Vec<(String, String)> {
    query::complete(req);
    let mut all = query::kept(req, kept);
    all.extend(query::kept(req, &PAGING));
    all.push(("perPage".into(), PER_PAGE.into()));
    all
}

/// An endpoint.
#[derive(Debug, Deserialize)]
pub struct EndpointRead {
    /// The endpoint.
    pub uid: String,
    /// Where webhooks go.
    pub url: String,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
    /// `active`, `paused` or `inactive`.
    pub status: String,
    /// Longest wait for an answer, in seconds.
    pub http_timeout: i64,
    /// Requests per duration.
    pub rate_limit: i64,
    /// The duration, in seconds.
    pub rate_limit_duration: i64,
    /// How the body is encoded.
    pub content_type: String,
    /// Who hears that it was disabled.
    #[serde(default)]
    pub support_email: String,
    /// How requests authenticate; credentials are hidden, and stay as they are when they come back so.
    pub authentication: Option<Value>,
    /// What signs.
    pub secrets: Option<Vec<SecretRead>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A secret.
#[derive(Debug, Deserialize)]
pub struct SecretRead {
    /// What signs.
    pub value: String,
    /// What receivers verify with, where a private key signs.
    pub public_key: Option<String>,
    /// When it stops signing.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A subscription.
#[derive(Debug, Deserialize)]
pub struct SubscriptionRead {
    /// The subscription.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// JavaScript that makes the payload.
    pub function: Option<String>,
    /// Which events.
    pub filter_config: FilterRead,
}

/// Which events.
#[derive(Debug, Deserialize)]
pub struct FilterRead {
    /// Their types.
    pub event_types: Vec<String>,
    /// What is asked of each part of them.
    pub filter: Value,
}

impl FilterRead {
    /// Whether more is asked of an event than its type.
    pub fn is_narrow(&self) -> bool {
        let parts = ["headers", "body", "query", "path"];
        parts.iter().any(|part| {
            self.filter.get(part).and_then(Value::as_object).is_some_and(|conditions| !conditions.is_empty())
        })
    }
}

/// Enough of an endpoint to recognise it.
#[derive(Debug, Deserialize)]
pub struct Named {
    /// Its name; empty for one that is gone.
    pub name: String,
    /// Where webhooks go.
    pub url: String,
}

/// An event type.
#[derive(Debug, Deserialize)]
pub struct EventTypeRead {
    /// The name that events carry.
    pub name: String,
    /// A group.
    pub category: String,
    /// For people.
    pub description: String,
    /// The shape of its events' data.
    pub json_schema: Option<Value>,
    /// Since when it should no longer be used.
    pub deprecated_at: Option<DateTime<Utc>>,
}

/// An event.
#[derive(Debug, Deserialize)]
pub struct EventRead {
    /// The event.
    pub uid: String,
    /// Its dotted name.
    pub event_type: String,
    /// Its headers.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Its data, as a text.
    pub raw: String,
    /// When it was accepted.
    pub acknowledged_at: DateTime<Utc>,
}

/// A delivery.
#[derive(Debug, Deserialize)]
pub struct DeliveryRead {
    /// The delivery.
    pub uid: String,
    /// Its event.
    pub event_id: String,
    /// The event's type.
    pub event_type: String,
    /// Its endpoint.
    pub endpoint_id: String,
    /// Enough of the endpoint to recognise it.
    pub endpoint_metadata: Named,
    /// The URL in use, where it is not the endpoint's.
    pub target_url: Option<String>,
    /// How far it has come.
    pub status: String,
    /// Why.
    #[serde(default)]
    pub description: String,
    /// When the event was accepted.
    pub acknowledged_at: DateTime<Utc>,
    /// What is sent, and when.
    pub metadata: DeliveryFacts,
}

/// What a delivery sends, and when.
#[derive(Debug, Deserialize)]
pub struct DeliveryFacts {
    /// What is sent, as a text.
    pub raw: String,
    /// When the next attempt is due.
    pub next_send_time: DateTime<Utc>,
    /// Attempts made.
    pub num_trials: i32,
    /// Attempts in total.
    pub retry_limit: i32,
}

impl DeliveryRead {
    /// The name of its endpoint; its id where it was deleted.
    pub fn endpoint(&self) -> String {
        if self.endpoint_metadata.name.is_empty() {
            self.endpoint_id.clone()
        } else {
            self.endpoint_metadata.name.clone()
        }
    }

    /// When it is tried again, where it is.
    pub fn next(&self) -> Option<DateTime<Utc>> {
        is_open(&self.status).then_some(self.metadata.next_send_time)
    }

    /// It as a line of a table.
    pub fn line(self) -> DeliveryLine {
        DeliveryLine {
            endpoint: self.endpoint(),
            next: self.next(),
            id: self.uid,
            event_type: self.event_type,
            endpoint_id: self.endpoint_id,
            status: self.status,
            attempts: (self.metadata.num_trials, self.metadata.retry_limit),
            at: self.acknowledged_at,
        }
    }
}

/// One request of a delivery.
#[derive(Debug, Deserialize)]
pub struct AttemptRead {
    /// The URL that was requested.
    pub url: String,
    /// The request's method.
    pub method: String,
    /// Headers as sent.
    pub request_http_header: BTreeMap<String, String>,
    /// Headers as received.
    #[serde(default)]
    pub response_http_header: BTreeMap<String, String>,
    /// Such as `200 OK`.
    pub http_status: Option<String>,
    /// The beginning of the answer's body.
    pub response_data: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// Whether it succeeded.
    #[serde(default)]
    pub status: bool,
    /// Milliseconds until the answer or the failure.
    pub duration_ms: i32,
    /// When the request began.
    pub requested_at: DateTime<Utc>,
}
