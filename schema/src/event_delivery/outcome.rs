//! What became of attempts, written for a whole batch in one statement. A final state is never left by an outcome.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{EventDeliveryId, ProjectId},
    tables::event_deliveries,
    words::DeliveryStatus,
};

/// The state in which an attempt leaves its delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The project.
    pub project_id: ProjectId,
    /// The delivery.
    pub id: EventDeliveryId,
    /// Success, Retry or Failure.
    pub status: DeliveryStatus,
    /// Attempts made, this one included.
    pub attempt_count: i32,
    /// When the next attempt is due; the time of this one in a final state.
    pub next_send_time: DateTime<Utc>,
    /// From acceptance to this attempt's success, in seconds.
    pub latency_seconds: Option<f64>,
    /// Why, for people.
    pub description: String,
}

/// Marks an at-most-once delivery as being sent until `lease_end`, at which the sweep may ask what became of it.
/// `false`: it was claimed before, or is final, and must not be sent.
///
/// # Errors
/// The database fails.
pub async fn claim_at_most_once(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: EventDeliveryId,
    lease_end: DateTime<Utc>,
) -> QueryResult<bool> {
    let claimed = diesel::update(event_deliveries::table)
        .filter(event_deliveries::project_id.eq(project))
        .filter(event_deliveries::id.eq(id))
        .filter(event_deliveries::status.eq_any([DeliveryStatus::Scheduled, DeliveryStatus::Retry]))
        .set((
            event_deliveries::status.eq(DeliveryStatus::Processing),
            event_deliveries::next_send_time.eq(lease_end),
            event_deliveries::updated_at.eq(diesel::dsl::now),
        ))
        .execute(conn)
        .await?;
    Ok(claimed == 1)
}

/// Takes a claim back: nothing was sent, and the delivery is due again at `due`.
///
/// # Errors
/// The database fails.
pub async fn unclaim(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: EventDeliveryId,
    due: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::update(event_deliveries::table)
        .filter(event_deliveries::project_id.eq(project))
        .filter(event_deliveries::id.eq(id))
        .filter(event_deliveries::status.eq(DeliveryStatus::Processing))
        .set((
            event_deliveries::status.eq(DeliveryStatus::Retry),
            event_deliveries::next_send_time.eq(due),
            event_deliveries::updated_at.eq(diesel::dsl::now),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends an unfinished delivery without an attempt, with the reason. `false`: it was final before.
///
/// # Errors
/// The database fails.
pub async fn end(
    conn: &mut AsyncPgConnection,
    (project, id): (ProjectId, EventDeliveryId),
    status: DeliveryStatus,
    reason: &str,
) -> QueryResult<bool> {
    let ended = diesel::update(event_deliveries::table)
        .filter(event_deliveries::project_id.eq(project))
        .filter(event_deliveries::id.eq(id))
        .filter(event_deliveries::status.eq_any([
            DeliveryStatus::Scheduled,
            DeliveryStatus::Retry,
            DeliveryStatus::Processing,
        ]))
        .set((
            event_deliveries::status.eq(status),
            event_deliveries::description.eq(reason),
            event_deliveries::updated_at.eq(diesel::dsl::now),
        ))
        .execute(conn)
        .await?;
    Ok(ended == 1)
}
