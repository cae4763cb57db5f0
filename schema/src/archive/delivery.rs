//! Event deliveries in an archive.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, HasQuery, Insertable, QueryDsl, QueryResult, sql_types::BigInt};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::{Archived, Span};
use crate::{
    ids::{EndpointId, EventDeliveryId, EventId, ProjectId, SubscriptionId},
    tables::event_deliveries,
    words::{DeliveryMode, DeliveryStatus, HeldBy, RetryStrategy},
};

/// What becomes of restored deliveries that had not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// They are discarded, and can be retried by hand: nobody knows any more whether they were sent since.
    Discard,
    /// They go on where they stood. The sweep finds them.
    Deliver,
}

/// A row of `event_deliveries`, whole.
#[derive(Debug, Clone, PartialEq, HasQuery, Insertable, Serialize, Deserialize)]
#[diesel(table_name = event_deliveries)]
pub struct ArchivedDelivery {
    /// The project.
    pub project_id: ProjectId,
    /// The delivery.
    pub id: EventDeliveryId,
    /// The event.
    pub event_id: EventId,
    /// Where it goes.
    pub endpoint_id: EndpointId,
    /// The subscription that matched.
    pub subscription_id: SubscriptionId,
    /// The event's type.
    pub event_type: String,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// What a crash may cause.
    pub delivery_mode: DeliveryMode,
    /// The URL to use instead of the endpoint's.
    pub target_url: Option<String>,
    /// How the wait between attempts grows.
    pub strategy: RetryStrategy,
    /// The first wait, in seconds.
    pub retry_interval_seconds: i32,
    /// Attempts in total.
    pub retry_limit: i32,
    /// Attempts made.
    pub attempt_count: i32,
    /// When the next attempt is due.
    pub next_send_time: DateTime<Utc>,
    /// From acceptance to the attempt that succeeded, in seconds.
    #[serde(deserialize_with = "super::bytes::exact")]
    pub latency_seconds: Option<f64>,
    /// Why it is in its state.
    pub description: String,
    /// When the event was accepted.
    pub acknowledged_at: DateTime<Utc>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
    /// What the subscription's function made of the event's data.
    #[serde(with = "super::bytes::maybe")]
    pub payload: Option<Vec<u8>>,
    /// What holds it back.
    pub held_by: Option<HeldBy>,
    /// Its line.
    pub ordering_key: Option<String>,
    /// Its place in the line.
    pub line_place: Option<i64>,
    /// The waits of a custom strategy, in seconds.
    pub retry_schedule: Option<Vec<i32>>,
    /// When it is given up.
    pub give_up_at: Option<DateTime<Utc>>,
}

impl ArchivedDelivery {
    /// Ends it, unless it has ended.
    fn discard(&mut self) {
        if self.status.is_final() {
            return;
        }
        self.description = format!("restored from an archive, where it was {}", self.status);
        self.status = DeliveryStatus::Discarded;
        (self.held_by, self.ordering_key, self.line_place) = (None, None, None);
    }
}

impl Archived for ArchivedDelivery {
    const TABLE: &'static str = "event_deliveries";
    const SIZE: &'static str = "coalesce(octet_length(payload), 0)";

    fn id(&self) -> u128 {
        self.id.to_bits()
    }

    fn bytes(&self) -> usize {
        self.payload.as_ref().map_or(0, Vec::len)
    }

    async fn until(conn: &mut AsyncPgConnection, span: Span, last: u128) -> QueryResult<Vec<Self>> {
        Self::query()
            .filter(event_deliveries::project_id.eq(span.project))
            .filter(event_deliveries::id.gt(EventDeliveryId::from_bits(span.after)))
            .filter(event_deliveries::id.le(EventDeliveryId::from_bits(last)))
            .order(event_deliveries::id.asc())
            .load(conn)
            .await
    }

    async fn restore(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        mut rows: Vec<Self>,
        unfinished: Unfinished,
    ) -> QueryResult<usize> {
        for row in &mut rows {
            row.project_id = project;
            if unfinished == Unfinished::Discard {
                row.discard();
            }
        }
        let written = diesel::insert_into(event_deliveries::table).values(&rows).on_conflict_do_nothing();
        let written = written.execute(conn).await?;
        // Who joins a line from now on comes behind those that were restored.
        if let Some(place) = rows.iter().filter_map(|row| row.line_place).max() {
            diesel::sql_query(
                "SELECT setval('delivery_line_places', $1) \
                 WHERE $1 > (SELECT last_value FROM delivery_line_places)",
            )
            .bind::<BigInt, _>(place)
            .execute(conn)
            .await?;
        }
        Ok(written)
    }
}
