//! What handlers share: connections, the delivery engine, and the batching of new events.

use std::sync::Arc;

use posthouse_jobs::Queues;
use posthouse_schema::pool::Pool;
use posthouse_service::metrics::Metrics;
use posthouse_transform::{Limits, Transformer};

use crate::{
    backup::BackupMetrics,
    batch::{BatchLimits, Batcher, isolate},
    delivery::{
        create::{self, Created, Creation},
        engine::Engine,
        gate::Gates,
        metrics::DeliveryMetrics,
        replay::{self, Replay, Replayed},
        send::Sender,
        snapshot::Snapshots,
    },
    error::WorkerError,
    instance,
    mail::Mailer,
};

const CREATE_LIMITS: BatchLimits = BatchLimits { items_max: 500, batches_max: 2 };
/// Fewer: a batch holds the payloads of its events.
const REPLAY_LIMITS: BatchLimits = BatchLimits { items_max: 50, batches_max: 2 };

/// Refused messages of one source that are kept where no setting says otherwise.
pub const REJECTED_MESSAGES_MAX: u32 = 10_000;

/// Works on jobs in batches; one that cannot be done fails alone.
type Batched<J, R> = Batcher<J, Result<R, Arc<WorkerError>>, Arc<WorkerError>>;

/// A worker's shared state.
pub struct Context {
    /// Database connections.
    pub pool: Pool,
    /// Where jobs go.
    pub queues: Queues,
    /// What is kept of projects' configuration.
    pub snapshots: Snapshots,
    /// Sends deliveries.
    pub engine: Engine,
    /// How requests leave, and how many at once to one receiver.
    pub sending: (Sender, Gates),
    /// Stores events.
    pub creator: Batched<Creation, Created>,
    /// Delivers stored events again.
    pub replayer: Batched<Replay, Replayed>,
    /// Runs functions.
    pub transformer: Transformer,
    /// Sends mail; `None` where no server is set.
    pub mailer: Option<Mailer>,
    /// What is counted of backups.
    pub backup_metrics: BackupMetrics,
    /// Refused messages of brokers that are kept of each source.
    pub rejected_messages_max: u32,
    /// What this process is called.
    pub instance: String,
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
        let backup_metrics = BackupMetrics::new(metrics);
        let metrics = DeliveryMetrics::new(metrics);
        let engine = Engine::new(pool.clone(), queues.clone(), snapshots.clone(), sending.clone(), metrics);
        let shared = (pool.clone(), queues.clone(), snapshots.clone());
        let creator = Batcher::new(CREATE_LIMITS, move |creations: Vec<Creation>| {
            let (pool, queues, snapshots) = shared.clone();
            async move {
                let work = |creations: Vec<Creation>| {
                    let (pool, queues, snapshots) = (pool.clone(), queues.clone(), snapshots.clone());
                    async move { create::create_events(&pool, &queues, &snapshots, &creations).await }
                };
                isolate(creations, WorkerError::is_content, work).await
            }
        });
        let shared = (pool.clone(), queues.clone(), snapshots.clone());
        let replayer = Batcher::new(REPLAY_LIMITS, move |replays: Vec<Replay>| {
            let (pool, queues, snapshots) = shared.clone();
            async move {
                let work = |replays: Vec<Replay>| {
                    let (pool, queues, snapshots) = (pool.clone(), queues.clone(), snapshots.clone());
                    async move { replay::replay_events(&pool, &queues, &snapshots, &replays).await }
                };
                isolate(replays, WorkerError::is_content, work).await
            }
        });
        let transformer = Transformer::new(Limits::default());
        let rejected_messages_max = REJECTED_MESSAGES_MAX;
        Self {
            pool,
            queues,
            snapshots,
            engine,
            sending,
            creator,
            replayer,
            transformer,
            mailer,
            backup_metrics,
            rejected_messages_max,
            instance: instance::name(),
        }
    }
}
