//! Runs that somebody asked for: noted in the ledger by whoever was asked, and enqueued by the active scheduler, which alone
//! knows what the jobs are told.

use std::time::Duration;

use posthouse_jobs::Queues;
use posthouse_schema::{pool::Pool, schedule};

use super::schedules::Schedule;
use crate::error::WorkerError;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Runs that one look takes; the next sees the rest.
const RUNS_MAX: i64 = 100;

/// Enqueues what is asked for, for as long as it is polled.
pub async fn serve(pool: &Pool, queues: &Queues, schedules: &[Schedule]) {
    loop {
        if let Err(error) = take(pool, queues, schedules).await {
            tracing::warn!(error = %error, "Runs that were asked for could not be enqueued yet.");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn take(pool: &Pool, queues: &Queues, schedules: &[Schedule]) -> Result<(), WorkerError> {
    let mut conn = pool.get().await?;
    for (name, tick) in schedule::requested_ticks(&mut conn, RUNS_MAX).await? {
        // One that a later or an earlier version knows waits for that.
        let Some(known) = schedules.iter().find(|schedule| schedule.name == name) else { continue };
        known.enqueue(queues, tick).await?;
        schedule::mark_enqueued(&mut conn, &name, tick).await?;
        tracing::info!(schedule = name, tick = %tick, "A run that was asked for was enqueued.");
    }
    Ok(())
}
