//! Writes an archive: table by table, page by page, and each file whole before the manifest names it. An export that was
//! stopped goes on after the last file that the manifest names.

use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound as _, Utc};
use posthouse_schema::{
    archive::{Archived, ArchivedAttempt, ArchivedDelivery, ArchivedEvent, Span},
    ids::{EventId, ProjectId},
    pool::Pool,
};

use crate::{
    Progress,
    error::ArchiveError,
    manifest::{Manifest, Part, Table},
    part::PartWriter,
    store::Store,
};

/// Bytes of a file before compression, about.
pub const PART_BYTES: u64 = 32 << 20;
const PAGE_ROWS: i64 = 1_000;
/// The longest rest between two pages.
const REST_MAX: Duration = Duration::from_secs(1);

/// From when, and before when, what is exported was made: events when they were accepted, deliveries when their events were,
/// attempts when they began. In whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first instant.
    pub from: DateTime<Utc>,
    /// The first instant that is no longer in it.
    pub to: DateTime<Utc>,
}

/// What is to be exported.
#[derive(Debug, Clone, Copy)]
pub struct Export {
    /// The project.
    pub project: ProjectId,
    /// The window; `None` goes on with that of the archive that is there, and takes everything up to now where there is none.
    pub window: Option<Window>,
    /// Bytes after which a file is ended, before compression; [`PART_BYTES`] unless there is a reason.
    pub part_bytes: u64,
}

/// An export that has ended.
#[derive(Debug, Clone)]
pub struct Exported {
    /// The archive.
    pub manifest: Manifest,
    /// How many of its files an earlier run had written.
    pub found_parts: usize,
}

/// Exports to the place, or goes on with what an earlier run of the same export left there. Reading rests between two pages
/// as long as a page took, so that it never takes more than half of what one connection can.
///
/// # Errors
/// The database or the store fails, or the place holds an archive of something else. The same call goes on.
pub async fn export(
    pool: &Pool,
    store: &Store,
    export: Export,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Exported, ArchiveError> {
    let mut manifest = match store.manifest().await? {
        Some(manifest) => same(manifest, export)?,
        None => {
            let everything = || Window { from: DateTime::UNIX_EPOCH, to: Utc::now() };
            let window = export.window.unwrap_or_else(everything);
            let window = Window { from: window.from.trunc_subsecs(3), to: window.to.trunc_subsecs(3) };
            Manifest::begin(export.project, window)
        }
    };
    let found_parts = manifest.parts.len();
    if manifest.completed_at.is_some() {
        return Ok(Exported { manifest, found_parts });
    }
    // Before the first row: what cannot be written shows at once.
    store.put_manifest(&manifest).await?;
    let mut run = Run { pool, store, part_bytes: export.part_bytes, manifest: &mut manifest, progress };
    run.table::<ArchivedEvent>(Table::Events).await?;
    run.table::<ArchivedDelivery>(Table::EventDeliveries).await?;
    run.table::<ArchivedAttempt>(Table::DeliveryAttempts).await?;
    manifest.completed_at = Some(Utc::now());
    store.put_manifest(&manifest).await?;
    Ok(Exported { manifest, found_parts })
}

/// The manifest, if it is of this export.
fn same(manifest: Manifest, export: Export) -> Result<Manifest, ArchiveError> {
    if manifest.project_id != export.project {
        return Err(ArchiveError::Other(format!("it is of the project {}", manifest.project_id)));
    }
    let is_same = export.window.is_none_or(|window| {
        (window.from.trunc_subsecs(3), window.to.trunc_subsecs(3)) == (manifest.from, manifest.to)
    });
    if is_same {
        return Ok(manifest);
    }
    Err(ArchiveError::Other(format!("it is of the time from {} to {}", manifest.from, manifest.to)))
}

struct Run<'r> {
    pool: &'r Pool,
    store: &'r Store,
    part_bytes: u64,
    manifest: &'r mut Manifest,
    progress: &'r mut (dyn FnMut(Progress) + Send),
}

impl Run<'_> {
    async fn table<T: Archived>(&mut self, table: Table) -> Result<(), ArchiveError> {
        let failed = |error| ArchiveError::Row(table, error);
        let mut numbers = self.manifest.parts_of(table).count();
        let begin = EventId::first_at(self.manifest.from).to_bits();
        let reached = self.manifest.parts_of(table).last().map(|part| part.last_id.to_bits());
        let mut span = Span {
            project: self.manifest.project_id,
            after: reached.unwrap_or_else(|| begin.saturating_sub(1)),
            before: EventId::first_at(self.manifest.to).to_bits(),
        };
        let mut is_over = false;
        while !is_over {
            let mut writer = PartWriter::new(table).map_err(failed)?;
            while writer.raw_bytes() < self.part_bytes {
                let rows: Vec<T> = page(self.pool, span).await?;
                let Some(last) = rows.last() else {
                    is_over = true;
                    break;
                };
                span.after = last.id();
                writer = compressed(writer, rows).await.map_err(failed)?;
                self.tell(table, writer.rows(), span.after);
            }
            if !writer.is_empty() {
                numbers += 1;
                let (part, file) = writer.finish(numbers).map_err(failed)?;
                self.keep(part, file).await?;
            }
        }
        Ok(())
    }

    async fn keep(&mut self, part: Part, file: bytes::Bytes) -> Result<(), ArchiveError> {
        self.store.put(&part.name, file).await?;
        tracing::debug!(part = part.name, rows = part.rows, bytes = part.bytes, "A file of an archive was written.");
        self.manifest.add(part);
        self.store.put_manifest(self.manifest).await
    }

    fn tell(&mut self, table: Table, unwritten: u64, reached: u128) {
        let of = |time: DateTime<Utc>| time.timestamp_millis();
        let first = self.manifest.parts.first().map(|part| part.first_id.created_at());
        let begin = of(first.map_or(self.manifest.from, |first| first.max(self.manifest.from)));
        let (at, end) = (of(EventId::from_bits(reached).created_at()), of(self.manifest.to));
        #[expect(clippy::cast_precision_loss, reason = "a bar has no digits to lose")]
        let of_table = ((at - begin) as f64 / (end - begin).max(1) as f64).clamp(0.0, 1.0);
        let before = match table {
            Table::Events => 0.0,
            Table::EventDeliveries => 1.0,
            Table::DeliveryAttempts => 2.0,
        };
        let rows = self.manifest.totals.rows() + unwritten;
        (self.progress)(Progress { table, rows, fraction: (before + of_table) / 3.0 });
    }
}

/// Reads a page, and rests.
async fn page<T: Archived>(pool: &Pool, span: Span) -> Result<Vec<T>, ArchiveError> {
    let began = Instant::now();
    let mut conn = pool.get().await?;
    let rows = T::page(&mut conn, span, PAGE_ROWS).await?;
    drop(conn);
    tokio::time::sleep(began.elapsed().min(REST_MAX)).await;
    Ok(rows)
}

/// Compresses rows where that holds up nobody.
async fn compressed<T: Archived>(mut writer: PartWriter, rows: Vec<T>) -> std::io::Result<PartWriter> {
    let compressing = tokio::task::spawn_blocking(move || writer.add(&rows).map(|()| writer));
    compressing.await.map_err(std::io::Error::other)?
}
