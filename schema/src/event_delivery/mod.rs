//! Event deliveries: one event on its way to one endpoint. The row is the truth about what is still to be done; the job
//! in Redis is only its fast path.

mod hold;
mod line;
mod list;
mod outcome;
mod outgoing;
mod rates;
mod resend;
mod stranded;

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, HasQuery, Identifiable, OptionalExtension, QueryDsl, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

pub use self::{
    hold::{Hold, hold},
    line::{first_in_line, leave_line, waiting_in_line},
    list::{DeliveryFilter, list, status_totals},
    outcome::{Outcome, claim_at_most_once, end, unclaim},
    outgoing::{OutgoingDelivery, load_outgoing},
    rates::{EndpointTotals, endpoint_totals},
    resend::{find_many, list_failed, resend},
    stranded::{StrandedDelivery, list_stranded_all_projects},
};
use crate::{
    ids::{EndpointId, EventDeliveryId, EventId, ProjectId, SubscriptionId},
    tables::event_deliveries,
    words::{DeliveryMode, DeliveryStatus, RetryStrategy},
};

/// A row of `event_deliveries`.
#[derive(Debug, Clone, HasQuery, Identifiable)]
#[diesel(table_name = event_deliveries, primary_key(project_id, id))]
pub struct EventDelivery {
    /// The project.
    pub project_id: ProjectId,
    /// The delivery; carries its event's time.
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
    /// Attempts in total; 0 counts as 1.
    pub retry_limit: i32,
    /// Attempts made.
    pub attempt_count: i32,
    /// When the next attempt is due; of no meaning in a final state.
    pub next_send_time: DateTime<Utc>,
    /// From acceptance to the attempt that succeeded, in seconds.
    pub latency_seconds: Option<f64>,
    /// Why it is in its state, for people.
    pub description: String,
    /// When the event was accepted.
    pub acknowledged_at: DateTime<Utc>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
    /// What the subscription's function made of the event's data, empty where it failed; `None` for the data itself.
    pub payload: Option<Vec<u8>>,
    /// Its line, while it is in one.
    pub ordering_key: Option<String>,
}

/// A delivery to insert.
#[derive(Debug, Clone)]
pub struct NewEventDelivery {
    /// The project.
    pub project_id: ProjectId,
    /// Derived from event and subscription.
    pub id: EventDeliveryId,
    /// The event.
    pub event_id: EventId,
    /// Where it goes.
    pub endpoint_id: EndpointId,
    /// The subscription that matched.
    pub subscription_id: SubscriptionId,
    /// The event's type.
    pub event_type: String,
    /// Scheduled, or Discarded where the endpoint does not receive.
    pub status: DeliveryStatus,
    /// What a crash may cause.
    pub delivery_mode: DeliveryMode,
    /// How the wait between attempts grows.
    pub strategy: RetryStrategy,
    /// The first wait, in seconds.
    pub retry_interval_seconds: i32,
    /// Attempts in total.
    pub retry_limit: i32,
    /// When the first attempt is due.
    pub next_send_time: DateTime<Utc>,
    /// Why it is in its state.
    pub description: String,
    /// When the event was accepted.
    pub acknowledged_at: DateTime<Utc>,
    /// What the subscription's function made of the event's data, empty where it failed; `None` for the data itself.
    pub payload: Option<Vec<u8>>,
    /// It is sent after those to the same endpoint with the same key that were stored before it.
    pub ordering_key: Option<String>,
    /// The waits of a custom strategy, in seconds; empty for the others.
    pub retry_schedule: Vec<i32>,
    /// When it is given up.
    pub give_up_at: Option<DateTime<Utc>>,
}

impl EventDelivery {
    /// The delivery with this id in this project, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        id: EventDeliveryId,
    ) -> QueryResult<Option<Self>> {
        Self::query()
            .filter(event_deliveries::project_id.eq(project))
            .filter(event_deliveries::id.eq(id))
            .first(conn)
            .await
            .optional()
    }
}
