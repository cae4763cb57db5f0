//! Periodic jobs: exactly one scheduler of a deployment is active, and it only enqueues; workers do the work.

pub mod config;
pub mod leader;
mod ledger_metrics;
pub mod metrics;
mod requests;
pub mod schedules;
#[cfg(test)]
mod simulation_tests;
mod ticks;

use std::time::Duration;

use chrono::Utc;
use futures::{StreamExt as _, stream::FuturesUnordered};
use posthouse_jobs::Queues;
use posthouse_schema::{lease::FencingToken, pool::Pool, schedule};
use posthouse_service::metrics::Metrics;
use tokio_util::sync::CancellationToken;

use self::{
    leader::{LEASE, LedgerLease},
    ledger_metrics::LedgerMetrics,
    metrics::SchedulerMetrics,
    schedules::Schedule,
};
use crate::error::WorkerError;

/// Between two tries to say which schedules there are.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs the schedules whenever this instance holds the lease, until `shutdown`.
pub async fn run(
    (pool, queues): (&Pool, &Queues),
    schedules: &[Schedule],
    holder: &str,
    (metrics, own): (&Metrics, &SchedulerMetrics),
    shutdown: &CancellationToken,
) {
    let (lease, ledger) = (LedgerLease(pool), LedgerMetrics::new(metrics));
    let leading = leader::lead(&lease, holder, shutdown, |token| async move {
        let _term = own.lead(token);
        if !announce(pool, schedules, holder, token).await {
            return;
        }
        let mut ticking: FuturesUnordered<_> =
            schedules.iter().map(|schedule| ticks::tick(pool, queues, schedule, token)).collect();
        tokio::select! {
            // The first to end has seen a later term: none of the others may go on.
            _ = ticking.next() => {}
            () = requests::serve(pool, queues, schedules) => {}
        }
    });
    tokio::join!(leading, ledger.watch(pool, schedules, shutdown));
}

/// Says which schedules there are, as soon as the ledger takes it. `false`: a later term has begun.
async fn announce(pool: &Pool, schedules: &[Schedule], holder: &str, token: FencingToken) -> bool {
    let now = Utc::now();
    let all: Vec<_> = schedules.iter().map(|schedule| schedule.announced(now)).collect();
    loop {
        let announced = async {
            let mut conn = pool.get().await?;
            Ok::<_, WorkerError>(schedule::announce(&mut conn, &all, holder, (LEASE, token)).await?)
        };
        match announced.await {
            Ok(is_current) => return is_current,
            Err(error) => {
                tracing::warn!(error = %error, "The schedules could not be announced yet.");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
