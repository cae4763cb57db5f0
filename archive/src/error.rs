//! Why an archive could not be written or restored.

use posthouse_schema::{QueryError, pool::PoolError};

use crate::manifest::Table;

/// What stops work on an archive. What is written stays, and the same work goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A place that cannot be used.
    #[error("{0}")]
    Place(String),
    /// The store fails or refuses.
    #[error("the store failed")]
    Store(#[from] object_store::Error),
    /// An object is larger than an archive's can be.
    #[error("{0} is larger than any file of an archive")]
    TooLarge(String),
    /// The manifest cannot be read, or is of another version.
    #[error("the manifest cannot be used: {0}")]
    Manifest(String),
    /// The place holds an archive of something else.
    #[error("the place holds another archive already: {0}")]
    Other(String),
    /// There is no archive.
    #[error("there is no archive: no manifest.json")]
    Missing,
    /// The export has not ended.
    #[error("the archive is not complete: export it again to the same place, and it goes on where it stopped")]
    Incomplete,
    /// A file is not what the manifest says.
    #[error("{name} is not what was exported: {what}")]
    Tampered {
        /// The file.
        name: String,
        /// What differs.
        what: String,
    },
    /// A row cannot be written as JSON or compressed.
    #[error("rows of {0} could not be written")]
    Row(Table, #[source] std::io::Error),
    /// The project to restore into is not there.
    #[error("there is no such project; make it first, and name it by --project where its id is another one")]
    NoProject,
    /// No database connection could be had.
    #[error("no database connection")]
    Pool(#[from] PoolError),
    /// A statement failed.
    #[error("a database statement failed")]
    Database(#[from] QueryError),
}
