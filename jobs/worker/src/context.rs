//! What handlers share: connections, the delivery engine, and the batching of new events.

use std::sync::Arc;

use posthouse_jobs::Queues;
use posthouse_schema::pool::Pool;
use posthouse_service::metrics::Metrics;
use posthouse_transform::{Limits, Transformer};

use crate::{
    batch::{BatchLimits, Batcher, isolate},
    delivery::{
        create::{self, Created, Creation},
        engine::Engine,
        gate::Gates,
        metrics::DeliveryMetrics,
        send::Sender,
        snapshot::Snapshots,
    },
    error::WorkerError,
    mail::Mailer,
};

const CREATE_LIMITS: BatchLimits = BatchLimits { items_max: 500, batches_max: 2 };

/// A worker's shared state.
pub struct Context {
    /// Database connections.
    pub pool: Pool,
    /// Where jobs go.
    pub queues: Queues,
    /// Sends deliveries.
    pub engine: Engine,
    /// Stores events.
    pub creator: Batcher<Creation, Result<Created, Arc<WorkerError>>, Arc<WorkerError>>,
    /// Runs functions.
    pub transformer: Transformer,
    /// Sends mail; `None` where no server is set.
    pub mailer: Option<Mailer>,
}

impl Context {
    /// Shared state over these services; its batching lives on the current runtime.
    #[must_use]
    pub fn new(
        pool: Pool,
        queues: Queues,
        sending: (Sender, Gates),
        mailer: Option<Mailer>,
        metrics: &Metrics,
    ) -> Self {
        let snapshots = Snapshots::default();
        let metrics = DeliveryMetrics::new(metrics);
        let engine = Engine::new(pool.clone(), queues.clone(), snapshots.clone(), sending, metrics);
        let (create_pool, create_queues) = (pool.clone(), queues.clone());
        let creator = Batcher::new(CREATE_LIMITS, move |creations: Vec<Creation>| {
            let (pool, queues, snapshots) = (create_pool.clone(), create_queues.clone(), snapshots.clone());
            async move {
                let work = |creations: Vec<Creation>| {
                    let (pool, queues, snapshots) = (pool.clone(), queues.clone(), snapshots.clone());
                    async move { create::create_events(&pool, &queues, &snapshots, &creations).await }
                };
                isolate(creations, WorkerError::is_content, work).await
            }
        });
        Self { pool, queues, engine, creator, transformer: Transformer::new(Limits::default()), mailer }
    }
}
