//! What a project's test receiver got: the newest few, so that somebody who tries webhooks out needs no server of their own.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, HasQuery, Identifiable, QueryDsl, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{ProjectId, TestRequestId},
    json::Headers,
    tables::test_requests,
};

/// Requests that are kept.
pub const KEPT: i64 = 20;
/// Bytes of a body that are kept.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// A request.
#[derive(Debug, Clone, HasQuery, Identifiable)]
#[diesel(table_name = test_requests, primary_key(project_id, id))]
pub struct TestRequest {
    /// The project.
    pub project_id: ProjectId,
    /// The request.
    pub id: TestRequestId,
    /// Its method.
    pub method: String,
    /// Its headers.
    pub headers: Headers,
    /// Its body, or the beginning of it.
    pub body: Vec<u8>,
    /// Bytes of its body.
    pub body_bytes: i64,
}

impl TestRequest {
    /// When it came.
    #[must_use]
    pub fn received_at(&self) -> DateTime<Utc> {
        self.id.created_at()
    }
}

/// Keeps a request, and forgets those before the newest [`KEPT`].
///
/// # Errors
/// The database fails.
pub async fn keep(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    method: &str,
    headers: Headers,
    body: &[u8],
) -> QueryResult<()> {
    let kept = body.get(..BODY_BYTES_MAX).unwrap_or(body);
    diesel::insert_into(test_requests::table)
        .values((
            test_requests::project_id.eq(project),
            test_requests::id.eq(TestRequestId::generate()),
            test_requests::method.eq(method),
            test_requests::headers.eq(headers),
            test_requests::body.eq(kept),
            test_requests::body_bytes.eq(i64::try_from(body.len()).unwrap_or(i64::MAX)),
        ))
        .execute(conn)
        .await?;
    let of_project = || test_requests::table.filter(test_requests::project_id.eq(project));
    let old: Vec<TestRequestId> = of_project()
        .order(test_requests::id.desc())
        .offset(KEPT)
        .select(test_requests::id)
        .limit(KEPT * 10)
        .load(conn)
        .await?;
    if !old.is_empty() {
        diesel::delete(of_project().filter(test_requests::id.eq_any(old))).execute(conn).await?;
    }
    Ok(())
}

/// The requests that are kept, the newest first.
///
/// # Errors
/// The database fails.
pub async fn list(conn: &mut AsyncPgConnection, project: ProjectId) -> QueryResult<Vec<TestRequest>> {
    TestRequest::query()
        .filter(test_requests::project_id.eq(project))
        .order(test_requests::id.desc())
        .limit(KEPT)
        .load(conn)
        .await
}
