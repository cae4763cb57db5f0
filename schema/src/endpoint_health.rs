//! Which endpoints fail, and whether people were told. A row is made and removed once for each time that an endpoint begins to
//! fail and recovers, whoever sees it first, so that people hear of either once.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl, QueryResult,
    dsl::{exists, not, now},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{EndpointId, ProjectId},
    tables::{endpoint_health, endpoints},
};

/// An endpoint that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingEndpoint {
    /// The endpoint.
    pub id: EndpointId,
    /// Its name.
    pub name: String,
    /// Where its requests go.
    pub url: String,
    /// Since when it fails.
    pub since: DateTime<Utc>,
    /// When people were told; `None` while they were not.
    pub told_at: Option<DateTime<Utc>>,
}

/// Notes that the endpoint fails, unless that is known.
///
/// # Errors
/// The database fails.
pub async fn note_failing(conn: &mut AsyncPgConnection, project: ProjectId, endpoint: EndpointId) -> QueryResult<()> {
    diesel::insert_into(endpoint_health::table)
        .values((endpoint_health::project_id.eq(project), endpoint_health::endpoint_id.eq(endpoint)))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that the endpoint fails and that people are told now.
///
/// # Errors
/// The database fails.
pub async fn note_told(conn: &mut AsyncPgConnection, project: ProjectId, endpoint: EndpointId) -> QueryResult<()> {
    diesel::insert_into(endpoint_health::table)
        .values((
            endpoint_health::project_id.eq(project),
            endpoint_health::endpoint_id.eq(endpoint),
            endpoint_health::told_at.eq(now),
        ))
        .on_conflict((endpoint_health::project_id, endpoint_health::endpoint_id))
        .do_update()
        .set(endpoint_health::told_at.eq(now))
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that people are told now of these endpoints.
///
/// # Errors
/// The database fails.
pub async fn note_all_told(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    endpoints: &[EndpointId],
) -> QueryResult<()> {
    diesel::update(endpoint_health::table)
        .filter(endpoint_health::project_id.eq(project))
        .filter(endpoint_health::endpoint_id.eq_any(endpoints))
        .set(endpoint_health::told_at.eq(now))
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that the endpoint fails no more. Answers since when it did where people were told of it; `None` where there is nothing
/// to take back, or somebody else was first.
///
/// # Errors
/// The database fails.
pub async fn note_recovered(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    endpoint: EndpointId,
) -> QueryResult<Option<DateTime<Utc>>> {
    let row: Option<(DateTime<Utc>, Option<DateTime<Utc>>)> = diesel::delete(endpoint_health::table)
        .filter(endpoint_health::project_id.eq(project))
        .filter(endpoint_health::endpoint_id.eq(endpoint))
        .returning((endpoint_health::failing_since, endpoint_health::told_at))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.filter(|(_, told_at)| told_at.is_some()).map(|(since, _)| since))
}

/// Up to `limit` failing endpoints of all projects.
///
/// # Errors
/// The database fails.
pub async fn list_ids_all_projects(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<Vec<EndpointId>> {
    endpoint_health::table.select(endpoint_health::endpoint_id).limit(limit).load(conn).await
}

/// Up to `limit` projects after this one with endpoints that fail and of which nobody was told.
///
/// # Errors
/// The database fails.
pub async fn list_untold_projects(
    conn: &mut AsyncPgConnection,
    after: ProjectId,
    limit: i64,
) -> QueryResult<Vec<ProjectId>> {
    endpoint_health::table
        .filter(endpoint_health::project_id.gt(after))
        .filter(endpoint_health::told_at.is_null())
        .select(endpoint_health::project_id)
        .distinct()
        .order(endpoint_health::project_id.asc())
        .limit(limit)
        .load(conn)
        .await
}

/// Up to `limit` failing endpoints of the project: those first of which nobody was told, then those that have failed longest.
///
/// # Errors
/// The database fails.
pub async fn list(conn: &mut AsyncPgConnection, project: ProjectId, limit: i64) -> QueryResult<Vec<FailingEndpoint>> {
    type Row = (EndpointId, String, String, DateTime<Utc>, Option<DateTime<Utc>>);
    let of_endpoint =
        endpoints::project_id.eq(endpoint_health::project_id).and(endpoints::id.eq(endpoint_health::endpoint_id));
    let rows: Vec<Row> = endpoint_health::table
        .inner_join(endpoints::table.on(of_endpoint))
        .filter(endpoint_health::project_id.eq(project))
        .filter(endpoints::deleted_at.is_null())
        .order((endpoint_health::told_at.is_not_null().asc(), endpoint_health::failing_since.asc()))
        .limit(limit)
        .select((
            endpoint_health::endpoint_id,
            endpoints::name,
            endpoints::url,
            endpoint_health::failing_since,
            endpoint_health::told_at,
        ))
        .load(conn)
        .await?;
    let endpoint = |(id, name, url, since, told_at): Row| FailingEndpoint { id, name, url, since, told_at };
    Ok(rows.into_iter().map(endpoint).collect())
}

/// Forgets endpoints that are deleted.
///
/// # Errors
/// The database fails.
pub async fn forget_deleted_all_projects(conn: &mut AsyncPgConnection) -> QueryResult<usize> {
    let live = endpoints::table
        .filter(endpoints::project_id.eq(endpoint_health::project_id))
        .filter(endpoints::id.eq(endpoint_health::endpoint_id))
        .filter(endpoints::deleted_at.is_null());
    diesel::delete(endpoint_health::table.filter(not(exists(live)))).execute(conn).await
}
