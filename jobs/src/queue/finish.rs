//! Tells Redis what became of jobs, in batches of whatever waits: an idle worker's single outcome goes at once. A batch is
//! repeated until Redis has answered it, and numbered so that it counts once.

use std::sync::Arc;

use chrono::Utc;
use tokio::{
    sync::mpsc,
    time::{Duration, sleep},
};

use super::{
    hub::Hub,
    lease::Lease,
    outage::Outage,
    outcome::{Outcome, backoff},
    places::Taken,
    push::due_ms,
    script::{Call, FINISH},
    settings::{BATCH_MAX, DEAD_MAX},
    slot::Finished,
};

const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(1);
/// A busy worker's outcomes add up for this long, where fewer wait: a batch costs Redis a dozen commands, whatever its size.
const GATHER: Duration = Duration::from_millis(1);
const GATHER_BELOW: usize = 64;
const DAY_SECONDS: i64 = 86_400;

/// Outcomes under one lease, in the order of the script's arguments.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) done: Vec<String>,
    pub(super) handed_back: Vec<String>,
    pub(super) later: Vec<(String, i64)>,
    pub(super) retried: Vec<(String, i64)>,
    pub(super) dead: Vec<(String, String)>,
    places: Vec<Taken>,
}

/// Sends outcomes until the worker is gone.
pub(crate) async fn finish_jobs(hub: Arc<Hub>, mut finished: mpsc::UnboundedReceiver<Finished>) {
    let mut outage = Outage::new("Acknowledging jobs", hub.queue);
    let mut waiting = Vec::with_capacity(BATCH_MAX);
    while finished.recv_many(&mut waiting, BATCH_MAX).await > 0 {
        if waiting.len() < GATHER_BELOW && hub.settings.concurrency - hub.slots.available_permits() > GATHER_BELOW {
            sleep(GATHER).await;
            waiting.extend(std::iter::from_fn(|| finished.try_recv().ok()).take(BATCH_MAX - GATHER_BELOW));
        }
        // Nearly always one lease; a second one appears after the worker was taken for dead.
        let mut batches: Vec<(Arc<Lease>, Batch)> = Vec::with_capacity(1);
        for one in waiting.drain(..) {
            let at = batches.iter().position(|(lease, _)| Arc::ptr_eq(lease, &one.lease)).unwrap_or_else(|| {
                batches.push((Arc::clone(&one.lease), Batch::default()));
                batches.len() - 1
            });
            if let Some((_, batch)) = batches.get_mut(at) {
                batch.add(&hub, one);
            }
        }
        for (lease, batch) in batches {
            send(&hub, &lease, &batch, &mut outage).await;
        }
    }
}

impl Batch {
    fn add(&mut self, hub: &Hub, finished: Finished) {
        let Finished { id, tries, outcome, place, .. } = finished;
        self.places.extend(place);
        match outcome {
            Outcome::Done => self.done.push(id),
            Outcome::HandedBack => self.handed_back.push(id),
            Outcome::Later(due) => self.later.push((id, due_ms(due))),
            Outcome::Dead(reason) => {
                tracing::warn!(queue = hub.queue, job.id = id, reason, "A job went to the dead letters.");
                self.dead.push((id, reason));
            }
            Outcome::Failed { reason, after } => {
                let failed = tries.saturating_add(1);
                if failed >= hub.settings.max_attempts {
                    tracing::warn!(
                        queue = hub.queue,
                        job.id = id,
                        tries = failed,
                        reason,
                        "A job went to the dead letters."
                    );
                    self.dead.push((id, reason));
                } else {
                    let wait = after.unwrap_or_else(|| backoff(&hub.settings, failed));
                    tracing::info!(
                        queue = hub.queue,
                        job.id = id,
                        tries = failed,
                        wait_ms = wait.as_millis(),
                        reason,
                        "A job failed and will be tried again."
                    );
                    self.retried.push((id, i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)));
                }
            }
        }
    }

    /// The call that applies the batch; run again, it changes nothing.
    pub(super) fn call(&self, hub: &Hub, lease: &Lease) -> Call {
        let keys = &hub.keys;
        let mut call = Call::new(
            &FINISH,
            &[
                &keys.workers(),
                &keys.worker(&lease.name),
                &keys.leases(&lease.name),
                &keys.jobs(),
                &keys.ready(),
                &keys.delayed(),
                &keys.tries(),
                &keys.losses(),
                &keys.dead(),
                &keys.dead_jobs(),
                &keys.dead_reasons(),
                &keys.stats(),
                &keys.lanes(),
            ],
        );
        call.arg(&lease.name).arg(lease.next_finish()).arg(keys.wake());
        call.arg(Utc::now().timestamp().div_euclid(DAY_SECONDS)).arg(DEAD_MAX);
        call.arg(self.done.len()).arg(self.handed_back.len());
        call.arg(self.later.len()).arg(self.retried.len()).arg(self.dead.len());
        call.arg(&self.done).arg(&self.handed_back);
        call.arg(&self.later).arg(&self.retried).arg(&self.dead);
        call
    }
}

/// The batch's places are given back when it is dropped, after this.
async fn send(hub: &Hub, lease: &Lease, batch: &Batch, outage: &mut Outage) {
    let call = batch.call(hub, lease);
    let mut pause = RETRY_MIN;
    loop {
        match call.run::<bool>(&mut hub.connection.link()).await {
            Ok(held) => {
                outage.succeeded();
                if !held {
                    tracing::warn!(
                        queue = hub.queue,
                        worker = lease.name,
                        jobs = batch.places.len(),
                        "Jobs were finished by a worker that had been taken for dead; they run again."
                    );
                }
                return;
            }
            Err(error) => outage.failed(&error),
        }
        sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}
