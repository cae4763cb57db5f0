//! Archives: events, deliveries and attempts of a project and a window of time, as files in a folder or an object store
//! (decision 0023). What is in one is described in `docs/backup.md`; endpoints, keys and secrets are not.

mod error;
mod export;
mod import;
mod manifest;
mod part;
mod retention;
mod store;

pub use self::{
    error::ArchiveError,
    export::{Export, Exported, PART_BYTES, Window, export},
    import::{Import, Imported, import, verify},
    manifest::{FORMAT, Manifest, Part, Table, Totals, VERSION},
    retention::{days_of, forget_before},
    store::Store,
};

/// How far work on an archive has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The table that is worked on.
    pub table: Table,
    /// Rows that are done, of all tables.
    pub rows: u64,
    /// How much of the whole that is, about: from 0 to 1.
    pub fraction: f64,
}
