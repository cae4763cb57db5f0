//! Pages and sums of a project's deliveries: keyset on the id, which carries the event's time.

use std::time::Instant;

use chrono::{DateTime, Utc};
use diesel::{
    AggregateExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, SelectableHelper,
    dsl::{count, sql},
    pg::Pg,
    result::Error,
    sql_types::{Bool, Text, Uuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::EventDelivery;
use crate::{
    deadline,
    ids::{EndpointId, EventDeliveryId, EventId, ProjectId, SubscriptionId},
    page::{Page, PageRequest},
    tables::event_deliveries,
    words::DeliveryStatus,
};

/// Which deliveries are meant; an empty filter lets everything of the project through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliveryFilter {
    /// Only those of these events; `Some` of none lets nothing through.
    pub event_ids: Option<Vec<EventId>>,
    /// Only those to these endpoints.
    pub endpoint_ids: Vec<EndpointId>,
    /// Only those of this subscription.
    pub subscription_id: Option<SubscriptionId>,
    /// Only this exact event type.
    pub event_type: Option<String>,
    /// Only those in these states.
    pub statuses: Vec<DeliveryStatus>,
    /// Of events accepted at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Of events accepted at this instant or earlier.
    pub to: Option<DateTime<Utc>>,
}

pub(super) type Filtered<'f> = diesel::helper_types::IntoBoxed<'f, event_deliveries::table, Pg>;

/// States in which a delivery rests although it did not succeed, as the partial index of these has them.
const FAILED: (&[DeliveryStatus], &str) =
    (&[DeliveryStatus::Failure, DeliveryStatus::Discarded], "status IN ('Failure', 'Discarded')");
/// States in which an attempt will follow, as the index of what is due has them.
const UNFINISHED: (&[DeliveryStatus], &str) = (
    &[DeliveryStatus::Scheduled, DeliveryStatus::Processing, DeliveryStatus::Retry],
    "status IN ('Scheduled', 'Processing', 'Retry')",
);

/// The deliveries of the project that the filter lets through.
pub(super) fn filtered<'f>(project: ProjectId, filter: &DeliveryFilter) -> Filtered<'f> {
    narrowed(event_deliveries::table.filter(event_deliveries::project_id.eq(project)).into_boxed(), filter)
}

fn narrowed<'f>(mut query: Filtered<'f>, filter: &DeliveryFilter) -> Filtered<'f> {
    if let Some(from) = filter.from {
        query = query.filter(event_deliveries::id.ge(EventDeliveryId::first_at(from)));
    }
    if let Some(to) = filter.to {
        query = query.filter(event_deliveries::id.le(EventDeliveryId::last_at(to)));
    }
    if let Some(events) = &filter.event_ids {
        query = of_events(query, events);
    }
    match filter.endpoint_ids.as_slice() {
        [] => {}
        // Of one its index has them in order, so that a page is read and not everything.
        [endpoint] => query = query.filter(event_deliveries::endpoint_id.eq(*endpoint)),
        endpoints => query = query.filter(event_deliveries::endpoint_id.eq_any(endpoints.to_vec())),
    }
    if let Some(subscription) = filter.subscription_id {
        query = query.filter(event_deliveries::subscription_id.eq(subscription));
    }
    if let Some(event_type) = &filter.event_type {
        query = query.filter(event_deliveries::event_type.eq(event_type.clone()));
    }
    if !filter.statuses.is_empty() {
        query = query.filter(event_deliveries::status.eq_any(filter.statuses.clone()));
        // The planner believes a partial index only where it sees the states themselves.
        for (states, literal) in [FAILED, UNFINISHED] {
            if filter.statuses.iter().all(|status| states.contains(status)) {
                query = query.filter(sql::<Bool>(literal));
            }
        }
    }
    query
}

/// A delivery carries its event's time, so this reads only what was accepted between the first and the last of them.
fn of_events<'f>(query: Filtered<'f>, events: &[EventId]) -> Filtered<'f> {
    let (first, last) = (events.iter().min(), events.iter().max());
    let query = query.filter(event_deliveries::event_id.eq_any(events.to_vec()));
    match (first, last) {
        (Some(first), Some(last)) => query.filter(
            event_deliveries::id
                .between(EventDeliveryId::first_at(first.created_at()), EventDeliveryId::last_at(last.created_at())),
        ),
        _ => query,
    }
}

/// The project's deliveries of an event type, for a filter that asks for nothing else but a time. The bounds are those of the
/// index of types and of no other: where a type is common elsewhere and rare here, the planner would rather look at all of the
/// project's deliveries than read the few in their order.
fn of_type<'f>(
    project: ProjectId,
    event_type: &str,
    (filter, page): (&DeliveryFilter, &PageRequest<EventDeliveryId>),
) -> Filtered<'f> {
    let bound = |condition: &str, id: EventDeliveryId| {
        sql::<Bool>(condition)
            .bind::<Text, _>(event_type.to_string())
            .sql(", ")
            .bind::<Uuid, _>(project)
            .sql(", ")
            .bind::<Uuid, _>(id)
            .sql(")")
    };
    let is_ascending = page.reads_ascending();
    let mut first = filter.from.map_or(EventDeliveryId::from_bits(0), EventDeliveryId::first_at);
    let mut last = filter.to.map_or(EventDeliveryId::from_bits(u128::MAX), EventDeliveryId::last_at);
    match page.cursor {
        Some(cursor) if is_ascending => first = first.max(cursor),
        Some(cursor) => last = last.min(cursor),
        None => {}
    }
    let query = event_deliveries::table
        .filter(bound("(event_type, project_id, id) >= (", first))
        .filter(bound("(event_type, project_id, id) <= (", last))
        .into_boxed();
    let query = narrowed(query, &DeliveryFilter { event_type: None, ..filter.clone() });
    if is_ascending {
        query.order((event_deliveries::event_type.asc(), event_deliveries::project_id.asc()))
    } else {
        query.order((event_deliveries::event_type.desc(), event_deliveries::project_id.desc()))
    }
}

/// A page of the project's deliveries.
///
/// # Errors
/// The database fails, or takes longer than [`deadline::QUERY_MAX`].
pub async fn list(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    filter: &DeliveryFilter,
    page: &PageRequest<EventDeliveryId>,
) -> QueryResult<Page<EventDelivery>> {
    let several = filter.event_ids.as_deref().filter(|events| events.len() > 1);
    let rows = conn
        .transaction::<_, Error, _>(async |conn| {
            deadline::set(conn).await?;
            match several {
                Some(events) => rows_of_events(conn, project, (filter, events), page).await,
                None => rows(conn, project, filter, page).await,
            }
        })
        .await?;
    Ok(page.page(rows))
}

async fn rows(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    filter: &DeliveryFilter,
    page: &PageRequest<EventDeliveryId>,
) -> QueryResult<Vec<EventDelivery>> {
    let query = match filter {
        // Nothing but a type and a time.
        DeliveryFilter {
            event_ids: None, subscription_id: None, event_type: Some(of), endpoint_ids, statuses, ..
        } if endpoint_ids.is_empty() && statuses.is_empty() => of_type(project, of, (filter, page)),
        _ => filtered(project, filter),
    };
    let query = match (page.reads_ascending(), page.cursor) {
        (true, Some(cursor)) => query.filter(event_deliveries::id.ge(cursor)).then_order_by(event_deliveries::id.asc()),
        (true, None) => query.then_order_by(event_deliveries::id.asc()),
        (false, Some(cursor)) => {
            query.filter(event_deliveries::id.le(cursor)).then_order_by(event_deliveries::id.desc())
        }
        (false, None) => query.then_order_by(event_deliveries::id.desc()),
    };
    query.select(EventDelivery::as_select()).limit(page.rows_to_read()).load(conn).await
}

/// Reads the deliveries of events that may be days apart, and nothing of what was accepted between them. A delivery carries
/// its event's time, so all of one millisecond come before those of the next.
async fn rows_of_events(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    (filter, events): (&DeliveryFilter, &[EventId]),
    page: &PageRequest<EventDeliveryId>,
) -> QueryResult<Vec<EventDelivery>> {
    let began = Instant::now();
    let wanted = usize::try_from(page.rows_to_read()).unwrap_or(usize::MAX);
    let mut events = events.to_vec();
    events.sort_unstable();
    events.dedup();
    if !page.reads_ascending() {
        events.reverse();
    }
    let mut found = Vec::new();
    for together in events.chunk_by(|one, next| one.created_at() == next.created_at()) {
        if began.elapsed() > deadline::QUERY_MAX {
            return Err(deadline::passed());
        }
        let own = DeliveryFilter { event_ids: Some(together.to_vec()), ..filter.clone() };
        found.extend(rows(conn, project, &own, page).await?);
        if found.len() >= wanted {
            break;
        }
    }
    found.truncate(wanted);
    Ok(found)
}

/// How many deliveries the filter lets through, state by state.
///
/// # Errors
/// The database fails, or takes longer than [`deadline::QUERY_MAX`].
pub async fn status_totals(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    filter: &DeliveryFilter,
) -> QueryResult<Vec<(DeliveryStatus, i64)>> {
    let of = |status: DeliveryStatus| count(event_deliveries::id).aggregate_filter(event_deliveries::status.eq(status));
    let query = filtered(project, filter).select((
        of(DeliveryStatus::Scheduled),
        of(DeliveryStatus::Processing),
        of(DeliveryStatus::Retry),
        of(DeliveryStatus::Success),
        of(DeliveryStatus::Failure),
        of(DeliveryStatus::Discarded),
    ));
    let (scheduled, processing, retry, success, failure, discarded) = conn
        .transaction::<(i64, i64, i64, i64, i64, i64), Error, _>(async |conn| {
            deadline::set(conn).await?;
            query.get_result(conn).await
        })
        .await?;
    Ok(vec![
        (DeliveryStatus::Scheduled, scheduled),
        (DeliveryStatus::Processing, processing),
        (DeliveryStatus::Retry, retry),
        (DeliveryStatus::Success, success),
        (DeliveryStatus::Failure, failure),
        (DeliveryStatus::Discarded, discarded),
    ])
}
