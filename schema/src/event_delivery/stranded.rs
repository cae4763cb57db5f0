//! Deliveries whose job may be lost: unfinished and past due, in whatever state. The sweep enqueues them again, which is
//! what makes Redis rebuildable from the ledger.

use chrono::{DateTime, Utc};
use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{EndpointId, EventDeliveryId, ProjectId},
    tables::event_deliveries,
};

/// Where an unfinished delivery stands in the order of the sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrandedDelivery {
    /// The project.
    pub project_id: ProjectId,
    /// The delivery.
    pub id: EventDeliveryId,
    /// Where it goes.
    pub endpoint_id: EndpointId,
    /// When it was due.
    pub due: DateTime<Utc>,
}

/// Up to `limit` unfinished deliveries of every project that were due before `before`, the longest overdue first, going
/// on after `after`.
///
/// # Errors
/// The database fails.
pub async fn list_stranded_all_projects(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    after: Option<&StrandedDelivery>,
    limit: u32,
) -> QueryResult<Vec<StrandedDelivery>> {
    use event_deliveries::{next_send_time, table};
    let mut query = table
        .select((event_deliveries::project_id, event_deliveries::id, event_deliveries::endpoint_id, next_send_time))
        .filter(next_send_time.lt(before))
        .into_boxed();
    // Literals, because the partial index applies only where the planner can see the states.
    query = query.filter(diesel::dsl::sql::<diesel::sql_types::Bool>("status IN ('Scheduled', 'Processing', 'Retry')"));
    if let Some(after) = after {
        query = query.filter(
            next_send_time.gt(after.due).or(next_send_time.eq(after.due).and(event_deliveries::id.gt(after.id))),
        );
    }
    let rows: Vec<(ProjectId, EventDeliveryId, EndpointId, DateTime<Utc>)> =
        query.order((next_send_time.asc(), event_deliveries::id.asc())).limit(i64::from(limit)).load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(project_id, id, endpoint_id, due)| StrandedDelivery { project_id, id, endpoint_id, due })
        .collect())
}
