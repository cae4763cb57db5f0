//! One file: lines of JSON, compressed.

use std::io::{self, Read as _, Write as _};

use bytes::Bytes;
use posthouse_schema::{archive::Archived, ids::EventId};
use sha2::{Digest as _, Sha256};
use zstd::stream::{read::Decoder, write::Encoder};

use crate::{
    error::ArchiveError,
    manifest::{Part, Table},
};

/// Bytes that a file can have which we have written, not compressed: the last of its rows may be large.
const RAW_BYTES_MAX: u64 = 1 << 30;
const LEVEL: i32 = 3;

/// A file that is being written, in memory.
pub struct PartWriter {
    encoder: Encoder<'static, Vec<u8>>,
    table: Table,
    rows: u64,
    raw_bytes: u64,
    ids: Option<(u128, u128)>,
}

impl PartWriter {
    /// An empty one.
    ///
    /// # Errors
    /// The compressor refuses.
    pub fn new(table: Table) -> io::Result<Self> {
        let mut encoder = Encoder::new(Vec::new(), LEVEL)?;
        encoder.include_checksum(true)?;
        Ok(Self { encoder, table, rows: 0, raw_bytes: 0, ids: None })
    }

    /// Bytes that were put into it, before compression.
    pub const fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }

    /// Whether nothing is in it.
    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Rows that are in it.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends rows, whose ids come after those that are in it.
    ///
    /// # Errors
    /// A row cannot be written.
    pub fn add<T: Archived>(&mut self, rows: &[T]) -> io::Result<()> {
        for row in rows {
            let mut line = serde_json::to_vec(row)?;
            line.push(b'\n');
            self.encoder.write_all(&line)?;
            self.raw_bytes += u64::try_from(line.len()).unwrap_or(u64::MAX);
            self.rows += 1;
            let first = self.ids.map_or(row.id(), |(first, _)| first);
            self.ids = Some((first, row.id()));
        }
        Ok(())
    }

    /// The file, and what the manifest says of it.
    ///
    /// # Errors
    /// The compressor refuses.
    pub fn finish(self, number: usize) -> io::Result<(Part, Bytes)> {
        let file = self.encoder.finish()?;
        let (first, last) = self.ids.unwrap_or_default();
        let part = Part {
            name: Part::name(self.table, number),
            table: self.table,
            rows: self.rows,
            first_id: EventId::from_bits(first),
            last_id: EventId::from_bits(last),
            bytes: u64::try_from(file.len()).unwrap_or(u64::MAX),
            raw_bytes: self.raw_bytes,
            sha256: hex::encode(Sha256::digest(&file)),
        };
        Ok((part, file.into()))
    }
}

/// The lines of a file that is what the manifest says of it.
///
/// # Errors
/// It is not.
pub fn open(part: &Part, file: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let tampered = |what: String| ArchiveError::Tampered { name: part.name.clone(), what };
    let length = u64::try_from(file.len()).unwrap_or(u64::MAX);
    if length != part.bytes {
        return Err(tampered(format!("it has {length} bytes instead of {}", part.bytes)));
    }
    if !hex::encode(Sha256::digest(file)).eq_ignore_ascii_case(&part.sha256) {
        return Err(tampered("its SHA-256 is another one".into()));
    }
    if part.raw_bytes > RAW_BYTES_MAX {
        return Err(ArchiveError::TooLarge(part.name.clone()));
    }
    let mut lines = Vec::new();
    let decoder = Decoder::with_buffer(file).map_err(|error| tampered(error.to_string()))?;
    // One byte more than there may be shows that there are more.
    decoder.take(part.raw_bytes + 1).read_to_end(&mut lines).map_err(|error| tampered(error.to_string()))?;
    if u64::try_from(lines.len()).unwrap_or(u64::MAX) != part.raw_bytes {
        return Err(tampered(format!("it does not hold the {} bytes that it should", part.raw_bytes)));
    }
    Ok(lines)
}

/// The rows of a file's lines, one after the other.
pub fn rows<'l, T: Archived>(part: &'l Part, lines: &'l [u8]) -> impl Iterator<Item = Result<T, ArchiveError>> + 'l {
    lines.split_inclusive(|byte| *byte == b'\n').map(|line| {
        serde_json::from_slice(line)
            .map_err(|error| ArchiveError::Tampered { name: part.name.clone(), what: format!("a row: {error}") })
    })
}

/// Whether each of the file's rows can be read, and they are those that the manifest says.
///
/// # Errors
/// They are not.
pub fn check<T: Archived>(part: &Part, lines: &[u8]) -> Result<(), ArchiveError> {
    let tampered = |what: &str| ArchiveError::Tampered { name: part.name.clone(), what: what.into() };
    let (mut count, mut last) = (0, None);
    for row in rows::<T>(part, lines) {
        let id = row?.id();
        let is_first_right = count > 0 || id == part.first_id.to_bits();
        if !is_first_right || last.is_some_and(|last| last >= id) {
            return Err(tampered("its rows are out of order"));
        }
        (count, last) = (count + 1, Some(id));
    }
    if count != part.rows || last != Some(part.last_id.to_bits()) {
        return Err(tampered("its rows are not those that were exported"));
    }
    Ok(())
}
