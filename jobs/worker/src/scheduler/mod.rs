//! Periodic jobs: exactly one scheduler of a deployment is active, and it only enqueues; workers do the work.

pub mod config;
pub mod leader;
pub mod metrics;
pub mod schedules;
mod ticks;

use futures::{StreamExt as _, stream::FuturesUnordered};
use posthouse_jobs::Queues;
use posthouse_schema::pool::Pool;
use tokio_util::sync::CancellationToken;

use self::{metrics::SchedulerMetrics, schedules::Schedule};

/// Runs the schedules whenever this instance holds the lease, until `shutdown`.
pub async fn run(
    pool: &Pool,
    queues: &Queues,
    schedules: &[Schedule],
    holder: &str,
    metrics: &SchedulerMetrics,
    shutdown: &CancellationToken,
) {
    leader::lead(pool, holder, shutdown, |token| async move {
        let _term = metrics.lead(token);
        let mut ticking: FuturesUnordered<_> =
            schedules.iter().map(|schedule| ticks::tick(pool, queues, schedule, token)).collect();
        // The first to end has seen a later term: none of the others may go on.
        ticking.next().await;
    })
    .await;
}

/// A name for this instance that no other has: two of one host may start in the same second.
#[must_use]
pub fn holder() -> String {
    format!("{}-{:08x}", std::process::id(), rand::random::<u32>())
}
