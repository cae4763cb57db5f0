//! Which deliveries a query means, contract section 2.5.

use posthouse_schema::{
    event::{self, EventFilter},
    event_delivery::DeliveryFilter,
    ids::{EventId, ProjectId},
    pool::PooledConnection,
    words::DeliveryStatus,
};
use salvo::Request;

use crate::{auth::Access, body::no_nul, error::ApiError, query};

/// Events of one broker message that are looked at: one, but for sources that were set up twice.
const MESSAGE_EVENTS_MAX: i64 = 100;
/// Events with one idempotency key that are looked at, the latest: there are several where the key was free again.
const KEY_EVENTS_MAX: i64 = 1_000;

/// The filter that the request asks for.
///
/// # Errors
/// 400 for what cannot be read, and for an idempotency key that no event has; 401 for an endpoint out of the
/// caller's reach.
pub async fn read(
    req: &Request,
    conn: &mut PooledConnection,
    project: ProjectId,
    access: &Access,
) -> Result<DeliveryFilter, ApiError> {
    let (from, to) = query::window(req, chrono::Utc::now())?;
    let event_ids: Vec<EventId> = query::ids(req, "eventId")?;
    let mut filter = DeliveryFilter {
        event_ids: (!event_ids.is_empty()).then_some(event_ids),
        endpoint_ids: access.endpoints(query::ids(req, "endpointId")?)?,
        subscription_id: query::ids(req, "subscriptionId")?.into_iter().next(),
        event_type: query::text(req, "eventType")?.or(query::text(req, "event_type")?),
        statuses: query::list(req, "status").iter().map(|word| status(word)).collect::<Result<_, _>>()?,
        from: Some(from),
        to: Some(to),
    };
    if let Some(key) = query::text(req, "idempotencyKey")? {
        // A portal cannot tell a key that nobody used from one of somebody else.
        let originals = event::originals_of_key(conn, project, &key, KEY_EVENTS_MAX).await?;
        if originals.is_empty() && !access.is_portal() {
            return Err(ApiError::invalid("event not found"));
        }
        narrow(&mut filter, &originals);
    }
    if let Some(message) = query::text(req, "brokerMessageId")? {
        let events = EventFilter { broker_message_id: Some(message), ..EventFilter::default() };
        let found = event::list_ids(conn, project, &events, MESSAGE_EVENTS_MAX).await?;
        narrow(&mut filter, &found);
    }
    Ok(filter)
}

/// Lets only those of `events` through.
fn narrow(filter: &mut DeliveryFilter, events: &[EventId]) {
    let is_wanted = |id: &EventId| filter.event_ids.as_ref().is_none_or(|wanted| wanted.contains(id));
    filter.event_ids = Some(events.iter().copied().filter(is_wanted).collect());
}

fn status(word: &str) -> Result<DeliveryStatus, ApiError> {
    no_nul("status", word)?;
    DeliveryStatus::parse(word).ok_or_else(|| {
        let known: Vec<&str> = DeliveryStatus::ALL.iter().map(|status| status.as_str()).collect();
        ApiError::invalid(format!("status: one of {} is expected", known.join(", ")))
    })
}
