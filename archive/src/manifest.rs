//! The manifest: what an archive is of, and which files it has. It is written anew after each file, so that it never names one
//! that is not there.

use std::fmt;

use chrono::{DateTime, Utc};
use posthouse_schema::ids::{EventId, ProjectId};
use serde::{Deserialize, Serialize};

use crate::{error::ArchiveError, export::Window};

/// What a manifest says that it is.
pub const FORMAT: &str = "posthouse-archive";
/// The version that is written, and the only one that is read.
pub const VERSION: u32 = 1;

/// A table of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// `events`.
    Events,
    /// `event_deliveries`.
    EventDeliveries,
    /// `delivery_attempts`.
    DeliveryAttempts,
}

impl Table {
    /// All of them, in the order of their export.
    pub const ALL: [Self; 3] = [Self::Events, Self::EventDeliveries, Self::DeliveryAttempts];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::EventDeliveries => "event_deliveries",
            Self::DeliveryAttempts => "delivery_attempts",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A file of an archive: rows in the order of their ids, one JSON object a line, compressed by zstd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name, which follows from table and number.
    pub name: String,
    /// What it has rows of.
    pub table: Table,
    /// How many.
    pub rows: u64,
    /// The first row's id.
    pub first_id: EventId,
    /// The last row's id.
    pub last_id: EventId,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes when it is not compressed.
    pub raw_bytes: u64,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
}

impl Part {
    /// The name of the table's file with this number, from 1 on.
    #[must_use]
    pub fn name(table: Table, number: usize) -> String {
        format!("{table}-{number:06}.jsonl.zst")
    }
}

/// Rows of an archive, by table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Events.
    pub events: u64,
    /// Their deliveries.
    pub event_deliveries: u64,
    /// Attempts.
    pub delivery_attempts: u64,
}

impl Totals {
    /// The sum of a table, to change it.
    pub const fn of(&mut self, table: Table) -> &mut u64 {
        match table {
            Table::Events => &mut self.events,
            Table::EventDeliveries => &mut self.event_deliveries,
            Table::DeliveryAttempts => &mut self.delivery_attempts,
        }
    }

    /// All rows.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.events + self.event_deliveries + self.delivery_attempts
    }
}

/// What an archive is of, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The project whose rows it has.
    pub project_id: ProjectId,
    /// The time from which on rows were made.
    pub from: DateTime<Utc>,
    /// The time before which they were made.
    pub to: DateTime<Utc>,
    /// When the export began.
    pub begun_at: DateTime<Utc>,
    /// When it ended; `None` while it has not.
    pub completed_at: Option<DateTime<Utc>>,
    /// Its rows so far.
    pub totals: Totals,
    /// Its files so far, in the order of their export.
    pub parts: Vec<Part>,
}

impl Manifest {
    /// Of an export that begins.
    #[must_use]
    pub fn begin(project_id: ProjectId, window: Window) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            project_id,
            from: window.from,
            to: window.to,
            begun_at: Utc::now(),
            completed_at: None,
            totals: Totals::default(),
            parts: Vec::new(),
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// It is none, of another version, or contradicts itself.
    pub fn read(text: &[u8]) -> Result<Self, ArchiveError> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let refused = |error: serde_json::Error| ArchiveError::Manifest(error.to_string());
        let head: Head = serde_json::from_slice(text).map_err(refused)?;
        if head.format != FORMAT {
            return Err(ArchiveError::Manifest(format!("its format is not {FORMAT}")));
        }
        if head.version != VERSION {
            return Err(ArchiveError::Manifest(format!("its version is {}, and {VERSION} is known", head.version)));
        }
        let manifest: Self = serde_json::from_slice(text).map_err(refused)?;
        manifest.contradiction().map_or(Ok(manifest), |what| Err(ArchiveError::Manifest(what)))
    }

    /// The table's files.
    pub fn parts_of(&self, table: Table) -> impl DoubleEndedIterator<Item = &Part> {
        self.parts.iter().filter(move |part| part.table == table)
    }

    /// Takes a file in.
    pub fn add(&mut self, part: Part) {
        *self.totals.of(part.table) += part.rows;
        self.parts.push(part);
    }

    fn contradiction(&self) -> Option<String> {
        let mut totals = Totals::default();
        for table in Table::ALL {
            let mut last = None;
            for (at, part) in self.parts_of(table).enumerate() {
                if part.name != Part::name(table, at + 1) {
                    return Some(format!("a file of {table} has the name {:?}", part.name));
                }
                if part.first_id > part.last_id || last.is_some_and(|last| last >= part.first_id) {
                    return Some(format!("the ids of {} are out of order", part.name));
                }
                last = Some(part.last_id);
                *totals.of(table) = totals.of(table).saturating_add(part.rows);
            }
        }
        (totals != self.totals).then(|| "its totals are not those of its files".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let window = Window { from: DateTime::UNIX_EPOCH, to: Utc::now() };
        let mut manifest = Manifest::begin(ProjectId::generate(), window);
        for (number, first) in [(1, 10), (2, 20)] {
            manifest.add(Part {
                name: Part::name(Table::Events, number),
                table: Table::Events,
                rows: 5,
                first_id: EventId::from_bits(first),
                last_id: EventId::from_bits(first + 5),
                bytes: 100,
                raw_bytes: 1_000,
                sha256: String::new(),
            });
        }
        manifest
    }

    fn read(changed: impl FnOnce(&mut Manifest)) -> Result<Manifest, String> {
        let mut manifest = manifest();
        changed(&mut manifest);
        Manifest::read(&serde_json::to_vec(&manifest).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read() {
        let written = manifest();
        assert_eq!(Manifest::read(&serde_json::to_vec(&written).unwrap()).unwrap(), written);
        assert_eq!((written.totals.events, written.totals.rows()), (10, 10));
    }

    #[test]
    fn what_is_none_or_contradicts_itself_is_refused() {
        type Change = fn(&mut Manifest);
        let cases: [(Change, &str); 6] = [
            (|m| m.format = "tar".into(), "format"),
            (|m| m.version = 2, "version is 2"),
            (|m| m.totals.events = 11, "totals"),
            (|m| m.parts[1].name = "../../etc/passwd".into(), "has the name"),
            (|m| m.parts.swap(0, 1), "has the name"),
            (|m| m.parts[1].first_id = EventId::from_bits(15), "out of order"),
        ];
        for (change, part) in cases {
            let error = read(change).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert!(Manifest::read(b"{}").is_err() && Manifest::read(b"").is_err());
    }
}
