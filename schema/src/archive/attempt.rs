//! Delivery attempts in an archive. Credentials were taken out of them when they were recorded.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, HasQuery, Insertable, QueryDsl, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::{Archived, Span, Unfinished};
use crate::{
    ids::{DeliveryAttemptId, EndpointId, EventDeliveryId, ProjectId},
    json::{Headers, RedirectList},
    tables::delivery_attempts,
};

/// A row of `delivery_attempts`, whole.
#[derive(Debug, Clone, PartialEq, Eq, HasQuery, Insertable, Serialize, Deserialize)]
#[diesel(table_name = delivery_attempts)]
pub struct ArchivedAttempt {
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
    /// The answer's status.
    pub status_code: Option<i32>,
    /// What went wrong, for people.
    pub error: Option<String>,
    /// What went wrong, for machines.
    pub error_class: Option<String>,
    /// Headers as sent, without credentials.
    pub request_headers: Headers,
    /// Headers as received.
    pub response_headers: Headers,
    /// The first bytes of the answer.
    #[serde(with = "super::bytes::maybe")]
    pub response_body: Option<Vec<u8>>,
    /// The address that was connected to.
    pub ip_address: Option<String>,
    /// When the request began.
    pub requested_at: DateTime<Utc>,
    /// When the answer was complete.
    pub responded_at: Option<DateTime<Utc>>,
    /// Milliseconds from the one to the other, or to the failure.
    pub duration_ms: i32,
    /// Milliseconds for which the delivery had waited beyond its time.
    pub queue_ms: Option<i32>,
    /// Microseconds until its name was resolved.
    pub dns_us: Option<i32>,
    /// Microseconds until it was connected.
    pub connect_us: Option<i32>,
    /// Microseconds until the TLS handshake was done.
    pub tls_us: Option<i32>,
    /// Microseconds to the head of the answer.
    pub first_byte_us: Option<i32>,
    /// The answers that led elsewhere before.
    pub redirects: Option<RedirectList>,
}

impl Archived for ArchivedAttempt {
    const TABLE: &'static str = "delivery_attempts";
    const SIZE: &'static str = "coalesce(octet_length(response_body), 0)";

    fn id(&self) -> u128 {
        self.id.to_bits()
    }

    fn bytes(&self) -> usize {
        self.response_body.as_ref().map_or(0, Vec::len)
    }

    async fn until(conn: &mut AsyncPgConnection, span: Span, last: u128) -> QueryResult<Vec<Self>> {
        Self::query()
            .filter(delivery_attempts::project_id.eq(span.project))
            .filter(delivery_attempts::id.gt(DeliveryAttemptId::from_bits(span.after)))
            .filter(delivery_attempts::id.le(DeliveryAttemptId::from_bits(last)))
            .order(delivery_attempts::id.asc())
            .load(conn)
            .await
    }

    async fn restore(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        mut rows: Vec<Self>,
        _: Unfinished,
    ) -> QueryResult<usize> {
        for row in &mut rows {
            row.project_id = project;
        }
        diesel::insert_into(delivery_attempts::table).values(&rows).on_conflict_do_nothing().execute(conn).await
    }
}
