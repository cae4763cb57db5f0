//! Lines of deliveries: those to one endpoint whose events share an ordering key are sent one after the other, in the order
//! in which the events were stored. A delivery is in its line while it is unfinished.

use std::collections::HashSet;

use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, QueryableByName,
    dsl::sql,
    sql_types::{Array, Bool, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{EndpointId, EventDeliveryId, ProjectId},
    statement::Statement,
    tables::event_deliveries,
};

#[derive(QueryableByName)]
struct Waiting {
    #[diesel(sql_type = Uuid)]
    id: EventDeliveryId,
}

/// Those of `deliveries` that are not the first of their lines.
///
/// # Errors
/// The database fails.
pub async fn waiting_in_line(
    conn: &mut AsyncPgConnection,
    deliveries: &[(ProjectId, EventDeliveryId)],
) -> QueryResult<HashSet<EventDeliveryId>> {
    let ids = deliveries.iter().map(|(_, id)| *id);
    let (Some(first), Some(last)) = (ids.clone().min(), ids.clone().max()) else { return Ok(HashSet::new()) };
    let waiting: Vec<Waiting> = Statement::new(include_str!("../sql/waiting_in_line.sql"))
        .bind::<Array<Uuid>, _>(deliveries.iter().map(|(project, _)| *project).collect::<Vec<_>>())
        .bind::<Array<Uuid>, _>(ids.collect::<Vec<_>>())
        .bind::<Uuid, _>(first)
        .bind::<Uuid, _>(last)
        .load(conn)
        .await?;
    Ok(waiting.into_iter().map(|row| row.id).collect())
}

/// The first unfinished delivery of a line.
///
/// # Errors
/// The database fails.
pub async fn first_in_line(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    (endpoint, ordering_key): (EndpointId, &str),
) -> QueryResult<Option<EventDeliveryId>> {
    event_deliveries::table
        .filter(event_deliveries::project_id.eq(project))
        .filter(event_deliveries::endpoint_id.eq(endpoint))
        .filter(event_deliveries::ordering_key.eq(ordering_key))
        .filter(sql::<Bool>("status IN ('Scheduled', 'Processing', 'Retry')"))
        .order(event_deliveries::line_place.asc())
        .select(event_deliveries::id)
        .first(conn)
        .await
        .optional()
}

/// Takes an unfinished delivery out of its line: those behind it need not wait for it any longer.
///
/// # Errors
/// The database fails.
pub async fn leave_line(conn: &mut AsyncPgConnection, project: ProjectId, id: EventDeliveryId) -> QueryResult<()> {
    diesel::update(event_deliveries::table)
        .filter(event_deliveries::project_id.eq(project))
        .filter(event_deliveries::id.eq(id))
        .set((
            event_deliveries::ordering_key.eq(None::<String>),
            event_deliveries::line_place.eq(None::<i64>),
            event_deliveries::updated_at.eq(diesel::dsl::now),
        ))
        .execute(conn)
        .await?;
    Ok(())
}
