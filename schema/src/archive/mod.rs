//! The ledger's rows as an archive holds them: read in the order of their ids in pages of bounded size, and restored under the
//! ids that they had. An archive is of rows, so here alone the row is also what is written; secrets are in none of them.

mod attempt;
mod bytes;
mod delivery;
mod event;
mod page;

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use serde::{Serialize, de::DeserializeOwned};

pub use self::{
    attempt::ArchivedAttempt,
    delivery::{ArchivedDelivery, Unfinished},
    event::{ArchivedEvent, forget_day_counts},
    page::PAGE_BYTES,
};
use crate::ids::ProjectId;

/// Rows of a project between two ids, without the ids themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The project.
    pub project: ProjectId,
    /// The bits of the id after which it begins.
    pub after: u128,
    /// The bits of the id before which it ends.
    pub before: u128,
}

/// A kind of row that archives hold.
pub trait Archived: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The table.
    const TABLE: &'static str;
    /// How many bytes its large column takes, as an expression that does not read it.
    const SIZE: &'static str;

    /// The bits of the row's id.
    fn id(&self) -> u128;

    /// About how many bytes the row takes.
    fn bytes(&self) -> usize;

    /// The first rows of the span in the order of their ids, so many at most and of about [`PAGE_BYTES`] at most; at least one
    /// where there is any. Of its own statements, so that no snapshot is held between two pages.
    ///
    /// # Errors
    /// The database fails.
    fn page(
        conn: &mut AsyncPgConnection,
        span: Span,
        rows_max: i64,
    ) -> impl Future<Output = QueryResult<Vec<Self>>> + Send {
        async move {
            match page::end(conn, (Self::TABLE, Self::SIZE), span, rows_max).await? {
                Some(last) => Self::until(conn, span, last).await,
                None => Ok(Vec::new()),
            }
        }
    }

    /// The rows of the span up to the one with these bits as its id, and with it, in the order of their ids.
    ///
    /// # Errors
    /// The database fails.
    fn until(
        conn: &mut AsyncPgConnection,
        span: Span,
        last: u128,
    ) -> impl Future<Output = QueryResult<Vec<Self>>> + Send;

    /// Writes the rows into this project, except those whose ids are there; answers how many were written.
    ///
    /// # Errors
    /// The database fails; nothing is written.
    fn restore(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        rows: Vec<Self>,
        unfinished: Unfinished,
    ) -> impl Future<Output = QueryResult<usize>> + Send;
}
