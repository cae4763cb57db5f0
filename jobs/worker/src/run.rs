//! A worker's process: connections, one apalis worker per queue, and an orderly end.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use posthouse_jobs::{
    BackendSettings, CreateEvent, DeliverEvent, PurgeExpired, Queues, SendEmail, SweepDeliveries, queue::run_worker,
};
use posthouse_schema::{migrations, pool, pool::Pool};
use posthouse_service::{
    metrics::Metrics,
    probes::{self, Checks},
    settings::{DatabaseSettings, RedisSettings},
    start,
};
use secrecy::ExposeSecret as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    context::Context,
    delivery::send::{Sender, Way},
    handlers,
    mail::Mailer,
};

/// Events that wait for the database at once; they are written in batches.
const CREATIONS_MAX: usize = 1_000;
const MAILS_MAX: usize = 8;

/// The database of a role: reachable, and with no migration pending.
///
/// # Errors
/// A clear sentence for the operator.
pub async fn database(settings: &DatabaseSettings) -> anyhow::Result<Pool> {
    let url = settings.database_url.expose_secret();
    let pending = start::retry("PostgreSQL", || async {
        migrations::pending(url).await.map_err(|error| format!("{:#}", anyhow::Error::from(error)))
    })
    .await?;
    anyhow::ensure!(
        pending.is_empty(),
        "the database has {} pending migration(s), {}: run `posthouse migrate` first",
        pending.len(),
        pending.join(", ")
    );
    Ok(pool::build(url, settings.database_pool_max)?)
}

/// The queues of a role: reachable.
///
/// # Errors
/// A clear sentence for the operator.
pub async fn queues(settings: &RedisSettings) -> anyhow::Result<Queues> {
    let connect = || async {
        Queues::connect(settings.redis_url.expose_secret(), &settings.redis_prefix)
            .await
            .map_err(|error| format!("{:#}", anyhow::Error::from(error)))
    };
    Ok(start::retry("Redis", connect).await?)
}

/// What readiness means for a role with a database and queues.
#[must_use]
pub fn checks(pool: &Pool, queues: &Queues) -> Arc<Checks> {
    let (pool, queues) = (pool.clone(), queues.clone());
    let postgres = move || {
        let pool = pool.clone();
        async move { pool::ping(&pool).await }.boxed()
    };
    let redis = move || {
        let queues = queues.clone();
        async move { queues.ping().await.map_err(|error| error.to_string()) }.boxed()
    };
    Arc::new(Checks::new().add("postgres", postgres).add("redis", redis))
}

/// Runs a worker until `shutdown`, and then until its running jobs are done or handed back.
///
/// # Errors
/// Something that it needs at start is missing; a clear sentence for the operator.
pub async fn worker(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let pool = database(&config.database).await?;
    let queues = queues(&config.redis).await?;
    let metrics = Metrics::new("worker");
    let sender = Sender::new(way(&config))?;
    let mailer = config.smtp_url.as_ref().map(|url| Mailer::new(url.expose_secret(), &config.smtp_from)).transpose()?;
    let context = Arc::new(Context::new(pool.clone(), queues.clone(), sender, mailer, &metrics));
    let (_, probes) = probes::serve(config.listen, checks(&pool, &queues), metrics, shutdown.clone()).await?;
    let drain = config.process.drain_timeout;
    let mut workers = JoinSet::new();
    for worker in all(&context, &queues, usize::from(config.deliveries_max), drain, &shutdown) {
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

fn all(
    context: &Arc<Context>,
    queues: &Queues,
    deliveries_max: usize,
    drain: Duration,
    shutdown: &CancellationToken,
) -> Vec<BoxFuture<'static, ()>> {
    let settings = |concurrency: usize| BackendSettings {
        concurrency,
        batch: concurrency.min(500),
        drain,
        ..BackendSettings::default()
    };
    let slow = BackendSettings { concurrency: 1, batch: 1, drain, ..BackendSettings::default() };
    let (context, queues, shutdown) = (Arc::clone(context), queues.clone(), shutdown.clone());
    vec![
        run_worker::<CreateEvent, _, _, _>(
            queues.clone(),
            settings(CREATIONS_MAX),
            Arc::clone(&context),
            handlers::create_event,
            shutdown.clone(),
        )
        .boxed(),
        run_worker::<DeliverEvent, _, _, _>(
            queues.clone(),
            settings(deliveries_max),
            Arc::clone(&context),
            handlers::deliver_event,
            shutdown.clone(),
        )
        .boxed(),
        run_worker::<SendEmail, _, _, _>(
            queues.clone(),
            settings(MAILS_MAX),
            Arc::clone(&context),
            handlers::send_email,
            shutdown.clone(),
        )
        .boxed(),
        run_worker::<PurgeExpired, _, _, _>(
            queues.clone(),
            slow.clone(),
            Arc::clone(&context),
            handlers::purge_expired,
            shutdown.clone(),
        )
        .boxed(),
        run_worker::<SweepDeliveries, _, _, _>(queues, slow, context, handlers::sweep_deliveries, shutdown).boxed(),
    ]
}

#[cfg(test)]
mod tests {
    use posthouse_jobs::Job as _;

    use super::*;

    #[test]
    fn every_queue_of_the_product_has_a_worker() {
        let served =
            [CreateEvent::QUEUE, DeliverEvent::QUEUE, SendEmail::QUEUE, PurgeExpired::QUEUE, SweepDeliveries::QUEUE];
        assert_eq!(served, posthouse_jobs::QUEUES);
    }
}
