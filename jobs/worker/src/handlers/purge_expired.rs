//! Queue `purge_expired`.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use chrono::{Days, NaiveTime, Utc};
use posthouse_jobs::PurgeExpired;
use posthouse_schema::{batch_run, partitions};

use crate::context::Context;

/// Makes the partitions of the coming days and drops those past their retention, with the batch runs of their time.
///
/// # Errors
/// The database fails, or a lock was not free within a second; the job runs again and goes on where it stopped.
pub async fn purge_expired(job: PurgeExpired, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    let today = Utc::now().date_naive();
    let mut conn = context.pool.get().await?;
    let made = partitions::make_ahead(&mut conn, today, today).await?;
    let first_kept = today - Days::new(u64::from(job.retention_days));
    let dropped = partitions::drop_before(&mut conn, first_kept).await?;
    batch_run::forget(&mut conn, first_kept.and_time(NaiveTime::MIN).and_utc()).await?;
    tracing::info!(made = made.len(), dropped = dropped.len(), first_kept = %first_kept, "Partitions were made and dropped.");
    Ok(())
}
