//! What must be written together: an event with its deliveries, and an attempt with its outcome. Each is one transaction
//! for a whole batch, and each can be repeated without a second effect.

use std::collections::{BTreeMap, HashMap, HashSet};

use diesel::{QueryResult, result::Error};
use diesel_async::{AsyncConnection, AsyncPgConnection};

use crate::{
    delivery_attempt::{self, DeliveryAttempt},
    event::{self, NewEvent},
    event_delivery::{self, NewEventDelivery, Outcome},
    ids::{EventId, ProjectId},
    words::EventStatus,
};

/// An accepted event with the deliveries that it was matched to.
#[derive(Debug, Clone)]
pub struct AcceptedEvent {
    /// The event, as if nobody had used its idempotency key before.
    pub event: NewEvent,
    /// Its deliveries.
    pub deliveries: Vec<NewEventDelivery>,
}

/// Writes the events and their deliveries. An event whose idempotency key another event owns becomes a duplicate without
/// deliveries. An event that is there already is left as it is: subscriptions made since do not get it. Returns the batch
/// as it stands now, so that what is due can be enqueued, also where an earlier run stopped before it did.
///
/// # Errors
/// The database fails; nothing is written.
pub async fn store_events(
    conn: &mut AsyncPgConnection,
    mut batch: Vec<AcceptedEvent>,
) -> QueryResult<Vec<AcceptedEvent>> {
    conn.transaction::<_, Error, _>(async |conn| {
        mark_duplicates(conn, &mut batch).await?;
        let events: Vec<NewEvent> = batch.iter().map(|accepted| accepted.event.clone()).collect();
        let new: HashSet<EventId> = event::insert_batch(conn, &events).await?.into_iter().collect();
        let deliveries: Vec<NewEventDelivery> = batch
            .iter()
            .filter(|accepted| new.contains(&accepted.event.id))
            .flat_map(|accepted| accepted.deliveries.clone())
            .collect();
        if !deliveries.is_empty() {
            event_delivery::insert_batch(conn, &deliveries).await?;
        }
        Ok(())
    })
    .await?;
    Ok(batch)
}

/// Projects in the order of their ids, and keys in order within, so that two batches never wait for each other.
async fn mark_duplicates(conn: &mut AsyncPgConnection, batch: &mut [AcceptedEvent]) -> QueryResult<()> {
    let mut claims: BTreeMap<ProjectId, Vec<(&str, EventId)>> = BTreeMap::new();
    for AcceptedEvent { event, .. } in batch.iter().filter(|accepted| !accepted.event.idempotency_key.is_empty()) {
        claims.entry(event.project_id).or_default().push((&event.idempotency_key, event.id));
    }
    let mut owners: HashMap<ProjectId, HashMap<String, EventId>> = HashMap::new();
    for (project, claims) in claims {
        owners.insert(project, event::claim_keys(conn, project, &claims).await?);
    }
    for AcceptedEvent { event, deliveries } in batch {
        let owner = owners.get(&event.project_id).and_then(|keys| keys.get(&event.idempotency_key));
        if owner.is_some_and(|owner| *owner != event.id) {
            event.is_duplicate = true;
            event.status = EventStatus::Success;
            event.failure_reason = None;
            event.endpoint_ids.clear();
            deliveries.clear();
        }
    }
    Ok(())
}

/// Appends the attempts and moves their deliveries on.
///
/// # Errors
/// The database fails; nothing is written.
pub async fn record_attempts(
    conn: &mut AsyncPgConnection,
    attempts: &[DeliveryAttempt],
    outcomes: &[Outcome],
) -> QueryResult<()> {
    conn.transaction::<_, Error, _>(async |conn| {
        delivery_attempt::insert_batch(conn, attempts).await?;
        event_delivery::record_outcomes(conn, outcomes).await?;
        Ok(())
    })
    .await
}
