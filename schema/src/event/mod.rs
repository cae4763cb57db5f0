//! Events: what happened, stored once with the caller's exact bytes. A row is written in the same transaction as its
//! deliveries, so a stored event is never without them.

mod document;
mod idempotency;
mod list;
mod of_endpoint;
mod range;
mod search;
mod search_index;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, HasQuery, Identifiable, OptionalExtension, QueryDsl, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

pub use self::{
    document::EventSearch,
    idempotency::{KeyWindow, claim_keys, originals_of_key, owner_of_key},
    list::{
        BROKER_MESSAGE_HEADER, EventFilter, EventTargets, are_stored, count_replayable, find_many, list, list_ids,
        list_replayable,
    },
    search::search,
    search_index::{Indexed, index_page_all_projects, merge_index_all_projects},
};
use crate::{
    ids::{EndpointId, EventId, ProjectId, SourceId},
    json::Headers,
    tables::events,
    words::{EventStatus, TargetKind},
};

/// A row of `events`.
#[derive(Debug, Clone, HasQuery, Identifiable)]
#[diesel(table_name = events, primary_key(project_id, id))]
pub struct Event {
    /// The project.
    pub project_id: ProjectId,
    /// The event; its time is the moment of acceptance.
    pub id: EventId,
    /// Dotted name, such as `invoice.paid`.
    pub event_type: String,
    /// Whom it is meant for.
    pub target_kind: TargetKind,
    /// What the kind points at: an endpoint id, an owner id, a URL, a source id; empty for a broadcast.
    pub target: String,
    /// The source it came in by.
    pub source_id: Option<SourceId>,
    /// Header names to values, forwarded to endpoints.
    pub headers: Headers,
    /// The caller's exact bytes; empty once they have expired.
    pub payload: Vec<u8>,
    /// The caller's repeat marker; empty when there is none.
    pub idempotency_key: String,
    /// Whether an earlier event of the project has the same key.
    pub is_duplicate: bool,
    /// Raw query string of an ingested request.
    pub url_query_params: String,
    /// Path of an ingested request.
    pub url_path: String,
    /// The endpoints that it was matched to.
    pub endpoint_ids: Vec<Option<EndpointId>>,
    /// How far it has come.
    pub status: EventStatus,
    /// Why it was matched to nobody.
    pub failure_reason: Option<String>,
    /// When it was accepted.
    pub acknowledged_at: DateTime<Utc>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
}

/// Why an event without its data is not delivered any more.
pub const EXPIRED: &str = "the event's data has expired";

impl Event {
    /// Whether its data is gone, while it is still there itself: no JSON is empty.
    #[must_use]
    pub fn has_expired(&self) -> bool {
        self.payload.is_empty()
    }
}

/// An event to insert.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The project.
    pub project_id: ProjectId,
    /// Chosen at acceptance.
    pub id: EventId,
    /// Dotted name.
    pub event_type: String,
    /// Whom it is meant for.
    pub target_kind: TargetKind,
    /// What the kind points at.
    pub target: String,
    /// The source it came in by.
    pub source_id: Option<SourceId>,
    /// Header names to values.
    pub headers: Headers,
    /// The caller's exact bytes.
    pub payload: Vec<u8>,
    /// Empty when there is none.
    pub idempotency_key: String,
    /// Whether an earlier event owns the key.
    pub is_duplicate: bool,
    /// Raw query string of an ingested request.
    pub url_query_params: String,
    /// Path of an ingested request.
    pub url_path: String,
    /// The endpoints that it was matched to.
    pub endpoint_ids: Vec<Option<EndpointId>>,
    /// How far it has come.
    pub status: EventStatus,
    /// Why it was matched to nobody.
    pub failure_reason: Option<String>,
    /// When it was accepted.
    pub acknowledged_at: DateTime<Utc>,
}

/// What an event says of where it came from and how it is sent on.
pub type HeaderMap = BTreeMap<String, Vec<String>>;

impl Event {
    /// The event with this id in this project, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(conn: &mut AsyncPgConnection, project: ProjectId, id: EventId) -> QueryResult<Option<Self>> {
        Self::query().filter(events::project_id.eq(project)).filter(events::id.eq(id)).first(conn).await.optional()
    }
}
