//! Fills the index of documents behind the hot path, in the order in which events were stored: a late event is not missed,
//! and what was read is not read again. One page at a time, by one worker at a time.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, QueryableByName,
    result::Error,
    sql_types::{Array, Bytea, Jsonb, Nullable, Text, Timestamptz, Uuid},
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
const PAGE_ROWS: usize = 200;

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
    until: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    settled: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    next: Option<DateTime<Utc>>,
}

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexed {
    /// So many events were read, and there may be more.
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
        let mark: Option<(DateTime<Utc>, EventId)> = event_search_mark::table
            .select((event_search_mark::stored_at, event_search_mark::id))
            .for_update()
            .skip_locked()
            .first(conn)
            .await
            .optional()?;
        let Some((after, after_id)) = mark else { return Ok(Indexed::Busy) };
        let horizon: Horizon = diesel::sql_query(include_str!("../sql/search_horizon.sql"))
            .bind::<Timestamptz, _>(after)
            .get_result(conn)
            .await?;
        let rows: Vec<Unindexed> = Statement::new(include_str!("../sql/search_unindexed.sql"))
            .bind::<Timestamptz, _>(after)
            .bind::<Uuid, _>(after_id)
            .bind::<Timestamptz, _>(horizon.until)
            .load(conn)
            .await?;
        add(conn, &rows).await?;
        let is_full = rows.len() == PAGE_ROWS;
        let reached = match rows.last() {
            Some(last) if is_full => (last.stored_at, last.id),
            // Nothing more up to there: go on where there is something, or wait.
            _ => (horizon.next.unwrap_or(horizon.settled).max(after), EventId::from_bits(0)),
        };
        diesel::update(event_search_mark::table)
            .set((event_search_mark::stored_at.eq(reached.0), event_search_mark::id.eq(reached.1)))
            .execute(conn)
            .await?;
        Ok(if is_full || horizon.next.is_some() { Indexed::Some(rows.len()) } else { Indexed::UpToDate })
    })
    .await
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
