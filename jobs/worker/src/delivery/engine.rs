//! One delivery from its job to its record: load, check, claim, send, record. Loading and recording are shared with
//! whatever else is under way; no database connection is held while the endpoint is waited for.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use posthouse_jobs::{DeliverEvent, DeliverMetaEvent, Queues};
use posthouse_schema::{
    delivery_attempt::DeliveryAttempt,
    delivery_target::{self, DeliveryTarget},
    event_delivery::{self, Hold, Outcome, OutgoingDelivery},
    ids::DeliveryAttemptId,
    ledger,
    pool::Pool,
    project_config::ProjectConfig,
    sealed::Unopened,
    words::{DeliveryMode, DeliveryStatus, HeldBy},
};

use super::{
    admission::{Admission, AdmissionPass, Admitted},
    attempt,
    course::Course,
    decision::{DELETED, Decision, decide},
    gate::{Gates, Pass},
    health::Health,
    lines::{Lines, Place, place_after},
    load::{self, Loaded},
    log,
    metrics::DeliveryMetrics,
    outcome::outcome,
    request::{self, DeliveryRequest},
    send::{Sender, Sent},
    snapshot::Snapshots,
    spans,
    token::Tokens,
};
use crate::{
    batch::{BatchError, BatchLimits, Batcher, isolate},
    error::WorkerError,
    meta_event::announcement,
};

const LOAD_LIMITS: BatchLimits = BatchLimits { items_max: 500, batches_max: 2 };
const RECORD_LIMITS: BatchLimits = BatchLimits { items_max: 500, batches_max: 2 };
/// The wait before a delivery comes back when egress itself is away.
const EGRESS_WAIT: Duration = Duration::from_secs(5);
/// The wait before a delivery comes back whose endpoint has a secret that cannot be read.
pub(crate) const KEY_WAIT: Duration = Duration::from_secs(15);
/// Beyond the request's own timeout, until a claimed at-most-once delivery counts as interrupted.
const CLAIM_MARGIN: Duration = Duration::from_secs(60);

/// What a delivery's job does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the delivery is final, or gone.
    Done,
    /// The job runs again at this time.
    Again(DateTime<Utc>),
}

type SharedError = Arc<WorkerError>;
/// What is written of one attempt.
type Record = (DeliveryAttempt, Outcome);

/// Sends deliveries. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pool: Pool,
    queues: Queues,
    sender: Sender,
    gates: Gates,
    tokens: Tokens,
    metrics: DeliveryMetrics,
    loader: Batcher<DeliverEvent, Option<Loaded>, SharedError>,
    recorder: Batcher<Record, Result<(), SharedError>, SharedError>,
    admission: Admission,
    holder: Batcher<Hold, (), SharedError>,
    lines: Lines,
    health: Health,
}

impl Engine {
    /// An engine over these services; its batching lives on the current runtime.
    #[must_use]
    pub fn new(
        pool: Pool,
        queues: Queues,
        snapshots: Snapshots,
        (sender, gates): (Sender, Gates),
        metrics: DeliveryMetrics,
    ) -> Self {
        let (load_pool, record_pool, hold_pool) = (pool.clone(), pool.clone(), pool.clone());
        let loader = Batcher::new(LOAD_LIMITS, move |jobs: Vec<DeliverEvent>| {
            let (pool, snapshots) = (load_pool.clone(), snapshots.clone());
            async move { load::load(&pool, &snapshots, &jobs).await.map_err(Arc::new) }
        });
        let recorder = Batcher::new(RECORD_LIMITS, move |records: Vec<Record>| {
            let pool = record_pool.clone();
            let work = move |records: Vec<Record>| {
                let pool = pool.clone();
                async move { write(&pool, records).await }
            };
            isolate(records, WorkerError::is_content, work)
        });
        let holder = Batcher::new(RECORD_LIMITS, move |holds: Vec<Hold>| {
            let pool = hold_pool.clone();
            async move { hold(&pool, &holds).await.map_err(Arc::new) }
        });
        let (admission, tokens) = (Admission::new(queues.clone()), Tokens::default());
        let lines = Lines::new(pool.clone(), queues.clone());
        let health = Health::new(pool.clone(), queues.clone());
        Self { pool, queues, sender, gates, tokens, metrics, loader, recorder, admission, holder, lines, health }
    }

    /// Does what the delivery needs now.
    ///
    /// # Errors
    /// The database or the queue fails, before or after sending: the job runs again, and what was sent may be repeated.
    pub async fn deliver(&self, job: &DeliverEvent) -> Result<Next, BatchError<SharedError>> {
        // At the gate before anything is read: what is turned away costs PostgreSQL nothing.
        let early = match job.endpoint_id {
            Some(endpoint) => match self.gates.enter(job.project_id, endpoint).await {
                Ok(pass) => Some(pass),
                Err(away) => return Ok(Next::Again(Utc::now() + away)),
            },
            None => None,
        };
        let Some(loaded) = self.loader.submit(job.clone()).await? else { return Ok(Next::Done) };
        if self.lines.waits(&loaded.delivery).await? {
            return Ok(Next::Done);
        }
        let next = self.go_on(&loaded, early).await?;
        if next == Next::Done {
            self.lines.wake_next(&loaded.delivery).await.map_err(failed)?;
        }
        Ok(next)
    }

    /// Takes a delivery that need not wait for others as far as it goes.
    async fn go_on(
        &self,
        Loaded { delivery, target, config }: &Loaded,
        early: Option<Pass>,
    ) -> Result<Next, BatchError<SharedError>> {
        let now = Utc::now();
        match decide(delivery, target.as_ref().map(|target| target.status), now) {
            Decision::Done => return Ok(Next::Done),
            Decision::Again(due) => return Ok(Next::Again(due)),
            Decision::Discard(reason) => return self.discard(delivery, reason).await,
            Decision::GiveUp(reason) => {
                let unknown = ProjectConfig::default();
                return self.give_up(delivery, config.as_deref().unwrap_or(&unknown), reason).await;
            }
            Decision::Send => {}
        }
        let (Some(target), Some(config)) = (target, config) else {
            return self.discard(delivery, DELETED).await;
        };
        if let Some(why) = &target.locked {
            drop(early);
            return self.wait_for_key(delivery, why, now).await;
        }
        let pass = match early {
            Some(pass) => pass,
            None => match self.gates.enter(delivery.project_id, delivery.endpoint_id).await {
                Ok(pass) => pass,
                Err(away) => return Ok(Next::Again(now + away)),
            },
        };
        let request = match request::build(delivery, target, config, now) {
            Ok(request) => request,
            Err(error) => return self.give_up(delivery, config, &error.to_string()).await,
        };
        let asked = self.admission.admit(delivery, target, config, request.timeout, (now, rand::random())).await;
        let admitted = match asked.map_err(failed)? {
            Admitted::Pass(admitted) => admitted,
            Admitted::Held { hold, again } => {
                drop(pass);
                if let Some(hold) = hold {
                    self.metrics.held();
                    self.holder.submit(hold).await?;
                }
                return Ok(Next::Again(again));
            }
        };
        if delivery.delivery_mode == DeliveryMode::AtMostOnce && !self.claim(delivery, &request).await? {
            self.admission.give_back(target, &admitted).await;
            let reason = "the worker stopped while sending, and at-most-once does not repeat";
            return self.give_up(delivery, config, reason).await;
        }
        self.send(delivery, (target, config), request, (pass, admitted)).await
    }

    /// Holds a delivery whose endpoint has a secret that this worker cannot read. Another one may, or this one when it was
    /// started again with the key; no attempt is used up.
    async fn wait_for_key(
        &self,
        delivery: &OutgoingDelivery,
        why: &Unopened,
        now: DateTime<Utc>,
    ) -> Result<Next, BatchError<SharedError>> {
        let until = now + KEY_WAIT;
        let hold = Hold {
            project_id: delivery.project_id,
            id: delivery.id,
            by: HeldBy::Secrets,
            why: Some(why.to_string()),
            until,
            attempt_count: delivery.attempt_count,
        };
        self.holder.submit(hold).await?;
        Ok(Next::Again(until))
    }

    async fn send(
        &self,
        delivery: &OutgoingDelivery,
        (target, config): (&DeliveryTarget, &ProjectConfig),
        mut request: DeliveryRequest,
        (mut pass, admitted): (Pass, AdmissionPass),
    ) -> Result<Next, BatchError<SharedError>> {
        let requested_at = Utc::now();
        let span = spans::attempt(delivery, &mut request);
        pass.begin();
        let (sent, course) = match self.tokens.authorize(&self.sender, target, &mut request).await {
            Ok(()) => self.sender.exchange(&request).await,
            Err(instead) => (instead, Course::default()),
        };
        spans::ended(span, &sent);
        pass.learn(&sent);
        let trips = self.admission.learn(target, &admitted, &sent).await;
        if trips.is_some() {
            self.health.failing(target).await;
        }
        if matches!(&sent, Sent::Answered(answer) if answer.status == 401) {
            self.tokens.forget(target).await;
        }
        let now = Utc::now();
        self.metrics.observe(&sent, now - requested_at);
        if let Sent::EgressUnavailable(reason) = &sent {
            log::waits(delivery, reason);
            self.unclaim(delivery, now + EGRESS_WAIT).await?;
            return Ok(Next::Again(now + EGRESS_WAIT));
        }
        let mut outcome = outcome(delivery, &sent, now, rand::random());
        let keeps_failing = trips.is_some_and(|trips| admitted.is_too_often(trips));
        log::attempted(delivery, &sent, &outcome, now - requested_at);
        let cause = cause_to_disable(config, &sent, outcome.status, keeps_failing);
        let place = place_after(delivery, target, &mut outcome);
        let id = DeliveryAttemptId::generate();
        let record = attempt::record(id, delivery, &request, (&sent, &course), (requested_at, now));
        let (status, next_send_time) = (outcome.status, outcome.next_send_time);
        let announcement = announcement::of_end(config, delivery, &outcome, Some(&record));
        self.recorder.submit((record, outcome)).await?.map_err(BatchError::Failed)?;
        self.metrics.ended(status);
        self.announce(announcement).await;
        if status == DeliveryStatus::Success {
            self.metrics.delivered(now - delivery.acknowledged_at);
            self.health.well(target).await;
        }
        if place == Place::Left {
            self.lines.leave(delivery).await.map_err(failed)?;
        }
        if let Some(cause) = cause {
            self.disable(target, config, cause).await?;
        }
        Ok(if status == DeliveryStatus::Retry { Next::Again(next_send_time) } else { Next::Done })
    }

    async fn claim(
        &self,
        delivery: &OutgoingDelivery,
        request: &DeliveryRequest,
    ) -> Result<bool, BatchError<SharedError>> {
        let lease_end = Utc::now() + request.timeout + CLAIM_MARGIN;
        let mut conn = self.pool.get().await.map_err(failed)?;
        event_delivery::claim_at_most_once(&mut conn, delivery.project_id, delivery.id, lease_end).await.map_err(failed)
    }

    /// Nothing was sent, so a claimed delivery goes back to waiting.
    async fn unclaim(&self, delivery: &OutgoingDelivery, due: DateTime<Utc>) -> Result<(), BatchError<SharedError>> {
        if delivery.delivery_mode == DeliveryMode::AtMostOnce {
            let mut conn = self.pool.get().await.map_err(failed)?;
            event_delivery::unclaim(&mut conn, delivery.project_id, delivery.id, due).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn discard(&self, delivery: &OutgoingDelivery, reason: &str) -> Result<Next, BatchError<SharedError>> {
        let mut conn = self.pool.get().await.map_err(failed)?;
        event_delivery::end(&mut conn, (delivery.project_id, delivery.id), DeliveryStatus::Discarded, reason)
            .await
            .map_err(failed)?;
        self.metrics.ended(DeliveryStatus::Discarded);
        log::discarded(delivery, reason);
        Ok(Next::Done)
    }

    /// Ends a delivery of which no request can be made, ever.
    async fn give_up(
        &self,
        delivery: &OutgoingDelivery,
        config: &ProjectConfig,
        reason: &str,
    ) -> Result<Next, BatchError<SharedError>> {
        let mut conn = self.pool.get().await.map_err(failed)?;
        let key = (delivery.project_id, delivery.id);
        let has_ended = event_delivery::end(&mut conn, key, DeliveryStatus::Failure, reason).await.map_err(failed)?;
        drop(conn);
        if has_ended {
            log::given_up(delivery, reason);
            self.metrics.ended(DeliveryStatus::Failure);
            self.announce(announcement::of_end(config, delivery, &given_up(delivery, reason), None)).await;
        }
        Ok(Next::Done)
    }

    /// Tells the project, if it has asked to be told. The delivery has ended by now, whatever becomes of this.
    async fn announce(&self, announcement: Option<DeliverMetaEvent>) {
        let Some(job) = announcement else { return };
        if let Err(error) = self.queues.push(&job).await {
            tracing::warn!(project.id = %job.project_id, error = %error, "A meta event could not be enqueued, and is lost.");
        }
    }

    /// Disables the endpoint, and tells whom it concerns once.
    async fn disable(
        &self,
        target: &DeliveryTarget,
        config: &ProjectConfig,
        cause: &str,
    ) -> Result<(), BatchError<SharedError>> {
        let mut conn = self.pool.get().await.map_err(failed)?;
        let has_changed = delivery_target::disable(&mut conn, target.project_id, target.id).await.map_err(failed)?;
        drop(conn);
        if !has_changed {
            return Ok(());
        }
        self.announce(announcement::of_disabled(config, target, cause, Utc::now())).await;
        self.health.disabled(target, cause).await.map_err(failed)
    }
}

/// Why the endpoint is to be disabled after this, if it is.
fn cause_to_disable(
    config: &ProjectConfig,
    sent: &Sent,
    status: DeliveryStatus,
    keeps_failing: bool,
) -> Option<&'static str> {
    match sent {
        Sent::Answered(answer) if answer.status == 410 => Some("it answered 410 Gone"),
        Sent::Refused { .. } => None,
        _ if !config.disable_endpoint => None,
        _ if status == DeliveryStatus::Failure => Some("a delivery to it ran out of attempts"),
        _ => keeps_failing.then_some("it kept failing whenever it was tried again"),
    }
}

/// The end of a delivery without an attempt.
fn given_up(delivery: &OutgoingDelivery, reason: &str) -> Outcome {
    Outcome {
        project_id: delivery.project_id,
        id: delivery.id,
        status: DeliveryStatus::Failure,
        attempt_count: delivery.attempt_count,
        next_send_time: delivery.next_send_time,
        latency_seconds: None,
        description: reason.into(),
    }
}

fn failed(error: impl Into<WorkerError>) -> BatchError<SharedError> {
    BatchError::Failed(Arc::new(error.into()))
}

async fn hold(pool: &Pool, holds: &[Hold]) -> Result<Vec<()>, WorkerError> {
    event_delivery::hold(&mut *pool.get().await?, holds).await?;
    Ok(vec![(); holds.len()])
}

async fn write(pool: &Pool, records: Vec<Record>) -> Result<Vec<()>, WorkerError> {
    let (attempts, outcomes): (Vec<_>, Vec<_>) = records.into_iter().unzip();
    let mut conn = pool.get().await?;
    ledger::record_attempts(&mut conn, &attempts, &outcomes).await?;
    Ok(vec![(); outcomes.len()])
}
