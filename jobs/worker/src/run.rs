//! A worker's process: connections, one apalis worker per queue, and an orderly end.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use posthouse_jobs::{
    BackendSettings, CreateEvent, DeliverEvent, DeliverMetaEvent, OnboardBatch, PurgeExpired, QUEUES, Queues,
    ReplayEvent, RunBatch, SendEmail, SweepDeliveries,
    backing::{Backing, Purpose},
    queue::{Places, Share, run_worker},
};
use posthouse_service::{metrics::Metrics, probes};
use secrecy::ExposeSecret as _;
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
const MAILS_MAX: usize = 8;
/// Replays at once; what they read is as large as their events.
const REPLAYS_MAX: usize = 100;
const BATCHES_MAX: usize = 4;
/// Batches of one project run one after the other anyway.
const ONBOARDINGS_MAX: usize = 4;
const META_EVENTS_MAX: usize = 64;

/// Runs a worker until `shutdown`, and then until its running jobs are done or handed back.
///
/// # Errors
/// Something that it needs at start is missing; a clear sentence for the operator.
pub async fn worker(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let backing = Backing::connect(&config.database, &config.redis, Purpose::Lookups).await?;
    let metrics = Metrics::new("worker");
    let sender = Sender::new(way(&config))?;
    let gates = Gates::new(config.endpoint_requests_max);
    let mailer = config.smtp_url.as_ref().map(|url| Mailer::new(url.expose_secret(), &config.smtp_from)).transpose()?;
    let context =
        Arc::new(Context::new(backing.pool.clone(), backing.queues.clone(), (sender, gates), mailer, &metrics));
    let (_, probes) = probes::serve(config.listen, Arc::new(backing.checks()), metrics, shutdown.clone()).await?;
    let mut workers = JoinSet::new();
    for worker in all(&context, &backing.queues, Limits::of(&config), &shutdown) {
        workers.spawn(worker);
    }
    tracing::info!(
        deliveries_max = config.deliveries_max,
        egress = config.egress_url.is_some(),
        "The worker takes jobs."
    );
    workers.join_all().await;
    probes.await?;
    tracing::info!("The worker has stopped; nothing is left running.");
    Ok(())
}

fn way(config: &Config) -> Way {
    match &config.egress_url {
        Some(url) => Way::Egress(url.clone()),
        None => Way::Direct(Arc::new(posthouse_egress::Rules::with_allowed(config.allow.clone()))),
    }
}

/// How much is taken on at once, queue by queue.
struct Limits {
    deliveries_max: usize,
    drain: Duration,
    shares: [Option<Share>; QUEUES.len()],
}

impl Limits {
    fn of(config: &Config) -> Self {
        let weights = QueueWeight::of_all(&config.queue_weights);
        let shares = match config.jobs_max {
            Some(all) => Places::shared(usize::from(all), weights).map(Some),
            None => [const { None }; QUEUES.len()],
        };
        Self { deliveries_max: usize::from(config.deliveries_max), drain: config.process.drain_timeout, shares }
    }
}

fn all(
    context: &Arc<Context>,
    queues: &Queues,
    limits: Limits,
    shutdown: &CancellationToken,
) -> Vec<BoxFuture<'static, ()>> {
    let Limits {
        deliveries_max,
        drain,
        shares: [creating, delivering, mailing, purging, sweeping, replaying, batching, onboarding, announcing],
    } = limits;
    let further = further(context, queues, (drain, [replaying, batching, onboarding, announcing]), shutdown);
    let (context, queues, shutdown) = (Arc::clone(context), queues.clone(), shutdown.clone());
    let first = vec![
        run_worker::<CreateEvent, _, _, _>(
            queues.clone(),
            settings(CREATIONS_MAX, creating, drain),
            Arc::clone(&context),
            handlers::create_event,
            shutdown.clone(),
        )
        .boxed(),
        run_worker::<DeliverEvent, _, _, _>(
            queues.clone(),
            settings(deliveries_max, delivering, drain),
            Arc::clone(&context),
            handlers::deliver_event,
            shutdown.clone(),
        )
        .boxed(),
        run_worker::<SendEmail, _, _, _>(
            queues.clone(),
            settings(MAILS_MAX, mailing, drain),
            Arc::clone(&context),
            handlers::send_email,
            shutdown.clone(),
        )
        .boxed(),
        run_worker::<PurgeExpired, _, _, _>(
            queues.clone(),
            settings(1, purging, drain),
            Arc::clone(&context),
            handlers::purge_expired,
            shutdown.clone(),
        )
        .boxed(),
        run_worker::<SweepDeliveries, _, _, _>(
            queues,
            settings(1, sweeping, drain),
            context,
            handlers::sweep_deliveries,
            shutdown,
        )
        .boxed(),
    ];
    first.into_iter().chain(further).collect()
}

/// The workers of what is asked for now and then.
fn further(
    context: &Arc<Context>,
    queues: &Queues,
    (drain, [replaying, batching, onboarding, announcing]): (Duration, [Option<Share>; 4]),
    shutdown: &CancellationToken,
) -> Vec<BoxFuture<'static, ()>> {
    let (context, queues, shutdown) = (Arc::clone(context), queues.clone(), shutdown.clone());
    vec![
        run_worker::<ReplayEvent, _, _, _>(
            queues.clone(),
            settings(REPLAYS_MAX, replaying, drain),
            Arc::clone(&context),
            handlers::replay_event,
            shutdown.clone(),
        )
        .boxed(),
        run_worker::<RunBatch, _, _, _>(
            queues.clone(),
            settings(BATCHES_MAX, batching, drain),
            Arc::clone(&context),
            handlers::run_batch,
            shutdown.clone(),
        )
        .boxed(),
        run_worker::<OnboardBatch, _, _, _>(
            queues.clone(),
            settings(ONBOARDINGS_MAX, onboarding, drain),
            Arc::clone(&context),
            handlers::onboard_batch,
            shutdown.clone(),
        )
        .boxed(),
        run_worker::<DeliverMetaEvent, _, _, _>(
            queues,
            settings(META_EVENTS_MAX, announcing, drain),
            context,
            handlers::deliver_meta_event,
            shutdown,
        )
        .boxed(),
    ]
}

fn settings(concurrency: usize, share: Option<Share>, drain: Duration) -> BackendSettings {
    BackendSettings { concurrency, batch: concurrency.min(500), drain, share, ..BackendSettings::default() }
}

#[cfg(test)]
mod tests {
    use posthouse_jobs::Job as _;

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
        ];
        assert_eq!(served, posthouse_jobs::QUEUES);
    }
}
