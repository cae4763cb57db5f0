//! Deliveries in order: those to one endpoint whose events share an ordering key are sent one after the other. One that is not
//! the first of its line ends its job and waits in the ledger; whoever ends gives the next one a job again. Where that is lost
//! the sweep finds the first of the line overdue.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use posthouse_jobs::{DeliverEvent, Queues};
use posthouse_schema::{
    delivery_target::DeliveryTarget,
    event_delivery::{self, Hold, Outcome, OutgoingDelivery},
    ordering::Ordering,
    pool::Pool,
    words::{DeliveryStatus, FailingHead, HeldBy},
};

use crate::{
    batch::{BatchError, BatchLimits, Batcher},
    error::WorkerError,
};

const WAIT_LIMITS: BatchLimits = BatchLimits { items_max: 500, batches_max: 2 };
/// After this, one that waits is asked for by the sweep.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// How often, and after what pause, one is woken whose last job is just about to end.
const WAKES: (u32, Duration) = (20, Duration::from_millis(100));

type SharedError = Arc<WorkerError>;

/// The lines of all endpoints. Cheap to clone.
#[derive(Clone)]
pub struct Lines {
    pool: Pool,
    queues: Queues,
    waiter: Batcher<Hold, bool, SharedError>,
}

/// What becomes of a delivery's place after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It keeps it while it is unfinished.
    Kept,
    /// Those behind it need not wait for it any longer.
    Left,
}

impl Lines {
    /// Lines in this ledger; their batching lives on the current runtime.
    #[must_use]
    pub fn new(pool: Pool, queues: Queues) -> Self {
        let waiting = pool.clone();
        let waiter = Batcher::new(WAIT_LIMITS, move |holds: Vec<Hold>| {
            let pool = waiting.clone();
            async move { wait(&pool, holds).await.map_err(Arc::new) }
        });
        Self { pool, queues, waiter }
    }

    /// Whether the delivery has to wait, as is noted then: its job ends, and another one comes when its turn has come.
    ///
    /// # Errors
    /// The database fails.
    pub async fn waits(&self, delivery: &OutgoingDelivery) -> Result<bool, BatchError<SharedError>> {
        if delivery.ordering_key.is_none() || delivery.status.is_final() {
            return Ok(false);
        }
        let hold = Hold {
            project_id: delivery.project_id,
            id: delivery.id,
            by: HeldBy::Ordering,
            why: None,
            until: Utc::now() + WAIT_MAX,
            attempt_count: delivery.attempt_count,
        };
        self.waiter.submit(hold).await
    }

    /// Gives the first in the line of a delivery that has ended its job. A delivery without a line has nobody to wake.
    ///
    /// # Errors
    /// The database or the queue fails: the job of the delivery that has ended runs again.
    pub async fn wake_next(&self, ended: &OutgoingDelivery) -> Result<(), WorkerError> {
        let Some(job) = self.next(ended).await? else { return Ok(()) };
        if !self.queues.push(&job).await? {
            // It may be finding just now that it has to wait, and end without having seen that it need not.
            let (lines, ended) = (self.clone(), ended.clone());
            tokio::spawn(async move { lines.wake_again(&ended, &job).await });
        }
        Ok(())
    }

    async fn wake_again(&self, ended: &OutgoingDelivery, job: &DeliverEvent) {
        for _ in 0..WAKES.0 {
            tokio::time::sleep(WAKES.1).await;
            let is_next = self.next(ended).await.is_ok_and(|next| next.as_ref() == Some(job));
            if !is_next || self.queues.push(job).await.unwrap_or(false) {
                return;
            }
        }
    }

    async fn next(&self, ended: &OutgoingDelivery) -> Result<Option<DeliverEvent>, WorkerError> {
        let Some(key) = &ended.ordering_key else { return Ok(None) };
        let (project_id, endpoint) = (ended.project_id, ended.endpoint_id);
        let mut conn = self.pool.get().await?;
        let first = event_delivery::first_in_line(&mut conn, project_id, (endpoint, key)).await?;
        Ok(first.map(|event_delivery_id| DeliverEvent { project_id, event_delivery_id, endpoint_id: Some(endpoint) }))
    }

    /// Takes a delivery that goes on being tried out of its line, and lets the others go on.
    ///
    /// # Errors
    /// The database or the queue fails.
    pub async fn leave(&self, delivery: &OutgoingDelivery) -> Result<(), WorkerError> {
        let mut conn = self.pool.get().await?;
        event_delivery::leave_line(&mut conn, delivery.project_id, delivery.id).await?;
        drop(conn);
        self.wake_next(delivery).await
    }
}

/// Notes on those that are not the first of their lines that they wait; answers for each whether it does.
async fn wait(pool: &Pool, holds: Vec<Hold>) -> Result<Vec<bool>, WorkerError> {
    let mut conn = pool.get().await?;
    let asked: Vec<_> = holds.iter().map(|hold| (hold.project_id, hold.id)).collect();
    let waiting = event_delivery::waiting_in_line(&mut conn, &asked).await?;
    let held: Vec<Hold> = holds.into_iter().filter(|hold| waiting.contains(&hold.id)).collect();
    event_delivery::hold(&mut conn, &held).await?;
    Ok(asked.iter().map(|(_, id)| waiting.contains(id)).collect())
}

/// What becomes of the line of a delivery that is to be tried again, as its endpoint asks for; one that is given up for the
/// others' sake ends here.
#[must_use]
pub fn place_after(delivery: &OutgoingDelivery, target: &DeliveryTarget, outcome: &mut Outcome) -> Place {
    if delivery.ordering_key.is_none() || outcome.status != DeliveryStatus::Retry {
        return Place::Kept;
    }
    let ordering = Ordering::of(target.ordering.as_ref());
    let made = u32::try_from(outcome.attempt_count).unwrap_or(u32::MAX);
    match ordering.failing_head {
        FailingHead::Skip if made >= ordering.attempts => Place::Left,
        FailingHead::Park if made >= ordering.attempts => {
            outcome.status = DeliveryStatus::Failure;
            outcome.description = format!("parked after {made} attempts, so that those behind it go on");
            Place::Kept
        }
        FailingHead::Block | FailingHead::Skip | FailingHead::Park => Place::Kept,
    }
}
