//! What accounts leave behind when it is over: sessions, tokens, counters.

use diesel::{QueryResult, sql_types::BigInt};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// Deletes everything whose time has passed, in statements of `rows_max` rows, and tells how many rows that were. Sessions
/// are kept for a day, so that a copied token of theirs is still recognised.
///
/// # Errors
/// The database fails; what was deleted before stays deleted.
pub async fn purge(conn: &mut AsyncPgConnection, rows_max: i64) -> QueryResult<usize> {
    let mut deleted = 0;
    for statement in [
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < now() - interval '1 day' LIMIT $1)",
        "DELETE FROM account_tokens WHERE hash IN (SELECT hash FROM account_tokens WHERE expires_at < now() LIMIT $1)",
        "DELETE FROM attempt_counters WHERE subject IN \
            (SELECT subject FROM attempt_counters WHERE window_ends_at < now() LIMIT $1)",
    ] {
        loop {
            match diesel::sql_query(statement).bind::<BigInt, _>(rows_max).execute(conn).await? {
                0 => break,
                some => deleted += some,
            }
        }
    }
    Ok(deleted)
}
