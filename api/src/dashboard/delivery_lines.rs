//! Deliveries as lines of a table, with the names of their endpoints.

use std::collections::HashMap;

use posthouse_pages::deliveries::{DeliveryLine, is_open};
use posthouse_schema::{
    endpoint::Endpoint,
    event_delivery::EventDelivery,
    ids::{EndpointId, ProjectId},
    pool::PooledConnection,
};

use super::answer::PageError;

/// Milliseconds of a number of seconds.
pub fn milliseconds(seconds: Option<f64>) -> Option<f64> {
    seconds.map(|seconds| seconds * 1_000.0)
}

/// The lines of these deliveries.
///
/// # Errors
/// The database fails.
pub async fn of(
    conn: &mut PooledConnection,
    project: ProjectId,
    rows: &[EventDelivery],
) -> Result<Vec<DeliveryLine>, PageError> {
    let mut ids: Vec<EndpointId> = rows.iter().map(|row| row.endpoint_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let endpoints = Endpoint::find_many(conn, project, &ids).await?;
    let names: HashMap<EndpointId, String> =
        endpoints.into_iter().map(|endpoint| (endpoint.id, endpoint.name)).collect();
    Ok(rows.iter().map(|row| line(row, &names)).collect())
}

fn line(row: &EventDelivery, names: &HashMap<EndpointId, String>) -> DeliveryLine {
    let status = row.status.to_string();
    DeliveryLine {
        id: row.id.to_string(),
        event_id: row.event_id.to_string(),
        event_type: row.event_type.clone(),
        endpoint_id: row.endpoint_id.to_string(),
        endpoint: names.get(&row.endpoint_id).cloned().unwrap_or_else(|| row.endpoint_id.to_string()),
        attempts: (row.attempt_count, row.retry_limit),
        latency_ms: milliseconds(row.latency_seconds),
        next: is_open(&status).then_some(row.next_send_time),
        at: row.acknowledged_at,
        status,
    }
}
