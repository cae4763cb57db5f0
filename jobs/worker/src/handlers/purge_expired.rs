//! Queue `purge_expired`.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use chrono::{TimeDelta, Utc};
use posthouse_jobs::{Job as _, PurgeExpired};
use posthouse_schema::{
    account_purge, audit_log, batch_run, event_count,
    partitions::{self, Partition, PartitionedTable},
    rejected_message,
    retention::{self, InstanceRetention},
    schedule,
};
use serde_json::{Value, json};

use super::reported::reported;
use crate::context::Context;

/// Rows of each kind that one statement deletes.
const ROWS_AT_ONCE: i64 = 1_000;
/// How long it is remembered what became of schedules' runs.
const RUNS_KEPT: TimeDelta = TimeDelta::days(7);

/// Makes the partitions of the coming days, and takes what has expired: events with everything that belongs to them, batch runs
/// of their time, sessions and tokens that are over, refused messages and lines of the audit log that are too old.
///
/// # Errors
/// The database fails, or a coming day could not be made; the job runs again and goes on where it stopped.
pub async fn purge_expired(job: PurgeExpired, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    reported(&context, (PurgeExpired::QUEUE, job.tick), purge(&job, &context)).await
}

async fn purge(job: &PurgeExpired, context: &Context) -> Result<Value, BoxDynError> {
    let now = Utc::now();
    let mut conn = context.pool.get().await?;
    let made = partitions::make_ahead(&mut conn, now.date_naive(), now.date_naive()).await?;
    let horizon = InstanceRetention::new(
        job.retention_days,
        job.deliveries_retention_days,
        job.attempts_retention_days,
        job.payload_retention_days,
    )
    .horizon(now);
    // Afterwards it would be too late.
    for partition in partitions::list(&mut conn, PartitionedTable::Events).await? {
        if partition.day < horizon.events.date_naive() {
            event_count::count_day_all_projects(&mut conn, partition.day).await?;
        }
    }
    let purge = retention::purge_all_projects(&mut conn, &horizon, now).await?;
    let batch_runs = batch_run::forget(&mut conn, horizon.events).await?;
    let runs = schedule::forget_runs(&mut conn, now - RUNS_KEPT).await?;
    let sessions = account_purge::purge(&mut conn, ROWS_AT_ONCE).await?;
    let oldest = |days: u16| now - TimeDelta::days(days.into());
    let rejected_days = job.rejected_retention_days.unwrap_or(job.retention_days);
    let rejected = rejected_message::purge_all_projects(&mut conn, oldest(rejected_days), ROWS_AT_ONCE).await?;
    let audit_log_lines = match job.audit_log_retention_days {
        Some(days) => audit_log::purge_all_projects(&mut conn, oldest(days), ROWS_AT_ONCE).await?,
        None => 0,
    };
    let (dropped, busy) = (purge.dropped.len(), purge.busy.len());
    tracing::info!(made = made.len(), dropped, busy, rows = ?purge.rows, "What has expired was purged.");
    let names = |days: &[Partition]| days.iter().map(ToString::to_string).collect::<Vec<_>>();
    Ok(json!({
        "partitions_made": names(&made),
        "partitions_dropped": names(&purge.dropped),
        "partitions_busy": names(&purge.busy),
        "partitions_with_unfinished_deliveries": names(&purge.unfinished),
        "rows": purge.rows,
        "batch_runs": batch_runs,
        "schedule_runs": runs,
        "sessions_and_tokens": sessions,
        "rejected_messages": rejected,
        "audit_log_lines": audit_log_lines,
    }))
}
