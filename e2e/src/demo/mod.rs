//! `just demo` and `just up`: a whole system on this machine, real events through it, and the account of what became
//! of them. Whatever happens, everything that was started is stopped.

mod account;
mod case;
mod narrator;
mod run_env;
mod snapshot;
pub(crate) mod system;
mod traffic;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use self::{
    case::EVENTS,
    narrator::{say, step},
    system::{Props, System},
};
use crate::{
    client::Client,
    folder::RunFolder,
    services::{Program, install_missing},
    stage::Given,
};

const WATCH_POLL: Duration = Duration::from_millis(500);

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// `.posthouse/` of the project.
    pub root: PathBuf,
    /// Name of the run's folders.
    pub name: &'static str,
    /// Name of the project to create.
    pub project: String,
    /// No receiver, no broker, no events; receivers on loopback are allowed.
    pub is_bare: bool,
    /// Stays until it is interrupted.
    pub stays: bool,
    /// Services to use instead of private ones.
    pub given: Given,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// As it should.
    Done,
    /// Before it had begun to stay or had shown everything.
    Interrupted,
}

/// Starts a system, sends the demo's events unless it is bare, and stops everything: at once, or if it stays when it is
/// interrupted.
///
/// # Errors
/// Something does not come up or ends by itself, or the account is not what it must be.
pub async fn run(options: &Options, interrupted: impl Future<Output = ()>) -> Result<Ended> {
    let start = Instant::now();
    tokio::pin!(interrupted);
    // An interruption drops what has begun, and with it everything that was started.
    let (mut system, differences) = tokio::select! {
        begun = begin(options) => begun?,
        () = &mut interrupted => return Ok(Ended::Interrupted),
    };
    if options.stays {
        say("\nEverything runs until Ctrl-C.");
        tokio::select! {
            result = watch(&mut system) => result?,
            () = interrupted => {}
        }
    }
    step("Stopping everything that was started", system.stop()).await?;
    if !differences.is_empty() {
        bail!(
            "{} of {} events ended otherwise than expected:\n  {}",
            differences.len(),
            EVENTS.len(),
            differences.join("\n  ")
        );
    }
    say(&format!("All of it took {:.1} s.", start.elapsed().as_secs_f64()));
    Ok(Ended::Done)
}

/// A system that runs, with what differs in its account.
async fn begin(options: &Options) -> Result<(System, Vec<String>)> {
    run_env::remove(&options.root)?;
    install_missing(&needed(options), &mut |line| say(&line)).await?;
    let folder = RunFolder::create(&options.root, options.name)?;
    let logs = folder.logs().to_path_buf();
    let system = System::start(folder, options.given.clone(), &options.project, options.is_bare).await?;
    run_env::write(&options.root, &system.run_env())?;
    let differences = match &system.props {
        Some(props) => show(&system, props).await?,
        None => Vec::new(),
    };
    point_to(&system, &options.root, &logs);
    Ok((system, differences))
}

/// The services that this run starts itself.
fn needed(options: &Options) -> Vec<Program> {
    let postgres = options.given.database_url.is_none().then_some(Program::POSTGRES);
    let redis = options.given.redis_url.is_none().then_some(Program::REDIS);
    let mosquitto = (!options.is_bare).then_some(Program::MOSQUITTO);
    [postgres, redis, mosquitto].into_iter().flatten().collect()
}

/// Sends the demo's events and prints their account; the answer is what differs from what must be.
async fn show(system: &System, props: &Props) -> Result<Vec<String>> {
    let client = Client::new(&system.url(), &system.tenant.project_id, &system.tenant.api_key)?;
    let creating = traffic::create_endpoints(&client, props.receiver_address, props.receiver_admin());
    let endpoints = step("Creating endpoints and subscriptions over the REST API", creating).await?;
    step("Creating an MQTT source and waiting until ingest reads it", traffic::create_source(&client, &props.broker))
        .await?;
    let sending = traffic::send_events(&client, &props.broker, &endpoints);
    step("Sending events over REST and MQTT", sending).await?;
    say("- Waiting until every event has come to its end");
    snapshot::settle(&client).await?;
    let lines = account::read(&client, &endpoints).await?;
    say(&format!("\nThe account, read back through the REST API:\n\n{}", account::table(&lines)));
    Ok(lines.iter().zip(&EVENTS).filter_map(|(line, case)| line.difference(case)).collect())
}

fn point_to(system: &System, root: &Path, logs: &Path) {
    say(&format!("REST API     {}", system.url()));
    say(&format!("API docs     {}/docs", system.url()));
    say(&format!("Job board    http://{}/key (sign in with the personal key)", system.deployment.board));
    say(&format!("Project      {}", system.tenant.project_id));
    say(&format!("API key      {}", system.tenant.api_key));
    say(&format!("Personal key {}", system.tenant.personal_key));
    say(&format!("Services     {}", system.stage.describe()));
    say(&format!("To attach    . {}", root.join(run_env::FILE).display()));
    say(&format!("Logs         {}", logs.display()));
}

/// Ends with an error as soon as anything has ended by itself.
async fn watch(system: &mut System) -> Result<()> {
    loop {
        system.check_alive()?;
        tokio::time::sleep(WATCH_POLL).await;
    }
}
