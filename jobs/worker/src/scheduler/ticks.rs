//! One schedule, for one term of leadership: apalis-cron says when to look, the ledger says which ticks are due. A tick is
//! noted, enqueued, and marked, in this order, so that a crash in between neither loses nor doubles it.

use apalis_cron::CronScheduler;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use posthouse_jobs::Queues;
use posthouse_schema::{lease::FencingToken, pool::Pool, schedule};

use super::{leader::LEASE, schedules::Schedule};
use crate::error::WorkerError;

/// Enqueues the schedule's ticks for as long as it is polled. Returns only when the term is over.
pub async fn tick(pool: &Pool, queues: &Queues, schedule: &Schedule, token: FencingToken) {
    loop {
        // A new stream each time: one whose tick is past yields the same error for ever.
        let mut wakes = std::pin::pin!(CronScheduler::new(schedule.cron.clone()).into_stream());
        loop {
            match work(pool, queues, schedule, token, Utc::now()).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(schedule = schedule.name, error = %error, "Ticks could not be enqueued yet.");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    break;
                }
            }
            if !matches!(wakes.next().await, Some(Ok(_))) {
                break;
            }
        }
    }
}

/// Enqueues what is due at `now`. `false`: a later term has begun.
async fn work(
    pool: &Pool,
    queues: &Queues,
    schedule: &Schedule,
    token: FencingToken,
    now: DateTime<Utc>,
) -> Result<bool, WorkerError> {
    let mut conn = pool.get().await?;
    for tick in schedule::interrupted_ticks(&mut conn, schedule.name).await? {
        schedule.enqueue(queues, tick).await?;
        schedule::mark_enqueued(&mut conn, schedule.name, tick).await?;
    }
    // Before its first tick a schedule has missed nothing.
    let last = schedule::last_tick(&mut conn, schedule.name).await?.unwrap_or(now - chrono::TimeDelta::seconds(1));
    for tick in schedule.due(last, now) {
        if !schedule::note_tick(&mut conn, schedule.name, tick, (LEASE, token)).await? {
            return Ok(false);
        }
        schedule.enqueue(queues, tick).await?;
        schedule::mark_enqueued(&mut conn, schedule.name, tick).await?;
        tracing::info!(schedule = schedule.name, tick = %tick, "A tick was enqueued.");
    }
    Ok(true)
}
