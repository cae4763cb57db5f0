//! How the deliveries of some endpoints went in a period.

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult, QueryableByName,
    result::Error,
    sql_types::{Array, BigInt, Timestamptz, Uuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::{
    activity, deadline,
    ids::{EndpointId, ProjectId},
};

/// An endpoint's deliveries of a period by where they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct EndpointTotals {
    /// The endpoint.
    #[diesel(sql_type = Uuid)]
    pub endpoint_id: EndpointId,
    /// Those that succeeded.
    #[diesel(sql_type = BigInt)]
    pub success: i64,
    /// Those that were given up.
    #[diesel(sql_type = BigInt)]
    pub failure: i64,
    /// Those that failed and will be tried again.
    #[diesel(sql_type = BigInt)]
    pub retry: i64,
}

/// The totals of those of `endpoints` that had deliveries of events accepted between `from` and `to`; what is counted already
/// begins with the five minutes of `from`.
///
/// # Errors
/// The database fails, or takes longer than [`deadline::QUERY_MAX`].
pub async fn endpoint_totals(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    endpoints: &[EndpointId],
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> QueryResult<Vec<EndpointTotals>> {
    conn.transaction::<_, Error, _>(async |conn| {
        deadline::set(conn).await?;
        let parted = activity::part(conn, project, (from, to)).await?;
        let (first, last) = parted.deliveries();
        diesel::sql_query(include_str!("../sql/endpoint_totals.sql"))
            .bind::<Uuid, _>(project)
            .bind::<Array<Uuid>, _>(endpoints)
            .bind::<Timestamptz, _>(parted.first_window)
            .bind::<Timestamptz, _>(parted.edge)
            .bind::<Uuid, _>(first)
            .bind::<Uuid, _>(last)
            .load(conn)
            .await
    })
    .await
}
