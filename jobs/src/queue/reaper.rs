//! Heartbeats, and the jobs of workers whose heartbeat stopped. A worker takes over from others only after its own
//! heartbeat has been steady for a whole lease: after an outage of Redis everybody's is old, and nobody is dead.

use std::sync::Arc;

use redis::RedisResult;
use tokio::time::{Duration, Instant, sleep};

use super::{
    hub::Hub,
    outage::Outage,
    script::{Call, EXPIRED, REAP},
    settings::{DEAD_MAX, LOSSES_MAX},
};

/// Jobs given back in one call.
const REAP_BATCH: usize = 500;
const RETRY: Duration = Duration::from_millis(250);

/// Keeps the worker registered and takes over from dead ones, for as long as it is polled.
pub(crate) async fn keep_registered(hub: Arc<Hub>) {
    let mut outage = Outage::new("The heartbeat", hub.queue);
    let mut steady_since: Option<Instant> = None;
    let mut last_beat: Option<Instant> = None;
    loop {
        let pause = match beat(&hub).await {
            Ok(known) => {
                outage.succeeded();
                // A gap of our own (a stopped process, a full machine) may be everybody's.
                let gap = last_beat.replace(Instant::now()).is_none_or(|beat| beat.elapsed() >= hub.settings.lease);
                if gap || !known {
                    steady_since = None;
                }
                hub.settings.heartbeat
            }
            Err(error) => {
                outage.failed(&error);
                (steady_since, last_beat) = (None, None);
                RETRY.min(hub.settings.heartbeat)
            }
        };
        if last_beat.is_some()
            && steady_since.get_or_insert_with(Instant::now).elapsed() >= hub.settings.lease
            && let Err(error) = take_over(&hub).await
        {
            tracing::warn!(queue = hub.queue, %error, "Looking for jobs of dead workers failed.");
        }
        sleep(pause).await;
    }
}

/// One heartbeat; `false` when the worker had to register again.
async fn beat(hub: &Hub) -> RedisResult<bool> {
    let lease = hub.registration.current();
    if hub.registration.beat(&lease).await? {
        return Ok(true);
    }
    hub.registration.renew(&lease).await?;
    tracing::info!(queue = hub.queue, worker = hub.registration.current().name, "Registered as a worker.");
    Ok(false)
}

async fn take_over(hub: &Hub) -> RedisResult<()> {
    let lease_ms = u64::try_from(hub.settings.lease.as_millis()).unwrap_or(u64::MAX);
    let mut expired = Call::new(&EXPIRED, &[&hub.keys.workers(), &hub.keys.reaping()]);
    let names: Vec<String> = expired.arg(lease_ms).run(&mut hub.connection.link()).await?;
    for name in names {
        let reap = reap(hub, &name, lease_ms);
        let mut jobs: usize = 0;
        loop {
            let given_back: i64 = reap.run(&mut hub.connection.link()).await?;
            jobs += usize::try_from(given_back).unwrap_or(0);
            // Fewer than a batch: none is left, or the worker lives after all.
            if usize::try_from(given_back).unwrap_or(0) < REAP_BATCH {
                break;
            }
        }
        tracing::warn!(queue = hub.queue, worker = name, jobs, "A worker is dead; its jobs are ready again.");
    }
    Ok(())
}

/// The call that gives a batch of a worker's jobs back if its heartbeat is older than `lease_ms`.
pub(super) fn reap(hub: &Hub, name: &str, lease_ms: u64) -> Call {
    let keys = &hub.keys;
    let mut reap = Call::new(
        &REAP,
        &[
            &keys.workers(),
            &keys.reaping(),
            &keys.worker(name),
            &keys.leases(name),
            &keys.ready(),
            &keys.jobs(),
            &keys.tries(),
            &keys.losses(),
            &keys.dead(),
            &keys.dead_jobs(),
            &keys.dead_reasons(),
            &keys.stats(),
            &keys.lanes(),
        ],
    );
    reap.arg(name).arg(lease_ms).arg(REAP_BATCH).arg(keys.wake()).arg(DEAD_MAX).arg(LOSSES_MAX);
    reap
}
