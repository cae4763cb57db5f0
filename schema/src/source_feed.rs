//! What ingest follows: the live message-broker sources of all projects, each with everything whose change must reach
//! its consumer. Sources of deleted projects are not among them.

use diesel::{ExpressionMethods, HasQuery, QueryDsl, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::{
    ids::{ProjectId, SourceId},
    sealed::{self, Sealed, Unopened},
    source::{PUB_SUB, place},
    tables::{projects, sources},
    words::{ProjectKind, SourceKind},
};

/// A live source of kind `pub_sub`, enabled or not. Two equal values need the same consumer.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedSource {
    /// The project that its events belong to.
    pub project_id: ProjectId,
    /// Decides whom an event is meant for.
    pub project_kind: ProjectKind,
    /// The source.
    pub id: SourceId,
    /// What it is called.
    pub name: String,
    /// A disabled source is not consumed; what its broker keeps for it stays there.
    pub is_disabled: bool,
    /// The broker's settings, credentials included; `None` where there are none, and where they are locked.
    pub pub_sub: Option<Value>,
    /// Why this process cannot open the broker's settings.
    pub locked: Option<Unopened>,
    /// Makes a message of whatever JSON the broker brings.
    pub body_function: Option<String>,
    /// Makes a message's headers.
    pub header_function: Option<String>,
    /// Messages that it takes in within the duration; 0 for no limit.
    pub rate_limit: i32,
    /// The duration.
    pub rate_limit_duration_seconds: i32,
    /// Changes with every setting of the source.
    pub updated_at: chrono::DateTime<chrono::Utc>,
}

/// The same as it is stored.
#[derive(HasQuery)]
#[diesel(
    table_name = sources,
    base_query = sources::table.inner_join(projects::table)
        .filter(sources::deleted_at.is_null())
        .filter(projects::deleted_at.is_null())
)]
struct FeedRow {
    project_id: ProjectId,
    #[diesel(select_expression = projects::kind)]
    project_kind: ProjectKind,
    id: SourceId,
    name: String,
    is_disabled: bool,
    pub_sub: Option<Sealed<Value>>,
    body_function: Option<String>,
    header_function: Option<String>,
    rate_limit: i32,
    rate_limit_duration_seconds: i32,
    updated_at: chrono::DateTime<chrono::Utc>,
}

impl From<FeedRow> for FeedSource {
    fn from(row: FeedRow) -> Self {
        let opened = sealed::open(row.pub_sub.as_ref(), &place(PUB_SUB, (row.project_id, row.id)));
        let (pub_sub, locked) = match opened {
            Ok(pub_sub) => (pub_sub, None),
            Err(why) => (None, Some(why)),
        };
        Self {
            project_id: row.project_id,
            project_kind: row.project_kind,
            id: row.id,
            name: row.name,
            is_disabled: row.is_disabled,
            pub_sub,
            locked,
            body_function: row.body_function,
            header_function: row.header_function,
            rate_limit: row.rate_limit,
            rate_limit_duration_seconds: row.rate_limit_duration_seconds,
            updated_at: row.updated_at,
        }
    }
}

/// The broker sources of all projects among `ids`.
///
/// # Errors
/// The database fails.
pub async fn find_broker_sources_all_projects(
    conn: &mut AsyncPgConnection,
    ids: &[SourceId],
) -> QueryResult<Vec<FeedSource>> {
    let of_ids = FeedRow::query().filter(sources::kind.eq(SourceKind::PubSub)).filter(sources::id.eq_any(ids));
    Ok(of_ids.load(conn).await?.into_iter().map(FeedRow::into).collect())
}

/// The next `limit` broker sources of all projects after the source `after`, in the order of their ids.
///
/// # Errors
/// The database fails.
pub async fn broker_sources_all_projects(
    conn: &mut AsyncPgConnection,
    after: Option<SourceId>,
    limit: i64,
) -> QueryResult<Vec<FeedSource>> {
    let mut query =
        FeedRow::query().filter(sources::kind.eq(SourceKind::PubSub)).order(sources::id).limit(limit).into_boxed();
    if let Some(after) = after {
        query = query.filter(sources::id.gt(after));
    }
    Ok(query.load(conn).await?.into_iter().map(FeedRow::into).collect())
}
