//! The ingest role: reads the settings, connects, follows the sources until a signal, and drains.

use std::{process::ExitCode, sync::Arc};

use posthouse_ingest::{config::Config, feed::Feed, follow::Follower, intake::Intake, metrics::IngestMetrics, start};
use posthouse_schema::pool;
use posthouse_service::{logs, metrics::Metrics, probes, probes::Checks, settings, shutdown};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    let config: Config = settings::read();
    logs::init("ingest", &config.process);
    match run(&config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "Ingest cannot run.");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: &Config) -> anyhow::Result<()> {
    let stopping = shutdown::on_signals();
    let (pool, queues) = tokio::select! {
        biased;
        () = stopping.cancelled() => return Ok(()),
        connected = start::connect(config) => connected?,
    };
    let metrics = Metrics::new("ingest");
    let checks = Checks::new()
        .add("postgres", {
            let pool = pool.clone();
            move || {
                let pool = pool.clone();
                Box::pin(async move { pool::ping(&pool).await })
            }
        })
        .add("redis", {
            let queues = queues.clone();
            move || {
                let queues = queues.clone();
                Box::pin(async move { queues.ping().await.map_err(|error| error.to_string()) })
            }
        });
    // The probes answer until the drain is over.
    let drained = CancellationToken::new();
    let (listen, probes) = probes::serve(config.listen, Arc::new(checks), metrics.clone(), drained.clone()).await?;
    tracing::info!(%listen, "Ingest runs.");
    let intake = Intake { queues, metrics: IngestMetrics::register(&metrics) };
    let instance = format!("{}-{:016x}", std::process::id(), rand::random::<u64>());
    let feed = Feed::new(Follower { pool, intake, instance });
    feed.run(config.poll_interval, config.process.drain_timeout, stopping).await;
    drained.cancel();
    probes.await?;
    tracing::info!("Ingest has stopped.");
    Ok(())
}
