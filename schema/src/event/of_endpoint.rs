//! Pages of the events of a few endpoints, read through their deliveries: an endpoint that got one event in a million is
//! listed as quickly as one that got them all.

use std::{collections::BTreeSet, time::Instant};

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, SelectableHelper,
    sql_types::{Array, BigInt, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Event, EventFilter, list::filtered, range::Range};
use crate::{
    deadline,
    ids::{EndpointId, EventDeliveryId, EventId, ProjectId},
    page::PageRequest,
    statement::Statement,
    tables::events,
};

/// Endpoints whose deliveries are read; events of more are found by looking at the events themselves.
pub(super) const ENDPOINTS_MAX: usize = 200;
/// Deliveries of an endpoint that are looked at together, for each row that is wanted, and their bounds: most are of
/// different events, and one more look costs little.
const DELIVERIES: (i64, i64, i64) = (2, 50, 2_000);

/// The rows of the page, of events of `endpoints` that the rest of the filter lets through.
pub(super) async fn rows(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    (filter, endpoints): (&EventFilter, &[EndpointId]),
    page: &PageRequest<EventId>,
) -> QueryResult<Vec<Event>> {
    let began = Instant::now();
    let rest = EventFilter { endpoint_ids: None, ..filter.clone() };
    let wanted = usize::try_from(page.rows_to_read()).unwrap_or(usize::MAX);
    let deliveries_max = (page.rows_to_read() * DELIVERIES.0).clamp(DELIVERIES.1, DELIVERIES.2);
    let mut range = Range::of(filter, page);
    let mut found: Vec<Event> = Vec::new();
    loop {
        let (ids, reached) = delivered(conn, project, endpoints, (&range, deliveries_max)).await?;
        let mut matched: Vec<Event> = filtered(project, &rest)
            .filter(events::id.eq_any(ids))
            .filter(events::id.between(range.first, range.last))
            .select(Event::as_select())
            .load(conn)
            .await?;
        matched.sort_by_key(|event| event.id);
        if !range.is_ascending {
            matched.reverse();
        }
        found.extend(matched);
        match reached {
            Some(reached) if found.len() < wanted && range.go_beyond_instant(reached) => {}
            _ => break,
        }
        if began.elapsed() > deadline::QUERY_MAX {
            return Err(deadline::passed());
        }
    }
    found.truncate(wanted);
    Ok(found)
}

/// Events that were delivered to one of `endpoints`: all of the range up to and with the millisecond that is returned, or
/// all of it.
async fn delivered(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    endpoints: &[EndpointId],
    (range, deliveries_max): (&Range, i64),
) -> QueryResult<(Vec<EventId>, Option<DateTime<Utc>>)> {
    let whole = (range.first.created_at(), range.last.created_at());
    let rows = deliveries(conn, (project, endpoints), whole, (range.is_ascending, deliveries_max)).await?;
    let mut events: BTreeSet<EventId> = rows.iter().map(|row| row.event_id).collect();
    let is_all = rows.len() < usize::try_from(deliveries_max).unwrap_or(usize::MAX);
    let reached = rows.last().filter(|_| !is_all).map(|last| last.id.created_at());
    if let Some(edge) = reached {
        // What the limit cut off of the last millisecond.
        let rows = deliveries(conn, (project, endpoints), (edge, edge), (range.is_ascending, i64::MAX)).await?;
        events.extend(rows.iter().map(|row| row.event_id));
    }
    Ok((events.into_iter().collect(), reached))
}

#[derive(QueryableByName)]
struct Delivered {
    #[diesel(sql_type = Uuid)]
    id: EventDeliveryId,
    #[diesel(sql_type = Uuid)]
    event_id: EventId,
}

/// The endpoints' deliveries of events that were accepted within `span`. Both carry the same time.
async fn deliveries(
    conn: &mut AsyncPgConnection,
    (project, endpoints): (ProjectId, &[EndpointId]),
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    (is_ascending, limit): (bool, i64),
) -> QueryResult<Vec<Delivered>> {
    Statement::ordered(include_str!("../sql/deliveries_of_endpoints.sql"), is_ascending)
        .bind::<Array<Uuid>, _>(endpoints)
        .bind::<Uuid, _>(project)
        .bind::<Uuid, _>(EventDeliveryId::first_at(from))
        .bind::<Uuid, _>(EventDeliveryId::last_at(to))
        .bind::<BigInt, _>(limit)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}
