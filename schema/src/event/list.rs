//! Pages and sums of a project's events: keyset on the id, which is a time, so that a date range is an id range.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, BoxableExpression, ExpressionMethods, HasQuery, PgArrayExpressionMethods,
    PgJsonbExpressionMethods, QueryDsl, QueryResult, SelectableHelper,
    dsl::sql,
    pg::Pg,
    result::Error,
    sql_types::{Bool, Text, Uuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::{Event, of_endpoint};
use crate::{
    deadline,
    ids::{EndpointId, EventDeliveryId, EventId, ProjectId, SourceId},
    page::{Page, PageRequest},
    tables::{event_deliveries, events},
    words::TargetKind,
};

/// Carries the id that a broker gave the message which became the event.
pub const BROKER_MESSAGE_HEADER: &str = "x-broker-message-id";

/// Which events are meant; an empty filter lets everything of the project through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventFilter {
    /// Only events of these sources.
    pub source_ids: Vec<SourceId>,
    /// Only events matched to one of these endpoints; `Some` of none lets nothing through.
    pub endpoint_ids: Option<Vec<EndpointId>>,
    /// Only events with this key.
    pub idempotency_key: Option<String>,
    /// Only the event of this message of a broker.
    pub broker_message_id: Option<String>,
    /// Accepted at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Accepted at this instant or earlier.
    pub to: Option<DateTime<Utc>>,
    /// Only events for these alone.
    pub targets: Option<EventTargets>,
}

/// Whom events are for, where that is nobody else: endpoints by their ids, or an owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTargets {
    /// Events for one of these endpoints.
    pub endpoint_ids: Vec<EndpointId>,
    /// Events for all endpoints of this owner; empty for no such events.
    pub owner_id: String,
}

pub(super) type Filtered<'f> = diesel::helper_types::IntoBoxed<'f, events::table, Pg>;

/// The events of the project that the filter lets through.
pub(super) fn filtered<'f>(project: ProjectId, filter: &EventFilter) -> Filtered<'f> {
    let mut query = events::table.filter(events::project_id.eq(project)).into_boxed();
    if let Some(from) = filter.from {
        query = query.filter(events::id.ge(EventId::first_at(from)));
    }
    if let Some(to) = filter.to {
        query = query.filter(events::id.le(EventId::last_at(to)));
    }
    match filter.source_ids.as_slice() {
        [] => {}
        // Of one its index has them in order, so that a page is read and not everything.
        [source] => query = query.filter(events::source_id.eq(*source)),
        sources => {
            let wanted: Vec<Option<SourceId>> = sources.iter().copied().map(Some).collect();
            query = query.filter(events::source_id.eq_any(wanted));
        }
    }
    if let Some(endpoints) = &filter.endpoint_ids {
        let wanted: Vec<Option<EndpointId>> = endpoints.iter().copied().map(Some).collect();
        query = query.filter(events::endpoint_ids.overlaps_with(wanted));
    }
    if let Some(targets) = &filter.targets {
        let ids: Vec<String> = targets.endpoint_ids.iter().map(ToString::to_string).collect();
        let single = events::target_kind.eq(TargetKind::Single).and(events::target.eq_any(ids));
        let of_owner = events::target.eq(targets.owner_id.clone()).and(events::target.ne(""));
        query = query.filter(single.or(events::target_kind.eq(TargetKind::Fanout).and(of_owner)));
    }
    if let Some(key) = &filter.idempotency_key {
        // Originals are found through their key, the duplicates through the index that has only them.
        let is_duplicate = events::is_duplicate.eq(true).and(events::idempotency_key.eq(key.clone()));
        query = query.filter(is_original_of(project, key).or(is_duplicate));
    }
    if let Some(message) = &filter.broker_message_id {
        query = query
            .filter(events::headers.has_key(BROKER_MESSAGE_HEADER))
            .filter(sql::<Bool>("headers -> 'x-broker-message-id' ->> 0 = ").bind::<Text, _>(message.clone()));
    }
    query
}

/// Whether an event is an original with this key: there are several where the key was free again in between. As an array
/// the ids are looked up first, so that the events' index serves even beside another condition.
fn is_original_of(project: ProjectId, key: &str) -> Box<dyn BoxableExpression<events::table, Pg, SqlType = Bool>> {
    let ids = sql::<Bool>("events.id = ANY (ARRAY (SELECT event_id FROM idempotency_keys WHERE project_id = ")
        .bind::<Uuid, _>(project)
        .sql(" AND idempotency_key = ")
        .bind::<Text, _>(key.to_string())
        .sql(" UNION ALL SELECT event_id FROM past_idempotency_keys WHERE project_id = ")
        .bind::<Uuid, _>(project)
        .sql(" AND idempotency_key = ")
        .bind::<Text, _>(key.to_string())
        .sql("))");
    Box::new(ids)
}

/// The rows of the page among those of the query.
fn paged<'f>(query: Filtered<'f>, page: &PageRequest<EventId>) -> Filtered<'f> {
    let query = match (page.reads_ascending(), page.cursor) {
        (true, Some(cursor)) => query.filter(events::id.ge(cursor)).order(events::id.asc()),
        (true, None) => query.order(events::id.asc()),
        (false, Some(cursor)) => query.filter(events::id.le(cursor)).order(events::id.desc()),
        (false, None) => query.order(events::id.desc()),
    };
    query.limit(page.rows_to_read())
}

/// A page of the project's events.
///
/// # Errors
/// The database fails, or takes longer than [`deadline::QUERY_MAX`].
pub async fn list(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    filter: &EventFilter,
    page: &PageRequest<EventId>,
) -> QueryResult<Page<Event>> {
    let few = filter.endpoint_ids.as_deref().filter(|ids| (1..=of_endpoint::ENDPOINTS_MAX).contains(&ids.len()));
    let rows = conn
        .transaction::<_, Error, _>(async |conn| {
            deadline::set(conn).await?;
            match (few, &filter.idempotency_key) {
                (Some(endpoints), _) => of_endpoint::rows(conn, project, (filter, endpoints), page).await,
                (None, Some(key)) => of_key(conn, project, (filter, key), page).await,
                (None, None) => paged(filtered(project, filter), page).select(Event::as_select()).load(conn).await,
            }
        })
        .await?;
    Ok(page.page(rows))
}

/// The rows of the page of events with this key: originals and duplicates each on their own, because of both together no index
/// has the order, and there may be many duplicates.
async fn of_key(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    (filter, key): (&EventFilter, &str),
    page: &PageRequest<EventId>,
) -> QueryResult<Vec<Event>> {
    let rest = EventFilter { idempotency_key: None, ..filter.clone() };
    let duplicates =
        filtered(project, &rest).filter(events::is_duplicate.eq(true)).filter(events::idempotency_key.eq(key));
    let mut rows: Vec<Event> = paged(duplicates, page).select(Event::as_select()).load(conn).await?;
    let originals = paged(filtered(project, &rest).filter(is_original_of(project, key)), page);
    rows.extend(originals.select(Event::as_select()).load::<Event>(conn).await?);
    rows.sort_by_key(|row| row.id);
    rows.dedup_by_key(|row| row.id);
    if !page.reads_ascending() {
        rows.reverse();
    }
    rows.truncate(usize::try_from(page.rows_to_read()).unwrap_or(usize::MAX));
    Ok(rows)
}

/// How many events a replay of what the filter lets through would take: duplicates have nothing to deliver.
///
/// # Errors
/// The database fails, or takes longer than [`deadline::QUERY_MAX`].
pub async fn count_replayable(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    filter: &EventFilter,
) -> QueryResult<i64> {
    let query = match &filter.endpoint_ids {
        // An event that was matched to an endpoint has a delivery to it, with its own time.
        Some(endpoints) => {
            let first = EventDeliveryId::first_at(filter.from.unwrap_or_default());
            let last = filter.to.map_or(EventDeliveryId::from_bits(u128::MAX), EventDeliveryId::last_at);
            let delivered = event_deliveries::table
                .filter(event_deliveries::project_id.eq(project))
                .filter(event_deliveries::endpoint_id.eq_any(endpoints.clone()))
                .filter(event_deliveries::id.between(first, last))
                .select(event_deliveries::event_id);
            let rest = EventFilter { endpoint_ids: None, ..filter.clone() };
            filtered(project, &rest).filter(events::id.eq_any(delivered))
        }
        None => filtered(project, filter),
    };
    let query = query.filter(events::is_duplicate.eq(false)).count();
    conn.transaction::<_, Error, _>(async |conn| {
        deadline::set(conn).await?;
        query.get_result(conn).await
    })
    .await
}

/// Up to `limit` events after `after` that such a replay takes, the oldest first.
///
/// # Errors
/// The database fails.
pub async fn list_replayable(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    filter: &EventFilter,
    after: Option<EventId>,
    limit: i64,
) -> QueryResult<Vec<EventId>> {
    let mut query = filtered(project, filter).filter(events::is_duplicate.eq(false));
    if let Some(after) = after {
        query = query.filter(events::id.gt(after));
    }
    query.order(events::id.asc()).limit(limit).select(events::id).load(conn).await
}

/// Up to `limit` ids of events that the filter lets through, the newest first.
///
/// # Errors
/// The database fails, or takes longer than [`deadline::QUERY_MAX`].
pub async fn list_ids(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    filter: &EventFilter,
    limit: i64,
) -> QueryResult<Vec<EventId>> {
    let query = filtered(project, filter).order(events::id.desc()).limit(limit).select(events::id);
    conn.transaction::<_, Error, _>(async |conn| {
        deadline::set(conn).await?;
        query.load(conn).await
    })
    .await
}

/// Whether every one of these events is stored.
///
/// # Errors
/// The database fails.
pub async fn are_stored(conn: &mut AsyncPgConnection, project: ProjectId, ids: &[EventId]) -> QueryResult<bool> {
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else { return Ok(true) };
    let stored: i64 = events::table
        .filter(events::project_id.eq(project))
        .filter(events::id.eq_any(ids))
        .filter(events::id.between(*first, *last))
        .count()
        .get_result(conn)
        .await?;
    Ok(usize::try_from(stored).is_ok_and(|stored| stored == ids.len()))
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
