//! Pages of a project's events: keyset on the id, which is a time, so that a date range is an id range.

use chrono::{DateTime, Utc};
use diesel::{BoolExpressionMethods, ExpressionMethods, HasQuery, PgArrayExpressionMethods, QueryDsl, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Event;
use crate::{
    ids::{EndpointId, EventId, ProjectId, SourceId},
    page::{Page, PageRequest},
    tables::events,
};

/// Which events to list; an empty filter lets everything of the project through.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only events of these sources.
    pub source_ids: Vec<SourceId>,
    /// Only events matched to one of these endpoints.
    pub endpoint_ids: Vec<EndpointId>,
    /// Only events with this key.
    pub idempotency_key: Option<String>,
    /// Accepted at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Accepted at this instant or earlier.
    pub to: Option<DateTime<Utc>>,
}

/// A page of the project's events.
///
/// # Errors
/// The database fails.
pub async fn list(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    filter: &EventFilter,
    page: &PageRequest<EventId>,
) -> QueryResult<Page<Event>> {
    let mut query = Event::query().filter(events::project_id.eq(project)).into_boxed();
    if let Some(from) = filter.from {
        query = query.filter(events::id.ge(EventId::first_at(from)));
    }
    if let Some(to) = filter.to {
        query = query.filter(events::id.le(EventId::last_at(to)));
    }
    if !filter.source_ids.is_empty() {
        let wanted: Vec<Option<SourceId>> = filter.source_ids.iter().copied().map(Some).collect();
        query = query.filter(events::source_id.eq_any(wanted));
    }
    if !filter.endpoint_ids.is_empty() {
        let wanted: Vec<Option<EndpointId>> = filter.endpoint_ids.iter().copied().map(Some).collect();
        query = query.filter(events::endpoint_ids.overlaps_with(wanted));
    }
    if let Some(key) = &filter.idempotency_key {
        query = query.filter(events::idempotency_key.eq(key.clone()).and(events::idempotency_key.ne("")));
    }
    query = match (page.reads_ascending(), page.cursor) {
        (true, Some(cursor)) => query.filter(events::id.ge(cursor)).order(events::id.asc()),
        (true, None) => query.order(events::id.asc()),
        (false, Some(cursor)) => query.filter(events::id.le(cursor)).order(events::id.desc()),
        (false, None) => query.order(events::id.desc()),
    };
    Ok(page.page(query.limit(page.rows_to_read()).load(conn).await?))
}

/// The events with these ids.
///
/// # Errors
/// The database fails.
pub async fn find_many(conn: &mut AsyncPgConnection, project: ProjectId, ids: &[EventId]) -> QueryResult<Vec<Event>> {
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else { return Ok(Vec::new()) };
    Event::query()
        .filter(events::project_id.eq(project))
        .filter(events::id.eq_any(ids))
        // So that only the partitions of these days are searched.
        .filter(events::id.between(*first, *last))
        .load(conn)
        .await
}
