//! Where a page ends: after so many rows, or before its bytes become too many. The lengths of large columns are known without
//! reading them.

use diesel::{
    OptionalExtension, QueryResult, QueryableByName,
    sql_types::{BigInt, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Span;
use crate::ids::EventId;

/// Bytes of a page, about; one row may be larger.
pub const PAGE_BYTES: i64 = 4 << 20;

#[derive(QueryableByName)]
struct Last {
    #[diesel(sql_type = Uuid)]
    id: EventId,
}

/// The bits of the last id of the span's first page; `None` where it is empty. `size` is an expression of ours.
pub async fn end(
    conn: &mut AsyncPgConnection,
    (table, size): (&'static str, &'static str),
    span: Span,
    rows_max: i64,
) -> QueryResult<Option<u128>> {
    let statement = format!(
        "SELECT id FROM (\
             SELECT id, sum(bytes) OVER (ORDER BY id) - bytes AS before FROM (\
                 SELECT id, ({size})::bigint AS bytes FROM {table} \
                 WHERE project_id = $1 AND id > $2 AND id < $3 ORDER BY id LIMIT $4\
             ) AS page\
         ) AS summed WHERE before < $5 ORDER BY id DESC LIMIT 1"
    );
    let last: Option<Last> = diesel::sql_query(statement)
        .bind::<Uuid, _>(span.project)
        .bind::<Uuid, _>(EventId::from_bits(span.after))
        .bind::<Uuid, _>(EventId::from_bits(span.before))
        .bind::<BigInt, _>(rows_max)
        .bind::<BigInt, _>(PAGE_BYTES)
        .get_result(conn)
        .await
        .optional()?;
    Ok(last.map(|last| last.id.to_bits()))
}
