//! Pages of a project's deliveries: keyset on the id, which carries the event's time.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, HasQuery, QueryDsl, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::EventDelivery;
use crate::{
    ids::{EndpointId, EventDeliveryId, EventId, ProjectId, SubscriptionId},
    page::{Page, PageRequest},
    tables::event_deliveries,
    words::DeliveryStatus,
};

/// Which deliveries to list; an empty filter lets everything of the project through.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only those of this event.
    pub event_id: Option<EventId>,
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

/// A page of the project's deliveries.
///
/// # Errors
/// The database fails.
pub async fn list(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    filter: &DeliveryFilter,
    page: &PageRequest<EventDeliveryId>,
) -> QueryResult<Page<EventDelivery>> {
    let mut query = EventDelivery::query().filter(event_deliveries::project_id.eq(project)).into_boxed();
    if let Some(from) = filter.from {
        query = query.filter(event_deliveries::id.ge(EventDeliveryId::first_at(from)));
    }
    if let Some(to) = filter.to {
        query = query.filter(event_deliveries::id.le(EventDeliveryId::last_at(to)));
    }
    if let Some(event) = filter.event_id {
        // A delivery carries its event's time, so this reads only what was accepted in the same millisecond.
        let (first, last) =
            (EventDeliveryId::first_at(event.created_at()), EventDeliveryId::last_at(event.created_at()));
        query = query.filter(event_deliveries::id.between(first, last)).filter(event_deliveries::event_id.eq(event));
    }
    if !filter.endpoint_ids.is_empty() {
        query = query.filter(event_deliveries::endpoint_id.eq_any(filter.endpoint_ids.clone()));
    }
    if let Some(subscription) = filter.subscription_id {
        query = query.filter(event_deliveries::subscription_id.eq(subscription));
    }
    if let Some(event_type) = &filter.event_type {
        query = query.filter(event_deliveries::event_type.eq(event_type.clone()));
    }
    if !filter.statuses.is_empty() {
        query = query.filter(event_deliveries::status.eq_any(filter.statuses.clone()));
    }
    query = match (page.reads_ascending(), page.cursor) {
        (true, Some(cursor)) => query.filter(event_deliveries::id.ge(cursor)).order(event_deliveries::id.asc()),
        (true, None) => query.order(event_deliveries::id.asc()),
        (false, Some(cursor)) => query.filter(event_deliveries::id.le(cursor)).order(event_deliveries::id.desc()),
        (false, None) => query.order(event_deliveries::id.desc()),
    };
    Ok(page.page(query.limit(page.rows_to_read()).load(conn).await?))
}
