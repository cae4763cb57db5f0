//! When an endpoint begins to fail and when it recovers, seen by all workers together. What is well costs nothing but a look at a
//! set in memory.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::Utc;
use posthouse_jobs::{Notice, Notify, Queues};
use posthouse_schema::{delivery_target::DeliveryTarget, endpoint_health, ids::EndpointId, pool::Pool};

use crate::error::WorkerError;

/// How old a worker's view of failing endpoints may be.
const VIEW_AGE_MAX: Duration = Duration::from_secs(5);
/// Endpoints in it; of more it is not told that they recover until others have.
const VIEW_MAX: i64 = 10_000;

/// The failing endpoints as a worker sees them. Cheap to clone.
#[derive(Clone)]
pub struct Health {
    pool: Pool,
    queues: Queues,
    view: Arc<Mutex<View>>,
    /// Held by whoever reads the view anew.
    reading: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct View {
    failing: HashSet<EndpointId>,
    read_at: Option<Instant>,
}

impl Health {
    /// Of the endpoints of this ledger.
    #[must_use]
    pub fn new(pool: Pool, queues: Queues) -> Self {
        Self { pool, queues, view: Arc::default(), reading: Arc::default() }
    }

    /// Notes that the endpoint's breaker has opened. People hear of it in the next digest, if it lasts.
    pub async fn failing(&self, target: &DeliveryTarget) {
        let noted = async {
            endpoint_health::note_failing(&mut *self.pool.get().await?, target.project_id, target.id).await?;
            Ok::<_, WorkerError>(())
        };
        lock(&self.view).failing.insert(target.id);
        log("that it fails", target, noted.await);
    }

    /// Tells that the endpoint was disabled, to whom it concerns.
    ///
    /// # Errors
    /// The queue fails; that it was disabled stands.
    pub async fn disabled(&self, target: &DeliveryTarget, cause: &str) -> Result<(), WorkerError> {
        let noted = async {
            endpoint_health::note_told(&mut *self.pool.get().await?, target.project_id, target.id).await?;
            Ok::<_, WorkerError>(())
        };
        lock(&self.view).failing.insert(target.id);
        log("that it was disabled", target, noted.await);
        let (name, url) = (target.name.clone(), target.url.clone());
        self.tell(target, Notice::EndpointDisabled { name, url, cause: cause.into() }).await
    }

    /// Notes that the endpoint took a delivery; where people know that it failed, they hear that it has recovered.
    pub async fn well(&self, target: &DeliveryTarget) {
        self.refresh().await;
        if !lock(&self.view).failing.contains(&target.id) {
            return;
        }
        let told = async {
            let mut conn = self.pool.get().await?;
            let since = endpoint_health::note_recovered(&mut conn, target.project_id, target.id).await?;
            drop(conn);
            lock(&self.view).failing.remove(&target.id);
            let Some(since) = since else { return Ok(()) };
            let (name, url) = (target.name.clone(), target.url.clone());
            self.tell(target, Notice::EndpointRecovered { name, url, since }).await
        };
        log("that it recovered", target, told.await);
    }

    async fn tell(&self, target: &DeliveryTarget, notice: Notice) -> Result<(), WorkerError> {
        let (project_id, endpoint_id) = (target.project_id, Some(target.id));
        self.queues.push(&Notify { project_id, endpoint_id, at: Utc::now(), notice }).await?;
        Ok(())
    }

    /// Reads the view anew where it is old; one caller does, the others go on with the old one.
    async fn refresh(&self) {
        if lock(&self.view).read_at.is_some_and(|read_at| read_at.elapsed() < VIEW_AGE_MAX) {
            return;
        }
        let Ok(_reading) = self.reading.try_lock() else { return };
        let read = async {
            let ids = endpoint_health::list_ids_all_projects(&mut *self.pool.get().await?, VIEW_MAX).await?;
            Ok::<_, WorkerError>(ids)
        };
        let read = read.await;
        let mut view = lock(&self.view);
        view.read_at = Some(Instant::now());
        match read {
            Ok(ids) => view.failing = ids.into_iter().collect(),
            Err(error) => tracing::debug!(%error, "Failing endpoints could not be read."),
        }
    }
}

/// A delivery has its outcome by now, whatever becomes of this.
fn log(what: &str, target: &DeliveryTarget, result: Result<(), WorkerError>) {
    if let Err(error) = result {
        tracing::warn!(endpoint.id = %target.id, %error, "It could not be noted of an endpoint {what}.");
    }
}

fn lock(mutex: &Mutex<View>) -> MutexGuard<'_, View> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
