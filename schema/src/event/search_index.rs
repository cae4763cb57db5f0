//! Fills the index of documents behind the hot path, in the order in which events were stored: a late event is not missed,
//! and what was read is not read again. One page at a time, by one worker at a time.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, define_sql_function,
    result::Error,
    sql_types::{Array, BigInt, Bytea, Jsonb, Nullable, Text, Timestamptz, Uuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::document::document;
use crate::{
    ids::{EventId, ProjectId},
    json::Headers,
    statement::Statement,
    tables::event_search_mark,
};

/// Events that one page adds.
const PAGE_ROWS: i64 = 200;
/// Held by whoever adds a page.
const ADVISORY_LOCK: i64 = 0x706f_7374_5365_6172;

define_sql_function! {
    /// Takes a lock until the end of the transaction, unless another has it.
    fn pg_try_advisory_xact_lock(key: BigInt) -> Bool;
}

#[derive(QueryableByName)]
struct Unindexed {
    #[diesel(sql_type = Uuid)]
    project_id: ProjectId,
    #[diesel(sql_type = Uuid)]
    id: EventId,
    #[diesel(sql_type = Text)]
    event_type: String,
    #[diesel(sql_type = Text)]
    idempotency_key: String,
    #[diesel(sql_type = Jsonb)]
    headers: Headers,
    #[diesel(sql_type = Nullable<Bytea>)]
    payload: Option<Vec<u8>>,
    #[diesel(sql_type = Timestamptz)]
    stored_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Horizon {
    #[diesel(sql_type = Timestamptz)]
    settled: DateTime<Utc>,
}

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexed {
    /// So many events were indexed, and there may be more.
    Some(usize),
    /// Everything that is stored for sure is indexed.
    UpToDate,
    /// Another worker is at it.
    Busy,
}

/// Indexes the next page of the events of all projects.
///
/// # Errors
/// The database fails; nothing of the page is indexed.
pub async fn index_page_all_projects(conn: &mut AsyncPgConnection) -> QueryResult<Indexed> {
    conn.transaction::<_, Error, _>(async |conn| {
        // Not a lock of the mark's row: that would be a write, and a wait for the disk, where there is nothing to do.
        let is_first: bool = diesel::select(pg_try_advisory_xact_lock(ADVISORY_LOCK)).get_result(conn).await?;
        if !is_first {
            return Ok(Indexed::Busy);
        }
        let (after, after_id): (DateTime<Utc>, EventId) =
            event_search_mark::table.select((event_search_mark::stored_at, event_search_mark::id)).first(conn).await?;
        let horizon: Horizon = Statement::new(include_str!("../sql/search_horizon.sql")).get_result(conn).await?;
        // A page is the beginning of an index. Without this the planner, which does not know how much is left, would read and
        // sort all of it for every page.
        diesel::sql_query("SET LOCAL enable_sort = off").execute(conn).await?;
        let rows: Vec<Unindexed> = Statement::new(include_str!("../sql/search_unindexed.sql"))
            .bind::<Timestamptz, _>(after)
            .bind::<Timestamptz, _>(horizon.settled)
            .bind::<Timestamptz, _>(after)
            .bind::<Uuid, _>(after_id)
            .bind::<BigInt, _>(PAGE_ROWS)
            .load(conn)
            .await?;
        let Some(last) = rows.last() else { return Ok(Indexed::UpToDate) };
        let reached = (event_search_mark::stored_at.eq(last.stored_at), event_search_mark::id.eq(last.id));
        add(conn, &rows).await?;
        diesel::update(event_search_mark::table).set(reached).execute(conn).await?;
        Ok(Indexed::Some(rows.len()))
    })
    .await
}

#[derive(QueryableByName)]
struct Merged {
    #[diesel(sql_type = BigInt)]
    merged: i64,
}

/// Has what was indexed since the last time found quickly; answers how many pages of waiting entries were merged.
///
/// # Errors
/// The database fails, or the index is another role's: searches then take longer until PostgreSQL merges by itself.
pub async fn merge_index_all_projects(conn: &mut AsyncPgConnection) -> QueryResult<i64> {
    let merged: Merged = Statement::new(include_str!("../sql/search_merge.sql")).get_result(conn).await?;
    Ok(merged.merged)
}

async fn add(conn: &mut AsyncPgConnection, rows: &[Unindexed]) -> QueryResult<()> {
    let documents: Vec<serde_json::Value> = rows
        .iter()
        .map(|row| {
            let names = (row.event_type.as_str(), row.idempotency_key.as_str());
            document(row.project_id, names, &row.headers, row.payload.as_deref())
        })
        .collect();
    Statement::new(include_str!("../sql/search_add.sql"))
        .bind::<Array<Uuid>, _>(rows.iter().map(|row| row.project_id).collect::<Vec<_>>())
        .bind::<Array<Uuid>, _>(rows.iter().map(|row| row.id).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(documents)
        .execute(conn)
        .await?;
    Ok(())
}
