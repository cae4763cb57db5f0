//! What must be written together: an event with its deliveries, and an attempt with its outcome. Each is one statement for a
//! whole batch, and each can be repeated without a second effect.

use std::collections::{BTreeMap, HashMap};

use diesel::{
    QueryResult, QueryableByName,
    result::Error,
    sql_types::{Array, BigInt, Bool, Bytea, Double, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::{
    delivery_attempt::DeliveryAttempt,
    event::{self, KeyWindow, NewEvent},
    event_delivery::{NewEventDelivery, Outcome},
    ids::{EventId, ProjectId},
    statement::Statement,
    words::EventStatus,
};

/// An accepted event with the deliveries that it was matched to.
#[derive(Debug, Clone)]
pub struct AcceptedEvent {
    /// The event, as if nobody had used its idempotency key before.
    pub event: NewEvent,
    /// Its deliveries.
    pub deliveries: Vec<NewEventDelivery>,
    /// How long its project takes an event with the same key for a repeat.
    pub key_window: KeyWindow,
}

impl AcceptedEvent {
    /// An event of a project that takes keys as long as events are kept.
    #[must_use]
    pub const fn new(event: NewEvent, deliveries: Vec<NewEventDelivery>) -> Self {
        Self { event, deliveries, key_window: KeyWindow::WHOLE_LIFE }
    }
}

/// What became of a batch.
#[derive(Debug, Clone)]
#[must_use]
pub enum Stored {
    /// It is stored. This is how it stands now, so that what is due can be enqueued, also where an earlier run stopped
    /// before it did.
    Done(Vec<AcceptedEvent>),
    /// Nothing is stored: what these projects' events were matched by has changed.
    Stale(Vec<ProjectId>),
}

#[derive(QueryableByName)]
struct StaleProject {
    #[diesel(sql_type = Uuid)]
    project_id: ProjectId,
}

/// Writes the events and their deliveries, unless a project of `matched_by` has another routing version by now. An event
/// that repeats another one with its idempotency key becomes a duplicate without deliveries. An event that is there already is
/// left as it is: subscriptions made since do not get it.
///
/// # Errors
/// The database fails; nothing is written.
pub async fn store_events(
    conn: &mut AsyncPgConnection,
    mut batch: Vec<AcceptedEvent>,
    matched_by: &[(ProjectId, i64)],
) -> QueryResult<Stored> {
    let stale = if batch.iter().all(|accepted| accepted.event.idempotency_key.is_empty()) {
        insert(&batch, matched_by).load(conn).await?
    } else {
        conn.transaction::<Vec<StaleProject>, Error, _>(async |conn| {
            mark_duplicates(conn, &mut batch).await?;
            insert(&batch, matched_by).load(conn).await
        })
        .await?
    };
    if stale.is_empty() {
        return Ok(Stored::Done(batch));
    }
    Ok(Stored::Stale(stale.into_iter().map(|row| row.project_id).collect()))
}

fn insert<'b>(batch: &'b [AcceptedEvent], matched_by: &[(ProjectId, i64)]) -> Statement<'b> {
    let events: Vec<&NewEvent> = batch.iter().map(|accepted| &accepted.event).collect();
    let deliveries: Vec<&NewEventDelivery> = batch.iter().flat_map(|accepted| &accepted.deliveries).collect();
    let statement = Statement::new(include_str!("sql/store_events.sql"))
        .bind::<Array<Uuid>, _>(matched_by.iter().map(|(project, _)| *project).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(matched_by.iter().map(|(_, version)| *version).collect::<Vec<_>>())
        .bind::<Array<Uuid>, _>(column(&events, |e| e.project_id))
        .bind::<Array<Uuid>, _>(column(&events, |e| e.id))
        .bind::<Array<Text>, _>(column(&events, |e| e.event_type.as_str()))
        .bind::<Array<Text>, _>(column(&events, |e| e.target_kind))
        .bind::<Array<Text>, _>(column(&events, |e| e.target.as_str()))
        .bind::<Array<Nullable<Uuid>>, _>(column(&events, |e| e.source_id))
        .bind::<Array<Jsonb>, _>(column(&events, |e| &e.headers))
        .bind::<Array<Bytea>, _>(column(&events, |e| e.payload.as_slice()))
        .bind::<Array<Text>, _>(column(&events, |e| e.idempotency_key.as_str()))
        .bind::<Array<Bool>, _>(column(&events, |e| e.is_duplicate))
        .bind::<Array<Text>, _>(column(&events, |e| e.url_query_params.as_str()))
        .bind::<Array<Text>, _>(column(&events, |e| e.url_path.as_str()))
        // Arrays of arrays would have to be of one length.
        .bind::<Array<Text>, _>(column(&events, |e| array_text(&e.endpoint_ids)))
        .bind::<Array<Text>, _>(column(&events, |e| e.status))
        .bind::<Array<Nullable<Text>>, _>(column(&events, |e| e.failure_reason.as_deref()))
        .bind::<Array<Timestamptz>, _>(column(&events, |e| e.acknowledged_at));
    bind_deliveries(statement, &deliveries)
        .bind::<Array<Nullable<Text>>, _>(column(&deliveries, |d| d.ordering_key.as_deref()))
}

fn bind_deliveries<'b>(statement: Statement<'b>, deliveries: &[&'b NewEventDelivery]) -> Statement<'b> {
    statement
        .bind::<Array<Uuid>, _>(column(deliveries, |d| d.project_id))
        .bind::<Array<Uuid>, _>(column(deliveries, |d| d.id))
        .bind::<Array<Uuid>, _>(column(deliveries, |d| d.event_id))
        .bind::<Array<Uuid>, _>(column(deliveries, |d| d.endpoint_id))
        .bind::<Array<Uuid>, _>(column(deliveries, |d| d.subscription_id))
        .bind::<Array<Text>, _>(column(deliveries, |d| d.event_type.as_str()))
        .bind::<Array<Text>, _>(column(deliveries, |d| d.status))
        .bind::<Array<Text>, _>(column(deliveries, |d| d.delivery_mode))
        .bind::<Array<Text>, _>(column(deliveries, |d| d.strategy))
        .bind::<Array<Integer>, _>(column(deliveries, |d| d.retry_interval_seconds))
        .bind::<Array<Integer>, _>(column(deliveries, |d| d.retry_limit))
        .bind::<Array<Timestamptz>, _>(column(deliveries, |d| d.next_send_time))
        .bind::<Array<Text>, _>(column(deliveries, |d| d.description.as_str()))
        .bind::<Array<Timestamptz>, _>(column(deliveries, |d| d.acknowledged_at))
        .bind::<Array<Nullable<Bytea>>, _>(column(deliveries, |d| d.payload.as_deref()))
        .bind::<Array<Nullable<Text>>, _>(column(deliveries, |d| schedule_text(&d.retry_schedule)))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(deliveries, |d| d.give_up_at))
}

/// Writes the deliveries of replays and notes on their events whom they reached, unless a project of `matched_by` has
/// another routing version by now: then nothing is written, and the answer names those projects.
///
/// # Errors
/// The database fails; nothing is written.
pub async fn store_replays(
    conn: &mut AsyncPgConnection,
    deliveries: &[NewEventDelivery],
    matched_by: &[(ProjectId, i64)],
) -> QueryResult<Vec<ProjectId>> {
    let statement = Statement::new(include_str!("sql/store_replays.sql"))
        .bind::<Array<Uuid>, _>(matched_by.iter().map(|(project, _)| *project).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(matched_by.iter().map(|(_, version)| *version).collect::<Vec<_>>());
    let deliveries: Vec<&NewEventDelivery> = deliveries.iter().collect();
    let stale: Vec<StaleProject> = bind_deliveries(statement, &deliveries).load(conn).await?;
    Ok(stale.into_iter().map(|row| row.project_id).collect())
}

fn column<'r, R, V>(rows: &[&'r R], value: impl Fn(&'r R) -> V) -> Vec<V> {
    rows.iter().map(|row| value(row)).collect()
}

/// Waits as PostgreSQL writes an array of them: rows of different lengths are no array of arrays.
fn schedule_text(waits: &[i32]) -> Option<String> {
    let waits: Vec<String> = waits.iter().map(ToString::to_string).collect();
    (!waits.is_empty()).then(|| format!("{{{}}}", waits.join(",")))
}

/// Ids as PostgreSQL writes an array of them.
fn array_text(ids: &[Option<crate::ids::EndpointId>]) -> String {
    let ids: Vec<String> = ids.iter().flatten().map(|id| format!("{:032x}", id.to_bits())).collect();
    format!("{{{}}}", ids.join(","))
}

/// Projects in the order of their ids, and keys in order within, so that two batches never wait for each other.
async fn mark_duplicates(conn: &mut AsyncPgConnection, batch: &mut [AcceptedEvent]) -> QueryResult<()> {
    let mut claims: BTreeMap<ProjectId, Vec<(&str, EventId)>> = BTreeMap::new();
    let mut windows: HashMap<ProjectId, KeyWindow> = HashMap::new();
    for AcceptedEvent { event, key_window, .. } in batch.iter().filter(|a| !a.event.idempotency_key.is_empty()) {
        windows.entry(event.project_id).or_insert(*key_window);
        claims.entry(event.project_id).or_default().push((&event.idempotency_key, event.id));
    }
    let mut originals: HashMap<EventId, EventId> = HashMap::new();
    for (project, claims) in claims {
        let window = windows.get(&project).copied().unwrap_or_default();
        originals.extend(event::claim_keys(conn, project, &claims, window).await?);
    }
    for AcceptedEvent { event, deliveries, .. } in batch {
        if originals.get(&event.id).is_some_and(|original| *original != event.id) {
            event.is_duplicate = true;
            event.status = EventStatus::Success;
            event.failure_reason = None;
            event.endpoint_ids.clear();
            deliveries.clear();
        }
    }
    Ok(())
}

/// Appends the attempts that are not there yet, and moves their deliveries on; returns how many moved. One whose attempt
/// was recorded before, or that is final, stays.
///
/// # Errors
/// The database fails; nothing is written.
pub async fn record_attempts(
    conn: &mut AsyncPgConnection,
    attempts: &[DeliveryAttempt],
    outcomes: &[Outcome],
) -> QueryResult<usize> {
    let Some(first) = outcomes.iter().map(|o| o.id).min() else { return Ok(0) };
    let (attempts, outcomes): (Vec<_>, Vec<_>) = (attempts.iter().collect(), outcomes.iter().collect());
    let statement = Statement::new(include_str!("sql/record_attempts.sql"))
        .bind::<Array<Uuid>, _>(column(&attempts, |a| a.project_id))
        .bind::<Array<Uuid>, _>(column(&attempts, |a| a.id))
        .bind::<Array<Uuid>, _>(column(&attempts, |a| a.event_delivery_id))
        .bind::<Array<Uuid>, _>(column(&attempts, |a| a.endpoint_id))
        .bind::<Array<Text>, _>(column(&attempts, |a| a.url.as_str()))
        .bind::<Array<Text>, _>(column(&attempts, |a| a.method.as_str()))
        .bind::<Array<Bool>, _>(column(&attempts, |a| a.is_success))
        .bind::<Array<Nullable<Integer>>, _>(column(&attempts, |a| a.status_code))
        .bind::<Array<Nullable<Text>>, _>(column(&attempts, |a| a.error.as_deref()))
        .bind::<Array<Nullable<Text>>, _>(column(&attempts, |a| a.error_class.as_deref()))
        .bind::<Array<Jsonb>, _>(column(&attempts, |a| &a.request_headers))
        .bind::<Array<Jsonb>, _>(column(&attempts, |a| &a.response_headers))
        .bind::<Array<Nullable<Bytea>>, _>(column(&attempts, |a| a.response_body.as_deref()))
        .bind::<Array<Nullable<Text>>, _>(column(&attempts, |a| a.ip_address.as_deref()))
        .bind::<Array<Timestamptz>, _>(column(&attempts, |a| a.requested_at))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(&attempts, |a| a.responded_at))
        .bind::<Array<Integer>, _>(column(&attempts, |a| a.duration_ms))
        .bind::<Array<Nullable<Integer>>, _>(column(&attempts, |a| a.timings.queue_ms))
        .bind::<Array<Nullable<Integer>>, _>(column(&attempts, |a| a.timings.dns_us))
        .bind::<Array<Nullable<Integer>>, _>(column(&attempts, |a| a.timings.connect_us))
        .bind::<Array<Nullable<Integer>>, _>(column(&attempts, |a| a.timings.tls_us))
        .bind::<Array<Nullable<Integer>>, _>(column(&attempts, |a| a.timings.first_byte_us))
        .bind::<Array<Nullable<Jsonb>>, _>(column(&attempts, |a| a.redirects.as_ref()));
    statement
        .bind::<Array<Uuid>, _>(column(&outcomes, |o| o.project_id))
        .bind::<Array<Uuid>, _>(column(&outcomes, |o| o.id))
        .bind::<Array<Text>, _>(column(&outcomes, |o| o.status))
        .bind::<Array<Integer>, _>(column(&outcomes, |o| o.attempt_count))
        .bind::<Array<Timestamptz>, _>(column(&outcomes, |o| o.next_send_time))
        .bind::<Array<Nullable<Double>>, _>(column(&outcomes, |o| o.latency_seconds))
        .bind::<Array<Text>, _>(column(&outcomes, |o| o.description.as_str()))
        .bind::<BigInt, _>(i64::try_from(outcomes.len()).unwrap_or(i64::MAX))
        .bind::<Uuid, _>(first)
        .execute(conn)
        .await
}
