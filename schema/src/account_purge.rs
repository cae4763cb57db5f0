//! What accounts leave behind when it is over: sessions, tokens, counters.

use diesel::{QueryResult, sql_types::BigInt};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// Deletes up to `limit` rows of each kind whose time has passed, and tells how many rows were deleted. Sessions are kept
/// for a day, so that a copied token of theirs is still recognised.
///
/// # Errors
/// The database fails; what was deleted before stays deleted.
pub async fn purge(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<usize> {
    let mut deleted = 0;
    for statement in [
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < now() - interval '1 day' LIMIT $1)",
        "DELETE FROM account_tokens WHERE hash IN (SELECT hash FROM account_tokens WHERE expires_at < now() LIMIT $1)",
        "DELETE FROM attempt_counters WHERE subject IN \
            (SELECT subject FROM attempt_counters WHERE window_ends_at < now() LIMIT $1)",
    ] {
        deleted += diesel::sql_query(statement).bind::<BigInt, _>(limit).execute(conn).await?;
    }
    Ok(deleted)
}
