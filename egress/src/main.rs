//! The egress role.

mod check;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use posthouse_egress::{
    config::{Command, Config},
    proxy,
};
use posthouse_service::{
    logs,
    metrics::Metrics,
    probes::{self, Checks},
    settings, shutdown,
};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    let config: Config = settings::read();
    if let Some(Command::Check { url, rules }) = &config.command {
        let (is_allowed, line) = check::check(url, &rules.rules()).await;
        #[expect(clippy::print_stdout, reason = "the answer of a command for people")]
        {
            println!("{line}");
        }
        return if is_allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    logs::init("egress", &config.process);
    match serve(&config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "The proxy cannot run.");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signals();
    let metrics = Metrics::new("egress");
    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("{} cannot be bound", config.listen))?;
    let (_, probes) =
        probes::serve(config.probe_listen, Arc::new(Checks::new()), metrics.clone(), shutdown.clone()).await?;
    tracing::info!(listen = %listener.local_addr()?, allow = ?config.rules.allow, deny = ?config.rules.deny, "The proxy takes connections.");
    proxy::serve(listener, config.settings(), &metrics, shutdown).await?;
    probes.await?;
    tracing::info!("The proxy has stopped; no tunnel is open.");
    Ok(())
}
