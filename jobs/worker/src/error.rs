//! Why a job could not be done. A job's failure is never an attempt's failure: that is an outcome, and is recorded.

use posthouse_jobs::QueueError;
use posthouse_schema::pool::PoolError;

/// What stops a handler.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// No database connection could be had.
    #[error("no database connection")]
    Pool(#[from] PoolError),
    /// A statement failed.
    #[error("a database statement failed")]
    Database(#[from] posthouse_schema::QueryError),
    /// The queue did not take a job.
    #[error("the queue refused")]
    Queue(#[from] QueueError),
    /// A batch run's filter cannot be read.
    #[error("the filter of a batch cannot be read: {0}")]
    Filter(String),
    /// A mail could not be made or sent.
    #[error("the mail could not be sent: {0}")]
    Mail(String),
    /// A chat did not take a message for now.
    #[error("the message could not be sent: {0}")]
    Chat(String),
    /// A backup's place cannot be used.
    #[error("the backup's place cannot be used")]
    Archive(#[from] posthouse_archive::ArchiveError),
    /// Some projects could not be backed up; each was logged.
    #[error("{0} project(s) could not be backed up")]
    Backup(u32),
}

impl WorkerError {
    /// Whether the database answered and refused the content: trying the same again will not help, other rows will pass.
    #[must_use]
    pub fn is_content(&self) -> bool {
        use posthouse_schema::{DatabaseErrorKind, QueryError as Error};
        match self {
            Self::Database(Error::DatabaseError(kind, _)) => !matches!(
                kind,
                DatabaseErrorKind::ClosedConnection
                    | DatabaseErrorKind::SerializationFailure
                    | DatabaseErrorKind::UnableToSendCommand
            ),
            Self::Database(Error::SerializationError(_)) => true,
            _ => false,
        }
    }
}
