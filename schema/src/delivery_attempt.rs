//! Delivery attempts: one HTTP request of a delivery and its answer. Appended, never updated.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, HasQuery, Identifiable, OptionalExtension, QueryDsl, QueryResult, Queryable, Selectable,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{DeliveryAttemptId, EndpointId, EventDeliveryId, ProjectId},
    json::{Headers, RedirectList},
    tables::delivery_attempts,
};

/// A row of `delivery_attempts`.
#[derive(Debug, Clone, HasQuery, Identifiable)]
#[diesel(table_name = delivery_attempts, primary_key(project_id, id))]
pub struct DeliveryAttempt {
    /// The project.
    pub project_id: ProjectId,
    /// The attempt; its time is when the request began.
    pub id: DeliveryAttemptId,
    /// The delivery.
    pub event_delivery_id: EventDeliveryId,
    /// Where it went.
    pub endpoint_id: EndpointId,
    /// The URL that was requested.
    pub url: String,
    /// The request's method.
    pub method: String,
    /// Whether the answer was 2xx and was read in full.
    pub is_success: bool,
    /// The answer's status; `None` when there was no answer.
    pub status_code: Option<i32>,
    /// What went wrong, for people.
    pub error: Option<String>,
    /// What went wrong, for machines; see `docs/delivery.md`.
    pub error_class: Option<String>,
    /// Headers as sent.
    pub request_headers: Headers,
    /// Headers as received.
    pub response_headers: Headers,
    /// The first bytes of the answer, up to the limit.
    pub response_body: Option<Vec<u8>>,
    /// The address that was connected to; `None` where there was no connection, or it is not known.
    pub ip_address: Option<String>,
    /// When the request began.
    pub requested_at: DateTime<Utc>,
    /// When the answer was complete.
    pub responded_at: Option<DateTime<Utc>>,
    /// Milliseconds from the one to the other, or to the failure.
    pub duration_ms: i32,
    /// Where the time went.
    #[diesel(embed)]
    pub timings: AttemptTimings,
    /// The answers that led elsewhere before; `None` for none.
    pub redirects: Option<RedirectList>,
}

/// Where an attempt's time went; `None` for what did not happen, and for attempts from before this was recorded. Of the last
/// request, where answers led elsewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = delivery_attempts)]
pub struct AttemptTimings {
    /// Milliseconds for which the delivery had waited beyond its time.
    pub queue_ms: Option<i32>,
    /// Microseconds until its name was resolved.
    pub dns_us: Option<i32>,
    /// Microseconds until it was connected.
    pub connect_us: Option<i32>,
    /// Microseconds until the TLS handshake was done.
    pub tls_us: Option<i32>,
    /// Microseconds from the beginning of the request to the head of its answer, with all of the above.
    pub first_byte_us: Option<i32>,
}

/// The newest `limit` attempts of a delivery, the oldest of them first.
///
/// # Errors
/// The database fails.
pub async fn list(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    delivery: EventDeliveryId,
    limit: i64,
) -> QueryResult<Vec<DeliveryAttempt>> {
    let mut attempts: Vec<DeliveryAttempt> = DeliveryAttempt::query()
        .filter(delivery_attempts::project_id.eq(project))
        .filter(delivery_attempts::event_delivery_id.eq(delivery))
        // No attempt is older than its delivery: earlier days need not be searched.
        .filter(delivery_attempts::id.ge(DeliveryAttemptId::first_at(delivery.created_at())))
        .order(delivery_attempts::id.desc())
        .limit(limit)
        .load(conn)
        .await?;
    attempts.reverse();
    Ok(attempts)
}

/// The attempt with this id of this delivery, or `None`.
///
/// # Errors
/// The database fails.
pub async fn find(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    delivery: EventDeliveryId,
    id: DeliveryAttemptId,
) -> QueryResult<Option<DeliveryAttempt>> {
    DeliveryAttempt::query()
        .filter(delivery_attempts::project_id.eq(project))
        .filter(delivery_attempts::id.eq(id))
        .filter(delivery_attempts::event_delivery_id.eq(delivery))
        .first(conn)
        .await
        .optional()
}
