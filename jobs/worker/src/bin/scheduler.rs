//! The scheduler role.

use std::process::ExitCode;

use posthouse_service::{logs, metrics::Metrics, probes, settings, shutdown};
use posthouse_worker::{
    run,
    scheduler::{self, config::Config},
};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    let config: Config = settings::read();
    logs::init("scheduler", &config.process);
    match start(&config, shutdown::on_signals()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "The scheduler cannot run.");
            ExitCode::FAILURE
        }
    }
}

async fn start(config: &Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let pool = run::database(&config.database).await?;
    let queues = run::queues(&config.redis).await?;
    let metrics = Metrics::new("scheduler");
    let (_, probes) = probes::serve(config.listen, run::checks(&pool, &queues), metrics, shutdown.clone()).await?;
    scheduler::run(&pool, &queues, &config.schedules(), &scheduler::holder(), &shutdown).await;
    probes.await?;
    tracing::info!("The scheduler has stopped and given its lease back.");
    Ok(())
}
