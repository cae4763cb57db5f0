//! Deliveries that rest get another attempt: by hand, one by one, or all that a filter lets through. The attempts made are
//! kept, so that a delivery which ran out of them gets exactly one more.

use diesel::{
    BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, SelectableHelper,
    dsl::{exists, now, sql},
    result::Error,
    sql_types::Bool,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{DeliveryFilter, EventDelivery, list::filtered};
use crate::{
    activity,
    ids::{EndpointId, EventDeliveryId, ProjectId},
    tables::{endpoints, event_deliveries},
    words::{DeliveryStatus, EndpointStatus, HeldBy},
};

/// Schedules those of `ids` that rest in one of `from` and whose endpoints receive, and returns them as they are now.
///
/// # Errors
/// The database fails; nothing is changed.
pub async fn resend(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    ids: &[EventDeliveryId],
    from: &[DeliveryStatus],
) -> QueryResult<Vec<EventDelivery>> {
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else { return Ok(Vec::new()) };
    let receiver = endpoints::table
        .filter(endpoints::project_id.eq(project))
        .filter(endpoints::id.eq(event_deliveries::endpoint_id))
        .filter(endpoints::deleted_at.is_null())
        .filter(endpoints::status.eq(EndpointStatus::Active));
    let scheduled = diesel::update(event_deliveries::table)
        .filter(event_deliveries::project_id.eq(project))
        // So that only the partitions of these days are searched.
        .filter(event_deliveries::id.between(*first, *last).and(event_deliveries::id.eq_any(ids)))
        .filter(event_deliveries::status.eq_any(from))
        .filter(exists(receiver))
        .set((
            event_deliveries::status.eq(DeliveryStatus::Scheduled),
            event_deliveries::next_send_time.eq(now),
            event_deliveries::held_by.eq(None::<HeldBy>),
            // Those behind it in its line have gone on.
            event_deliveries::ordering_key.eq(None::<String>),
            event_deliveries::line_place.eq(None::<i64>),
            event_deliveries::description.eq(""),
            event_deliveries::updated_at.eq(now),
        ))
        .returning(EventDelivery::as_returning());
    conn.transaction::<_, Error, _>(async |conn| {
        let rows: Vec<EventDelivery> = scheduled.get_results(conn).await?;
        activity::note_changed(conn, project, rows.iter().map(|row| row.id).collect()).await?;
        Ok(rows)
    })
    .await
}

/// The deliveries among `ids`.
///
/// # Errors
/// The database fails.
pub async fn find_many(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    ids: &[EventDeliveryId],
) -> QueryResult<Vec<EventDelivery>> {
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else { return Ok(Vec::new()) };
    event_deliveries::table
        .filter(event_deliveries::project_id.eq(project))
        .filter(event_deliveries::id.between(*first, *last).and(event_deliveries::id.eq_any(ids)))
        .select(EventDelivery::as_select())
        .load(conn)
        .await
}

/// Up to `limit` deliveries after `after` that the filter lets through and that rest without success, the oldest first.
///
/// # Errors
/// The database fails.
pub async fn list_failed(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    filter: &DeliveryFilter,
    after: Option<EventDeliveryId>,
    limit: i64,
) -> QueryResult<Vec<(EventDeliveryId, EndpointId)>> {
    let mut query = filtered(project, filter).filter(sql::<Bool>("status IN ('Failure', 'Discarded')"));
    if let Some(after) = after {
        query = query.filter(event_deliveries::id.gt(after));
    }
    query
        .order(event_deliveries::id.asc())
        .limit(limit)
        .select((event_deliveries::id, event_deliveries::endpoint_id))
        .load(conn)
        .await
}
