//! The worker role.

use std::process::ExitCode;

use posthouse_service::{logs, settings, shutdown, traces};
use posthouse_worker::{config::Config, run};

#[tokio::main]
async fn main() -> ExitCode {
    let config: Config = settings::read();
    logs::init("worker", &config.process);
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("TLS was set up before.");
    }
    let ended = run::worker(config, shutdown::on_signals()).await;
    traces::stop().await;
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "The worker cannot run.");
            ExitCode::FAILURE
        }
    }
}
