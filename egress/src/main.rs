//! The egress role.

mod check;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use posthouse_egress::{
    audit,
    config::{CheckSettings, Command, Config},
    proxy,
};
use posthouse_service::{
    logs,
    metrics::Metrics,
    probes::{self, Checks},
    settings, shutdown, traces,
};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;

/// A tunnel is two sockets.
const HANDLES_PER_TUNNEL: u64 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let config: Config = settings::read();
    let answered = match &config.command {
        Some(command) => answer(command).await,
        None => {
            logs::init("egress", &config.process);
            let served = serve(&config).await;
            traces::stop().await;
            served.map(|()| ExitCode::SUCCESS).inspect_err(|error| {
                tracing::error!(error = format!("{error:#}"), "The proxy cannot run.");
            })
        }
    };
    answered.unwrap_or_else(|error| {
        if config.command.is_some() {
            tell(&format!("error: {error:#}"));
        }
        ExitCode::FAILURE
    })
}

async fn answer(command: &Command) -> anyhow::Result<ExitCode> {
    let (is_good, text) = match command {
        Command::Check(wanted) => {
            let CheckSettings { url, proxy, identity, role, project, rules, names } = &**wanted;
            if let Some(proxy) = proxy {
                check::ask(url, proxy, &identity.identity(), project.as_deref()).await?
            } else {
                let policy = rules.policy()?.current();
                let role = policy.role_named(role.as_deref(), project.as_deref()).map_err(anyhow::Error::msg)?;
                check::check(url, &role, &names.resolver()?).await
            }
        }
        Command::Audit { proxy, identity, project, allow } => {
            let identity = identity.identity();
            let asked = audit::Asked { proxy, identity: &identity, project: project.as_deref() };
            let report = audit::run(asked, allow).await?;
            (report.is_clean(), report.to_string())
        }
    };
    tell(text.trim_end());
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "the answer of a command for people")]
fn tell(text: &str) {
    println!("{text}");
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signals();
    let metrics = Metrics::new("egress");
    let settings = config.settings()?;
    open_handles(config.limits.max_tunnels);
    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("{} cannot be bound", config.listen))?;
    let (probe_listen, probes) =
        probes::serve(config.probe_listen, Arc::new(Checks::new()), metrics.clone(), shutdown.clone()).await?;
    tracing::info!(listen = %listener.local_addr()?, %probe_listen, rules = ?config.rules, sources = ?config.bind_source, dns = ?config.names.dns, "The proxy takes connections.");
    proxy::serve(listener, settings, &metrics, shutdown).await?;
    probes.await?;
    tracing::info!("The proxy has stopped; no tunnel is open.");
    Ok(())
}

/// Takes as many file handles as the system gives, and says so when they are too few for the tunnels.
fn open_handles(tunnels_max: usize) {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if setrlimit(Resource::Nofile, limit).is_err() {
        limit = getrlimit(Resource::Nofile);
    }
    let wanted = HANDLES_PER_TUNNEL.saturating_mul(tunnels_max as u64);
    if let Some(handles) = limit.current.filter(|handles| *handles < wanted) {
        tracing::warn!(handles, wanted, "There are fewer file handles than the tunnels that may be open need.");
    }
}
