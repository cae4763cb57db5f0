//! What a worker needs to send deliveries, read for a whole batch in one statement.

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult, QueryableByName,
    sql_types::{Array, BigInt, Bytea, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{EndpointId, EventDeliveryId, EventId, ProjectId, SubscriptionId},
    json::Headers,
    statement::Statement,
    words::{DeliveryMode, DeliveryStatus, HeldBy, RetryStrategy},
};

/// A delivery with what its event adds to the request.
#[derive(Debug, Clone, QueryableByName)]
pub struct OutgoingDelivery {
    /// The project.
    #[diesel(sql_type = Uuid)]
    pub project_id: ProjectId,
    /// The delivery.
    #[diesel(sql_type = Uuid)]
    pub id: EventDeliveryId,
    /// The event.
    #[diesel(sql_type = Uuid)]
    pub event_id: EventId,
    /// Where it goes.
    #[diesel(sql_type = Uuid)]
    pub endpoint_id: EndpointId,
    /// The subscription that matched.
    #[diesel(sql_type = Uuid)]
    pub subscription_id: SubscriptionId,
    /// The event's type.
    #[diesel(sql_type = Text)]
    pub event_type: String,
    /// How far it has come.
    #[diesel(sql_type = Text)]
    pub status: DeliveryStatus,
    /// What a crash may cause.
    #[diesel(sql_type = Text)]
    pub delivery_mode: DeliveryMode,
    /// The URL to use instead of the endpoint's.
    #[diesel(sql_type = Nullable<Text>)]
    pub target_url: Option<String>,
    /// How the wait between attempts grows.
    #[diesel(sql_type = Text)]
    pub strategy: RetryStrategy,
    /// The first wait, in seconds.
    #[diesel(sql_type = Integer)]
    pub retry_interval_seconds: i32,
    /// Attempts in total; 0 counts as 1.
    #[diesel(sql_type = Integer)]
    pub retry_limit: i32,
    /// Attempts made.
    #[diesel(sql_type = Integer)]
    pub attempt_count: i32,
    /// When the next attempt is due.
    #[diesel(sql_type = Timestamptz)]
    pub next_send_time: DateTime<Utc>,
    /// What holds it back until then; `None` for its retry policy.
    #[diesel(sql_type = Nullable<Text>)]
    pub held_by: Option<HeldBy>,
    /// When the event was accepted.
    #[diesel(sql_type = Timestamptz)]
    pub acknowledged_at: DateTime<Utc>,
    /// What the subscription's function made, or the event's exact bytes; empty where the function failed.
    #[diesel(sql_type = Bytea)]
    pub payload: Vec<u8>,
    /// The event's headers.
    #[diesel(sql_type = Jsonb)]
    pub headers: Headers,
    /// The event's key; empty when there is none.
    #[diesel(sql_type = Text)]
    pub idempotency_key: String,
    /// Raw query string to append to the URL.
    #[diesel(sql_type = Text)]
    pub url_query_params: String,
    /// Its line, while it is in one.
    #[diesel(sql_type = Nullable<Text>)]
    pub ordering_key: Option<String>,
    /// The waits of a custom strategy, in seconds.
    #[diesel(sql_type = Nullable<Array<Integer>>)]
    pub retry_schedule: Option<Vec<i32>>,
    /// When it is given up.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub give_up_at: Option<DateTime<Utc>>,
    /// The routing version of its project when this was read.
    #[diesel(sql_type = BigInt)]
    pub routing_version: i64,
}

/// The deliveries of `wanted` that exist, in no order, whatever their state.
///
/// # Errors
/// The database fails.
pub async fn load_outgoing(
    conn: &mut AsyncPgConnection,
    wanted: &[(ProjectId, EventDeliveryId)],
) -> QueryResult<Vec<OutgoingDelivery>> {
    let projects: Vec<ProjectId> = wanted.iter().map(|(project, _)| *project).collect();
    let ids: Vec<EventDeliveryId> = wanted.iter().map(|(_, id)| *id).collect();
    let (Some(first), Some(last)) = (ids.iter().min().copied(), ids.iter().max().copied()) else {
        return Ok(Vec::new());
    };
    Statement::new(include_str!("../sql/load_outgoing.sql"))
        .bind::<Array<Uuid>, _>(&projects)
        .bind::<Array<Uuid>, _>(&ids)
        .bind::<Uuid, _>(first)
        .bind::<Uuid, _>(last)
        // A delivery carries its event's time, so the events lie between the same instants.
        .bind::<Uuid, _>(EventId::first_at(first.created_at()))
        .bind::<Uuid, _>(EventId::last_at(last.created_at()))
        .load(conn)
        .await
}
