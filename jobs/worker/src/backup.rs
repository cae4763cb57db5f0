//! The daily backup: every project's events of one day, each in a place of its own, `PLACE/PROJECT/DAY`. One project's failure
//! holds up no other, and what is complete is not done again.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use posthouse_archive::{ArchiveError, Export, PART_BYTES, Store, Window, export, forget_before};
use posthouse_jobs::BackUp;
use posthouse_schema::{ids::ProjectId, pool::Pool, project::Project};
use posthouse_service::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

use crate::error::WorkerError;

const PROJECTS_AT_ONCE: i64 = 100;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

/// What is counted of backups.
#[derive(Debug, Clone)]
pub struct BackupMetrics {
    archives: Family<Outcome, Counter>,
    completed_at: Gauge,
}

impl BackupMetrics {
    /// Registers them.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            archives: metrics.register("backup_archives", "Projects backed up, by result", Family::default()),
            completed_at: metrics.register(
                "backup_completed_timestamp_seconds",
                "When this worker last completed a backup of all projects, Unix time; 0 for never",
                Gauge::default(),
            ),
        }
    }

    fn count(&self, result: &'static str) {
        self.archives.get_or_create(&Outcome { result }).inc();
    }
}

/// The day that a backup of this tick is of: the last that is over.
#[must_use]
pub fn day_of(tick: DateTime<Utc>) -> NaiveDate {
    tick.date_naive() - Days::new(1)
}

/// Backs up the tick's day of every project.
///
/// # Errors
/// The place cannot be used, projects cannot be listed, or some could not be backed up: the job runs again, and goes on.
pub async fn back_up(pool: &Pool, metrics: &BackupMetrics, job: &BackUp) -> Result<(), WorkerError> {
    let began = tokio::time::Instant::now();
    let root = Store::open(&job.place)?;
    let day = day_of(job.tick.at);
    let (mut after, mut done, mut failed) = (ProjectId::NONE, 0_u32, 0_u32);
    loop {
        let projects = Project::list_ids_all_projects(&mut *pool.get().await?, after, PROJECTS_AT_ONCE).await?;
        let Some(last) = projects.last() else { break };
        after = *last;
        for project in projects {
            match back_up_project(pool, &root.within(&project.to_string()), project, (day, job.keep_days)).await {
                Ok(()) => {
                    done += 1;
                    metrics.count("success");
                }
                Err(error) => {
                    failed += 1;
                    metrics.count("failure");
                    let error = chain(&error);
                    tracing::warn!(project.id = %project, %day, error, "A project could not be backed up yet.");
                }
            }
        }
    }
    if failed > 0 {
        return Err(WorkerError::Backup(failed));
    }
    metrics.completed_at.set(Utc::now().timestamp());
    let took: Duration = began.elapsed();
    tracing::info!(%day, projects = done, duration_ms = took.as_millis(), "Every project was backed up.");
    Ok(())
}

async fn back_up_project(
    pool: &Pool,
    store: &Store,
    project: ProjectId,
    (day, keep_days): (NaiveDate, u16),
) -> Result<(), ArchiveError> {
    let from = day.and_time(NaiveTime::MIN).and_utc();
    let window = Some(Window { from, to: from + Days::new(1) });
    let request = Export { project, window, part_bytes: PART_BYTES };
    let exported = export(pool, &store.within(&day.to_string()), request, &mut |_| {}).await?;
    let totals = exported.manifest.totals;
    tracing::debug!(project.id = %project, %day, events = totals.events, "A project was backed up.");
    // Counted from the day of the backup, so that a late one of an old day does not remove newer ones.
    for old in forget_before(store, day - Days::new(u64::from(keep_days) - 1)).await? {
        tracing::info!(project.id = %project, day = %old, "An old backup was removed.");
    }
    Ok(())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
