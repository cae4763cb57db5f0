//! Events in an archive.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{ExpressionMethods, HasQuery, Insertable, QueryDsl, QueryResult, result::Error};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::{Archived, Span, Unfinished};
use crate::{
    ids::{EndpointId, EventId, ProjectId, SourceId},
    json::Headers,
    tables::{event_day_counts, events, idempotency_keys},
    words::{EventStatus, TargetKind},
};

/// A row of `events`, whole.
#[derive(Debug, Clone, PartialEq, Eq, HasQuery, Insertable, Serialize, Deserialize)]
#[diesel(table_name = events)]
pub struct ArchivedEvent {
    /// The project.
    pub project_id: ProjectId,
    /// The event.
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
    #[serde(with = "super::bytes::whole")]
    pub payload: Vec<u8>,
    /// Empty when there is none.
    pub idempotency_key: String,
    /// Whether an earlier event has the same key.
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
    /// When the row was stored. A restored one is stored when it is restored: the search reads events in this order.
    #[diesel(skip_insertion)]
    pub updated_at: DateTime<Utc>,
}

impl Archived for ArchivedEvent {
    const TABLE: &'static str = "events";
    const SIZE: &'static str = "octet_length(payload)";

    fn id(&self) -> u128 {
        self.id.to_bits()
    }

    fn bytes(&self) -> usize {
        self.payload.len()
    }

    async fn until(conn: &mut AsyncPgConnection, span: Span, last: u128) -> QueryResult<Vec<Self>> {
        Self::query()
            .filter(events::project_id.eq(span.project))
            .filter(events::id.gt(EventId::from_bits(span.after)))
            .filter(events::id.le(EventId::from_bits(last)))
            .order(events::id.asc())
            .load(conn)
            .await
    }

    /// With their idempotency keys, as far as nobody has those by now.
    async fn restore(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        mut rows: Vec<Self>,
        _: Unfinished,
    ) -> QueryResult<usize> {
        for row in &mut rows {
            row.project_id = project;
        }
        let mut owned: Vec<(&str, EventId)> = rows
            .iter()
            .filter(|row| !row.is_duplicate && !row.idempotency_key.is_empty())
            .map(|row| (row.idempotency_key.as_str(), row.id))
            .collect();
        // The first of a key keeps it, and locks are taken in the order in which workers take them.
        owned.sort_unstable();
        owned.dedup_by(|later, first| later.0 == first.0);
        let keys: Vec<_> = owned
            .into_iter()
            .map(|(key, event)| {
                (
                    idempotency_keys::project_id.eq(project),
                    idempotency_keys::idempotency_key.eq(key),
                    idempotency_keys::event_id.eq(event),
                )
            })
            .collect();
        conn.transaction::<_, Error, _>(async |conn| {
            diesel::insert_into(idempotency_keys::table).values(&keys).on_conflict_do_nothing().execute(conn).await?;
            diesel::insert_into(events::table).values(&rows).on_conflict_do_nothing().execute(conn).await
        })
        .await
    }
}

/// Has the project's events of these days counted anew.
///
/// # Errors
/// The database fails.
pub async fn forget_day_counts(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    (first, last): (NaiveDate, NaiveDate),
) -> QueryResult<usize> {
    let counts = event_day_counts::table
        .filter(event_day_counts::project_id.eq(project))
        .filter(event_day_counts::day.between(first, last));
    diesel::delete(counts).execute(conn).await
}
