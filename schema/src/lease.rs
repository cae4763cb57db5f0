//! Leases: who, of several instances, does what only one may do. The database's clock decides, so instances need not
//! agree on the time; the fencing token grows with every change of holder, so a late write of an old one is recognised.

use std::time::Duration;

use diesel::{
    OptionalExtension, QueryResult, QueryableByName,
    sql_types::{BigInt, Double, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// The number of a holder's term: larger than that of every holder before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FencingToken(pub i64);

#[derive(QueryableByName)]
struct Term {
    #[diesel(sql_type = BigInt)]
    fencing_token: i64,
}

/// Takes the lease, or renews it where `holder` has it, for `ttl` from now. `None`: another holder's term still runs.
///
/// # Errors
/// The database fails.
pub async fn acquire(
    conn: &mut AsyncPgConnection,
    name: &str,
    holder: &str,
    ttl: Duration,
) -> QueryResult<Option<FencingToken>> {
    let term: Option<Term> = diesel::sql_query(include_str!("sql/acquire_lease.sql"))
        .bind::<Text, _>(name)
        .bind::<Text, _>(holder)
        .bind::<Double, _>(ttl.as_secs_f64())
        .get_result(conn)
        .await
        .optional()?;
    Ok(term.map(|term| FencingToken(term.fencing_token)))
}

/// Ends the holder's term at once, so that another need not wait for its end.
///
/// # Errors
/// The database fails; the lease then ends by its time.
pub async fn release(conn: &mut AsyncPgConnection, name: &str, holder: &str) -> QueryResult<()> {
    diesel::sql_query("UPDATE leases SET expires_at = now() WHERE name = $1 AND holder = $2")
        .bind::<Text, _>(name)
        .bind::<Text, _>(holder)
        .execute(conn)
        .await?;
    Ok(())
}
