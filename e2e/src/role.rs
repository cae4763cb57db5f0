//! One role of Posthouse as a process: started, waited for until it is ready, stopped, killed, started again with the
//! same settings on the same port.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::process::{Ending, Process, guarded};

/// A role answers within a second; on a machine that is busy compiling it takes longer.
const READY_LIMIT: Duration = Duration::from_secs(60);
const READY_POLL: Duration = Duration::from_millis(50);
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// A role drains on SIGTERM for at most 30 s by its own default. Nobody waits for an orphan's drain.
const ENDING: Ending = Ending { signal: Signal::TERM, orphan_signal: "KILL", limit: Duration::from_secs(35) };

/// What it takes to start a role.
#[derive(Debug, Clone)]
pub struct RoleSpec {
    /// Its name among the others, such as `worker-1`.
    pub name: String,
    /// The binary.
    pub program: PathBuf,
    /// Its flags.
    pub arguments: Vec<String>,
    /// Settings that should not be seen in a process list.
    pub environment: Vec<(&'static str, String)>,
    /// Where it answers `/readyz`.
    pub probe: SocketAddr,
    /// The folder of its log.
    pub logs: PathBuf,
}

/// A role that was started.
#[derive(Debug)]
pub struct Role {
    spec: RoleSpec,
    process: Process,
}

impl Role {
    /// Starts the process and does not wait.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn spawn(spec: RoleSpec) -> Result<Self> {
        let process = launch(&spec)?;
        Ok(Self { spec, process })
    }

    /// Its name among the others.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Where it answers `/healthz`, `/readyz` and `/metrics`.
    #[must_use]
    pub fn probe(&self) -> SocketAddr {
        self.spec.probe
    }

    /// Its process: to stop it, kill it, or read its log.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Starts it again after its end.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn respawn(&mut self) -> Result<()> {
        self.process = launch(&self.spec)?;
        Ok(())
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Errors
    /// It ended, or is not ready in its time; the text has its last answer and the end of its log.
    pub async fn wait_until_ready(&mut self, http: &reqwest::Client) -> Result<()> {
        let url = format!("http://{}/readyz", self.spec.probe);
        let start = Instant::now();
        loop {
            let answer = http.get(&url).timeout(PROBE_LIMIT).send().await;
            if answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            self.process.check_alive()?;
            if start.elapsed() > READY_LIMIT {
                let last = match answer {
                    Ok(answer) => answer.text().await.unwrap_or_default(),
                    Err(error) => format!("{error:#}"),
                };
                bail!(
                    "{} is not ready after {READY_LIMIT:?}: {last}\nThe end of its log:\n{}",
                    self.spec.name,
                    self.process.log_tail()
                );
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }
}

/// The folder of the built binaries: that of the running one, or for a test the one above it.
///
/// # Errors
/// The system does not say what runs.
pub fn binaries() -> Result<PathBuf> {
    let program = std::env::current_exe().context("find the running program")?;
    let folder = program.parent().context("a program lies in a folder")?;
    let is_test = folder.file_name().is_some_and(|name| name == "deps");
    let folder = if is_test { folder.parent().context("`deps` lies in a folder")? } else { folder };
    Ok(folder.into())
}

/// The built binary of this name.
///
/// # Errors
/// It was not built.
pub fn binary(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    if !path.is_file() {
        bail!(
            "{} is not built; run `cargo build --workspace --bins` first, as `./just test` and `./just demo` do",
            path.display()
        );
    }
    Ok(path)
}

/// A command for one of our binaries, free of the settings that the caller's shell may hold for another instance.
pub(crate) fn command(program: &Path) -> std::process::Command {
    let mut command = guarded(program, ENDING, &[]);
    for (name, _) in std::env::vars_os() {
        let is_ours =
            name.to_str().is_some_and(|n| n.starts_with("POSTHOUSE_") || n == "DATABASE_URL" || n == "REDIS_URL");
        if is_ours {
            command.env_remove(name);
        }
    }
    command
}

fn launch(spec: &RoleSpec) -> Result<Process> {
    let mut command = command(&spec.program);
    command.args(&spec.arguments).envs(spec.environment.iter().map(|(name, value)| (name, value)));
    Process::start(&spec.name, command, &spec.logs.join(format!("{}.log", spec.name)), ENDING)
}
