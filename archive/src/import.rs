//! Restores an archive. Every file is verified before the first row is written; rows keep their ids, and those whose ids are
//! there are left alone, so that an import can be repeated.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use posthouse_schema::{
    DatabaseErrorKind, QueryError,
    archive::{self, Archived, ArchivedAttempt, ArchivedDelivery, ArchivedEvent, Unfinished},
    ids::ProjectId,
    partitions,
    pool::Pool,
    project::Project,
};

use crate::{
    Progress,
    error::ArchiveError,
    manifest::{Manifest, Part, Table, Totals},
    part,
    store::Store,
};

/// Rows of one statement, and their bytes, about.
const BATCH_ROWS: usize = 500;
const BATCH_BYTES: usize = 4 << 20;
/// Deliveries come before their events, and attempts before their deliveries: an event that is seen has what it was matched to.
const ORDER: [Table; 3] = [Table::DeliveryAttempts, Table::EventDeliveries, Table::Events];
/// Days of one file: more are no file of ours.
const DAYS_MAX: i64 = 20_000;

/// How an archive is restored.
#[derive(Debug, Clone, Copy)]
pub struct Import {
    /// The project to restore into; `None` for that of the archive.
    pub project: Option<ProjectId>,
    /// What becomes of deliveries that had not ended.
    pub unfinished: Unfinished,
}

/// An import that has ended.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The archive.
    pub manifest: Manifest,
    /// The project restored into.
    pub project: ProjectId,
    /// Rows that were written; the others were there.
    pub written: Totals,
    /// Days whose partitions were made.
    pub days: Vec<NaiveDate>,
}

/// Verifies an archive, all of it: that it is complete, that each file is what was exported, and that each row can be read.
///
/// # Errors
/// It is not, or the store fails.
pub async fn verify(store: &Store, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<Manifest, ArchiveError> {
    let manifest = store.manifest().await?.ok_or(ArchiveError::Missing)?;
    if manifest.completed_at.is_none() {
        return Err(ArchiveError::Incomplete);
    }
    let mut rows = 0;
    for part in &manifest.parts {
        let lines = lines(store, part).await?;
        match part.table {
            Table::Events => part::check::<ArchivedEvent>(part, &lines)?,
            Table::EventDeliveries => part::check::<ArchivedDelivery>(part, &lines)?,
            Table::DeliveryAttempts => part::check::<ArchivedAttempt>(part, &lines)?,
        }
        rows += part.rows;
        progress(of(&manifest, part.table, rows));
    }
    Ok(manifest)
}

/// Verifies the archive, and restores it.
///
/// # Errors
/// It is not sound, and nothing is written; the project is not there; or the database or the store fails, and what was written
/// stays: the same call goes on.
pub async fn import(
    pool: &Pool,
    store: &Store,
    import: Import,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Imported, ArchiveError> {
    let manifest = verify(store, progress).await?;
    let project = import.project.unwrap_or(manifest.project_id);
    if Project::find(&mut *pool.get().await?, project).await?.is_none() {
        return Err(ArchiveError::NoProject);
    }
    let days = make_days(pool, &manifest).await?;
    let into = Into { pool, project, unfinished: import.unfinished };
    let (mut written, mut rows) = (Totals::default(), 0);
    for table in ORDER {
        for part in manifest.parts_of(table) {
            let lines = lines(store, part).await?;
            *written.of(table) += match table {
                Table::Events => into.restore::<ArchivedEvent>(part, &lines).await?,
                Table::EventDeliveries => into.restore::<ArchivedDelivery>(part, &lines).await?,
                Table::DeliveryAttempts => into.restore::<ArchivedAttempt>(part, &lines).await?,
            };
            rows += part.rows;
            progress(of(&manifest, table, rows));
        }
    }
    if let (Some(first), Some(last)) = (first_day(&manifest), last_day(&manifest)) {
        archive::forget_day_counts(&mut *pool.get().await?, project, (first, last)).await?;
    }
    Ok(Imported { manifest, project, written, days })
}

async fn lines(store: &Store, part: &Part) -> Result<Vec<u8>, ArchiveError> {
    let file = store.get(&part.name).await?;
    part::open(part, &file)
}

#[expect(clippy::cast_precision_loss, reason = "a bar has no digits to lose")]
fn of(manifest: &Manifest, table: Table, rows: u64) -> Progress {
    Progress { table, rows, fraction: rows as f64 / manifest.totals.rows().max(1) as f64 }
}

fn first_day(manifest: &Manifest) -> Option<NaiveDate> {
    manifest.parts_of(Table::Events).next().map(|part| part.first_id.created_at().date_naive())
}

fn last_day(manifest: &Manifest) -> Option<NaiveDate> {
    manifest.parts_of(Table::Events).next_back().map(|part| part.last_id.created_at().date_naive())
}

/// Makes the partitions of the archive's days that are missing. Where the default partition has rows of a day by now, that is
/// where the day's others go.
async fn make_days(pool: &Pool, manifest: &Manifest) -> Result<Vec<NaiveDate>, ArchiveError> {
    let mut days = BTreeSet::new();
    for part in &manifest.parts {
        let [first, last] = [part.first_id, part.last_id].map(|id| id.created_at().date_naive());
        if (last - first).num_days() > DAYS_MAX {
            let what = "its ids are of more days than an archive can have".into();
            return Err(ArchiveError::Tampered { name: part.name.clone(), what });
        }
        days.extend(first.iter_days().take_while(|day| *day <= last));
    }
    let mut conn = pool.get().await?;
    let mut made = Vec::new();
    for day in days {
        match partitions::make_between(&mut conn, day, day).await {
            Ok(new) if new.is_empty() => {}
            Ok(_) => made.push(day),
            Err(QueryError::DatabaseError(DatabaseErrorKind::CheckViolation, _)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(made)
}

struct Into<'i> {
    pool: &'i Pool,
    project: ProjectId,
    unfinished: Unfinished,
}

impl Into<'_> {
    async fn restore<T: Archived>(&self, part: &Part, lines: &[u8]) -> Result<u64, ArchiveError> {
        let (mut batch, mut bytes, mut written) = (Vec::new(), 0, 0);
        for row in part::rows::<T>(part, lines) {
            let row = row?;
            bytes += row.bytes();
            batch.push(row);
            if batch.len() >= BATCH_ROWS || bytes >= BATCH_BYTES {
                written += self.write(std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
        }
        if !batch.is_empty() {
            written += self.write(batch).await?;
        }
        Ok(written)
    }

    async fn write<T: Archived>(&self, batch: Vec<T>) -> Result<u64, ArchiveError> {
        let mut conn = self.pool.get().await?;
        let written = T::restore(&mut conn, self.project, batch, self.unfinished).await?;
        Ok(u64::try_from(written).unwrap_or(u64::MAX))
    }
}
