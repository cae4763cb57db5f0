//! The API role.

use std::process::ExitCode;

use posthouse_api::{config::Config, serve};
use posthouse_service::{logs, settings, shutdown, traces};

#[tokio::main]
async fn main() -> ExitCode {
    let config: Config = settings::read();
    logs::init("api", &config.process);
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("TLS was set up before.");
    }
    let ended = serve::serve(config, shutdown::on_signals()).await;
    traces::stop().await;
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "The API cannot run.");
            ExitCode::FAILURE
        }
    }
}
