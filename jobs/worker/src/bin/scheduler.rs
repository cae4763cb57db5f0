//! The scheduler role.

use std::{process::ExitCode, sync::Arc};

use posthouse_jobs::backing::{Backing, Purpose};
use posthouse_service::{logs, metrics::Metrics, probes, settings, shutdown, traces};
use posthouse_worker::{
    instance,
    scheduler::{self, config::Config, metrics::SchedulerMetrics},
};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    let config: Config = settings::read();
    logs::init("scheduler", &config.process);
    let ended = start(&config, shutdown::on_signals()).await;
    traces::stop().await;
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "The scheduler cannot run.");
            ExitCode::FAILURE
        }
    }
}

async fn start(config: &Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let backing = Backing::connect(&config.database, &config.redis, Purpose::General).await?;
    let metrics = Metrics::new("scheduler");
    backing.register(&metrics);
    let own = SchedulerMetrics::new(&metrics);
    let (_, probes) =
        probes::serve(config.listen, Arc::new(backing.checks()), metrics.clone(), shutdown.clone()).await?;
    let (services, schedules, holder) = ((&backing.pool, &backing.queues), config.schedules(), instance::name());
    tokio::join!(
        scheduler::run(services, &schedules, &holder, (&metrics, &own), &shutdown),
        own.watch(&backing.queues, &shutdown)
    );
    probes.await?;
    tracing::info!("The scheduler has stopped and given its lease back.");
    Ok(())
}
