//! Sources that have received nothing for longer than they should, by their own setting. It is told once, until they receive
//! something again.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName,
    sql_types::{BigInt, Bool, Nullable, Text, Timestamptz, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{ProjectId, SourceId},
    tables::sources,
};

/// A source whose state has changed.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct SourceSilence {
    /// The project.
    #[diesel(sql_type = Uuid)]
    pub project_id: ProjectId,
    /// The source.
    #[diesel(sql_type = Uuid)]
    pub id: SourceId,
    /// What it is called.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Where its events come from.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// The word for its broker; `None` where it has none.
    #[diesel(sql_type = Nullable<Text>)]
    pub broker: Option<String>,
    /// Before this it has received nothing for too long.
    #[diesel(sql_type = Timestamptz)]
    pub allowed_since: DateTime<Utc>,
    /// Whether it has had no event since then.
    #[diesel(sql_type = Bool)]
    pub is_silent: bool,
}

/// Sources of all projects that are silent and not known to be, or known to be and silent no more, up to `limit`.
///
/// # Errors
/// The database fails.
pub async fn list_changed_all_projects(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<Vec<SourceSilence>> {
    diesel::sql_query(include_str!("sql/changed_silences.sql")).bind::<BigInt, _>(limit).load(conn).await
}

/// Notes that the source is silent. `false`: that is known, or there is no such source.
///
/// # Errors
/// The database fails.
pub async fn begin(conn: &mut AsyncPgConnection, project: ProjectId, id: SourceId) -> QueryResult<bool> {
    let live = sources::table.find((project, id)).filter(sources::deleted_at.is_null());
    let begun = diesel::update(live.filter(sources::stale_since.is_null()))
        .set(sources::stale_since.eq(diesel::dsl::now))
        .execute(conn)
        .await?;
    Ok(begun == 1)
}

/// Notes that it is silent no more.
///
/// # Errors
/// The database fails.
pub async fn end(conn: &mut AsyncPgConnection, project: ProjectId, id: SourceId) -> QueryResult<()> {
    diesel::update(sources::table.find((project, id)))
        .set(sources::stale_since.eq(None::<DateTime<Utc>>))
        .execute(conn)
        .await?;
    Ok(())
}
