//! Which endpoints are whose. An owner is a name of the project's own choosing; the empty one is nobody.

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName,
    sql_types::{Array, BigInt, Text, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{EndpointId, ProjectId},
    statement::Statement,
    tables::endpoints,
};

/// An endpoint and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Owned {
    /// The endpoint.
    #[diesel(sql_type = Uuid)]
    pub id: EndpointId,
    /// Its owner.
    #[diesel(sql_type = Text)]
    pub owner_id: String,
}

#[derive(QueryableByName)]
struct OwnerCount {
    #[diesel(sql_type = Text)]
    owner_id: String,
    #[diesel(sql_type = BigInt)]
    endpoints: i64,
}

/// The endpoints of an owner up to `limit`: the live ones first, then those that were deleted, whose history stays the
/// owner's.
///
/// # Errors
/// The database fails.
pub async fn ids_of(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    owner: &str,
    limit: i64,
) -> QueryResult<Vec<EndpointId>> {
    endpoints::table
        .filter(endpoints::project_id.eq(project))
        .filter(endpoints::owner_id.eq(owner))
        .filter(endpoints::owner_id.ne(""))
        .order((endpoints::deleted_at.is_not_null(), endpoints::id.desc()))
        .limit(limit)
        .select(endpoints::id)
        .load(conn)
        .await
}

/// How many of `ids` are live endpoints.
///
/// # Errors
/// The database fails.
pub async fn count_live(conn: &mut AsyncPgConnection, project: ProjectId, ids: &[EndpointId]) -> QueryResult<i64> {
    endpoints::table
        .filter(endpoints::project_id.eq(project))
        .filter(endpoints::id.eq_any(ids))
        .filter(endpoints::deleted_at.is_null())
        .count()
        .get_result(conn)
        .await
}

/// The newest `limit` live endpoints of each of these owners.
///
/// # Errors
/// The database fails.
pub async fn newest_of(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    owners: &[&str],
    limit: i64,
) -> QueryResult<Vec<Owned>> {
    if owners.is_empty() {
        return Ok(Vec::new());
    }
    Statement::new(include_str!("sql/newest_of_owners.sql"))
        .bind::<Uuid, _>(project)
        .bind::<Array<Text>, _>(owners)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}

/// How many live endpoints each of these owners has; one without any is missing.
///
/// # Errors
/// The database fails.
pub async fn counts_of(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    owners: &[&str],
) -> QueryResult<Vec<(String, i64)>> {
    if owners.is_empty() {
        return Ok(Vec::new());
    }
    let counts: Vec<OwnerCount> = Statement::new(include_str!("sql/counts_of_owners.sql"))
        .bind::<Uuid, _>(project)
        .bind::<Array<Text>, _>(owners)
        .load(conn)
        .await?;
    Ok(counts.into_iter().map(|of| (of.owner_id, of.endpoints)).collect())
}

/// Makes these endpoints the owner's, and returns how many of them there are.
///
/// # Errors
/// The database fails.
pub async fn assign(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    ids: &[EndpointId],
    owner: &str,
) -> QueryResult<usize> {
    let live = endpoints::table
        .filter(endpoints::project_id.eq(project))
        .filter(endpoints::id.eq_any(ids))
        .filter(endpoints::deleted_at.is_null());
    diesel::update(live)
        .set((endpoints::owner_id.eq(owner), endpoints::updated_at.eq(diesel::dsl::now)))
        .execute(conn)
        .await
}
