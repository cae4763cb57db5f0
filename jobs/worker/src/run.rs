//! A worker's process: connections, one apalis worker per queue, and an orderly end.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use apalis::prelude::{BoxDynError, Data};
use futures::{FutureExt as _, future::BoxFuture};
use posthouse_jobs::{
    BackendSettings, Job, QUEUES, Queues,
    backing::{Backing, Purpose},
    queue::{Places, Share, run_worker},
};
use posthouse_service::{metrics::Metrics, probes};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, QueueWeight},
    context::Context,
    delivery::{
        gate::Gates,
        send::{Sender, Way},
    },
    handlers,
    mail::Mailer,
};

/// Events that wait for the database at once; they are written in batches.
const CREATIONS_MAX: usize = 1_000;
/// How long a queue of few jobs sleeps when nobody wakes it. Whoever pushes a job does, so this is the cost of a wake-up that
/// was lost.
const QUIET_POLL: Duration = Duration::from_secs(5);
const MAILS_MAX: usize = 8;
/// Replays at once; what they read is as large as their events.
const REPLAYS_MAX: usize = 100;
const BATCHES_MAX: usize = 4;
/// Batches of one project run one after the other anyway.
const ONBOARDINGS_MAX: usize = 4;
const META_EVENTS_MAX: usize = 64;
/// Refused messages that are stored at once.
const REJECTED_MESSAGES_MAX: usize = 4;

/// Runs a worker until `shutdown`, and then until its running jobs are done or handed back.
///
/// # Errors
/// Something that it needs at start is missing; a clear sentence for the operator.
pub async fn worker(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let backing = Backing::connect(&config.database, &config.redis, Purpose::Lookups).await?;
    let metrics = Metrics::new("worker");
    backing.register(&metrics);
    let authorities = authorities(config.ca_file.as_deref())?;
    let sender = Sender::new(way(&config), &authorities)?;
    sender.register(&metrics);
    let gates = Gates::new(config.endpoint_requests_max);
    let mailer = |url: &SecretString| Mailer::trusting(url.expose_secret(), &config.smtp_from, &authorities);
    let mailer = config.smtp_url.as_ref().map(mailer).transpose()?;
    let context = Context::new(backing.pool.clone(), backing.queues.clone(), (sender, gates), mailer, &metrics);
    let context = Arc::new(Context { rejected_messages_max: config.rejected_messages_max, ..context });
    let (_, probes) = probes::serve(config.listen, Arc::new(backing.checks()), metrics, shutdown.clone()).await?;
    let mut workers = JoinSet::new();
    let drain = config.process.drain_timeout;
    let poll = BackendSettings::default().poll;
    let serving = Serving { context, queues: backing.queues.clone(), drain, poll, shutdown };
    for worker in all(&serving, usize::from(config.deliveries_max), shares(&config)) {
        workers.spawn(worker);
    }
    tracing::info!(
        deliveries_max = config.deliveries_max,
        egress = config.egress.egress_url.len(),
        "The worker takes jobs."
    );
    workers.join_all().await;
    probes.await?;
    tracing::info!("The worker has stopped; nothing is left running.");
    Ok(())
}

/// Certificates of further authorities; none where no file is set.
fn authorities(file: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    let Some(file) = file else { return Ok(Vec::new()) };
    std::fs::read(file).with_context(|| format!("--ca-file {}", file.display()))
}

fn way(config: &Config) -> Way {
    if config.egress.egress_url.is_empty() {
        return Way::Direct(Arc::new(posthouse_egress::Rules::with_allowed(config.allow.clone())));
    }
    Way::Egress(Box::new(config.egress.clone()))
}

/// The queues' parts in the places that they share, where they share any.
fn shares(config: &Config) -> [Option<Share>; QUEUES.len()] {
    let weights = QueueWeight::of_all(&config.queue_weights);
    match config.jobs_max {
        Some(all) => Places::shared(usize::from(all), weights).map(Some),
        None => [const { None }; QUEUES.len()],
    }
}

/// What every queue's worker is made of.
#[derive(Clone)]
struct Serving {
    context: Arc<Context>,
    queues: Queues,
    drain: Duration,
    poll: Duration,
    shutdown: CancellationToken,
}

impl Serving {
    /// The same for queues of few jobs, which cost little while they are empty.
    fn quiet(&self) -> Self {
        Self { poll: QUIET_POLL, ..self.clone() }
    }

    /// A worker that runs at most `concurrency` jobs of the handler's queue at once.
    fn worker<J, H, F>(&self, concurrency: usize, share: Option<Share>, handler: H) -> BoxFuture<'static, ()>
    where
        J: Job,
        H: FnMut(J, Data<Arc<Context>>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<(), BoxDynError>> + Send + 'static,
    {
        let batch = concurrency.min(500);
        let (drain, poll) = (self.drain, self.poll);
        let settings = BackendSettings { concurrency, batch, drain, share, poll, ..BackendSettings::default() };
        run_worker(self.queues.clone(), settings, Arc::clone(&self.context), handler, self.shutdown.clone()).boxed()
    }
}

fn all(serving: &Serving, deliveries_max: usize, shares: [Option<Share>; QUEUES.len()]) -> Vec<BoxFuture<'static, ()>> {
    let [
        creating,
        delivering,
        mailing,
        purging,
        sweeping,
        replaying,
        batching,
        onboarding,
        announcing,
        indexing,
        keeping,
        backing_up,
        notifying,
        chatting,
        digesting,
        housekeeping,
    ] = shares;
    let quiet = serving.quiet();
    vec![
        serving.worker(CREATIONS_MAX, creating, handlers::create_event),
        serving.worker(deliveries_max, delivering, handlers::deliver_event),
        quiet.worker(MAILS_MAX, mailing, handlers::send_email),
        quiet.worker(1, purging, handlers::purge_expired),
        quiet.worker(1, sweeping, handlers::sweep_deliveries),
        serving.worker(REPLAYS_MAX, replaying, handlers::replay_event),
        quiet.worker(BATCHES_MAX, batching, handlers::run_batch),
        quiet.worker(ONBOARDINGS_MAX, onboarding, handlers::onboard_batch),
        quiet.worker(META_EVENTS_MAX, announcing, handlers::deliver_meta_event),
        quiet.worker(1, indexing, handlers::index_events),
        quiet.worker(REJECTED_MESSAGES_MAX, keeping, handlers::store_rejected_message),
        quiet.worker(1, backing_up, handlers::back_up),
        quiet.worker(MAILS_MAX, notifying, handlers::notify),
        quiet.worker(MAILS_MAX, chatting, handlers::send_chat_message),
        quiet.worker(1, digesting, handlers::send_digests),
        quiet.worker(1, housekeeping, handlers::keep_house),
    ]
}

#[cfg(test)]
mod tests {
    use posthouse_jobs::{
        BackUp, CreateEvent, DeliverEvent, DeliverMetaEvent, IndexEvents, KeepHouse, Notify, OnboardBatch,
        PurgeExpired, ReplayEvent, RunBatch, SendChatMessage, SendDigests, SendEmail, StoreRejectedMessage,
        SweepDeliveries,
    };

    use super::*;

    #[test]
    fn every_queue_of_the_product_has_a_worker() {
        let served = [
            CreateEvent::QUEUE,
            DeliverEvent::QUEUE,
            SendEmail::QUEUE,
            PurgeExpired::QUEUE,
            SweepDeliveries::QUEUE,
            ReplayEvent::QUEUE,
            RunBatch::QUEUE,
            OnboardBatch::QUEUE,
            DeliverMetaEvent::QUEUE,
            IndexEvents::QUEUE,
            StoreRejectedMessage::QUEUE,
            BackUp::QUEUE,
            Notify::QUEUE,
            SendChatMessage::QUEUE,
            SendDigests::QUEUE,
            KeepHouse::QUEUE,
        ];
        assert_eq!(served, posthouse_jobs::QUEUES);
    }
}
