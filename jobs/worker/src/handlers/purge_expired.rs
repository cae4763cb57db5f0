//! Queue `purge_expired`.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use chrono::{Days, NaiveTime, TimeDelta, Utc};
use posthouse_jobs::PurgeExpired;
use posthouse_schema::{account_purge, audit_log, batch_run, partitions, rejected_message, schedule};

use crate::context::Context;

/// Rows of each kind that one statement deletes.
const ROWS_AT_ONCE: i64 = 1_000;

/// Makes the partitions of the coming days and drops those past their retention, with the batch runs of their time; deletes
/// sessions and tokens that are over, and refused messages and lines of the audit log that are too old.
///
/// # Errors
/// The database fails, or a lock was not free within a second; the job runs again and goes on where it stopped.
pub async fn purge_expired(job: PurgeExpired, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    let today = Utc::now().date_naive();
    let mut conn = context.pool.get().await?;
    let made = partitions::make_ahead(&mut conn, today, today).await?;
    let first_kept = today - Days::new(u64::from(job.retention_days));
    let dropped = partitions::drop_before(&mut conn, first_kept).await?;
    let kept_since = first_kept.and_time(NaiveTime::MIN).and_utc();
    batch_run::forget(&mut conn, kept_since).await?;
    schedule::forget_ticks(&mut conn, kept_since).await?;
    while account_purge::purge(&mut conn, ROWS_AT_ONCE).await? > 0 {}
    let rejected_days = job.rejected_retention_days.unwrap_or(job.retention_days);
    let oldest = Utc::now() - TimeDelta::days(rejected_days.into());
    while rejected_message::purge_all_projects(&mut conn, oldest, ROWS_AT_ONCE).await? > 0 {}
    if let Some(days) = job.audit_retention_days {
        let oldest = Utc::now() - TimeDelta::days(days.into());
        while audit_log::purge_all_projects(&mut conn, oldest, ROWS_AT_ONCE).await? > 0 {}
    }
    tracing::info!(made = made.len(), dropped = dropped.len(), first_kept = %first_kept, "Partitions were made and dropped.");
    Ok(())
}
