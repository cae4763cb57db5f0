//! A limit on what a query of a caller's making may take: a search that would read a whole ledger is ended by the server,
//! and its connection is free for others.

use std::time::Duration;

use diesel::QueryResult;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{DatabaseErrorKind, QueryError};

/// The longest that a list, a count or a search may take.
pub const QUERY_MAX: Duration = Duration::from_secs(5);

/// Ends each further statement of the transaction after [`QUERY_MAX`].
///
/// # Errors
/// The database fails.
pub(crate) async fn set(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    let milliseconds = QUERY_MAX.as_millis();
    // A number of ours: SET takes no parameters.
    diesel::sql_query(format!("SET LOCAL statement_timeout = {milliseconds}")).execute(conn).await?;
    Ok(())
}

/// The error of several statements that took too long together.
pub(crate) fn passed() -> QueryError {
    let text = "the statements together passed the statement timeout".to_string();
    QueryError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(text))
}

/// Whether a statement was ended by its deadline.
#[must_use]
pub fn has_passed(error: &QueryError) -> bool {
    // diesel has no kind for it, and the server's text is the same in every release.
    matches!(error, QueryError::DatabaseError(_, info) if info.message().contains("statement timeout"))
}
