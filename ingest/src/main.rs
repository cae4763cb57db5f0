//! The ingest role: reads the settings, connects, follows the sources until a signal, and drains.

use std::{process::ExitCode, sync::Arc};

use posthouse_ingest::{
    config::Config, connection_test, feed::Feed, follow::Follower, intake::Intake, metrics::IngestMetrics, redrive,
    watch::Watch,
};
use posthouse_jobs::backing::{Backing, Purpose};
use posthouse_service::{logs, metrics::Metrics, probes, settings, shutdown, traces};
use posthouse_transform::{Limits, Transformer};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    let config: Config = settings::read();
    logs::init("ingest", &config.process);
    let ended = run(&config).await;
    traces::stop().await;
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "Ingest cannot run.");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: &Config) -> anyhow::Result<()> {
    let stopping = shutdown::on_signals();
    let backing = tokio::select! {
        biased;
        () = stopping.cancelled() => return Ok(()),
        connected = Backing::connect(&config.database, &config.redis, Purpose::General) => connected?,
    };
    let metrics = Metrics::new("ingest");
    backing.register(&metrics);
    // The probes answer until the drain is over.
    let drained = CancellationToken::new();
    let (listen, probes) =
        probes::serve(config.listen, Arc::new(backing.checks()), metrics.clone(), drained.clone()).await?;
    tracing::info!(%listen, "Ingest runs.");
    let intake = Intake {
        queues: backing.queues,
        metrics: IngestMetrics::register(&metrics),
        transformer: Transformer::new(Limits::default()),
    };
    let instance = format!("{}-{:016x}", std::process::id(), rand::random::<u64>());
    let redrive = redrive::run(backing.pool.clone(), intake.clone(), config.poll_interval, stopping.clone());
    let redriving = tokio::spawn(redrive);
    let watch = Watch {
        pool: backing.pool.clone(),
        queues: intake.queues.clone(),
        statuses: intake.metrics.statuses().clone(),
        failing_after: config.source_failing_after,
    };
    let testing = connection_test::run(backing.pool.clone(), intake.queues.clone(), stopping.clone());
    let testing = tokio::spawn(testing);
    let followed = CancellationToken::new();
    let watching = tokio::spawn(watch.run(followed.clone()));
    let feed = Feed::new(Follower { pool: backing.pool, intake, instance });
    feed.run(config.poll_interval, config.process.drain_timeout, stopping).await;
    redriving.await?;
    testing.await?;
    followed.cancel();
    watching.await?;
    drained.cancel();
    probes.await?;
    tracing::info!("Ingest has stopped.");
    Ok(())
}
