//! One schedule, for one term of leadership: apalis-cron says when to look, the ledger says which ticks are due. A tick is
//! noted, enqueued, and marked, in this order, so that a crash in between neither loses nor doubles it.

use std::time::Duration;

use apalis_cron::CronScheduler;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use posthouse_jobs::Queues;
use posthouse_schema::{lease::FencingToken, pool::Pool, schedule};

use super::{leader::LEASE, schedules::Schedule};
use crate::error::WorkerError;

/// Longest sleep between two looks, whatever the clock was when the sleep began.
const LOOK_MAX: Duration = Duration::from_mins(1);

/// What a look at the ledger found.
enum Look {
    /// The ticks that were due are enqueued; the next is due then.
    Done(Option<DateTime<Utc>>),
    /// A later term has begun.
    Over,
}

/// Enqueues the schedule's ticks for as long as it is polled. Returns only when the term is over.
pub async fn tick(pool: &Pool, queues: &Queues, schedule: &Schedule, token: FencingToken) {
    loop {
        // A new stream each time: one whose tick is past yields the same error for ever.
        let mut wakes = std::pin::pin!(CronScheduler::new(schedule.cron.clone()).into_stream());
        loop {
            let next = match work(pool, queues, schedule, token, Utc::now()).await {
                Ok(Look::Done(next)) => next,
                Ok(Look::Over) => return,
                Err(error) => {
                    tracing::warn!(schedule = schedule.name, error = %error, "Ticks could not be enqueued yet.");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    break;
                }
            };
            let until_next = next.and_then(|next| (next - Utc::now()).to_std().ok()).unwrap_or(LOOK_MAX).min(LOOK_MAX);
            tokio::select! {
                wake = wakes.next() => if !matches!(wake, Some(Ok(_))) { break },
                // A tick with jitter is due after it has come.
                () = tokio::time::sleep(until_next) => {}
            }
        }
    }
}

/// Enqueues what is due at `now`.
async fn work(
    pool: &Pool,
    queues: &Queues,
    schedule: &Schedule,
    token: FencingToken,
    now: DateTime<Utc>,
) -> Result<Look, WorkerError> {
    let mut conn = pool.get().await?;
    for tick in schedule::interrupted_ticks(&mut conn, schedule.name).await? {
        schedule.enqueue(queues, tick).await?;
        schedule::mark_enqueued(&mut conn, schedule.name, tick).await?;
    }
    // It was announced at the beginning of the term.
    let Some(standing) = schedule::standing(&mut conn, schedule.name).await? else { return Ok(Look::Over) };
    let due = schedule.due(standing, now);
    for tick in due.ticks.iter().copied() {
        if !schedule::note_tick(&mut conn, schedule.name, tick, (LEASE, token)).await? {
            return Ok(Look::Over);
        }
        schedule.enqueue(queues, tick).await?;
        schedule::mark_enqueued(&mut conn, schedule.name, tick).await?;
        tracing::info!(schedule = schedule.name, tick = %tick, "A tick was enqueued.");
    }
    if !due.ticks.is_empty() {
        schedule::expect_next(&mut conn, schedule.name, schedule.next_after(now)).await?;
    }
    Ok(Look::Done(due.next))
}
