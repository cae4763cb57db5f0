//! One child process. Whoever holds it owns it: it is stopped when its holder is dropped, and the system stops it
//! when the holder dies without a word. Signals go to exactly the process started here, by its id.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::LazyLock,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::CommandExt;

const POLL: Duration = Duration::from_millis(20);
const LOG_TAIL_BYTES_MAX: usize = 3_000;

/// How a program is asked to end, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// Sent first; SIGKILL follows when `limit` has passed.
    pub signal: Signal,
    /// The name of the signal that the system sends when the parent dies.
    pub orphan_signal: &'static str,
    /// From the signal to the end.
    pub limit: Duration,
}

/// A running child process with its log file.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    ending: Ending,
    log: PathBuf,
    is_asked_to_end: bool,
}

/// `setpriv` ties a child's life to ours; without it (it is part of util-linux) only our own end stops it.
static SETPRIV: LazyLock<bool> = LazyLock::new(|| {
    Command::new("setpriv")
        .args(["--pdeathsig", "TERM", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
});

/// A command for `program` that ends with us and runs as `setpriv_options` say.
#[must_use]
pub fn guarded(program: &Path, ending: Ending, setpriv_options: &[String]) -> Command {
    if !*SETPRIV {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", ending.orphan_signal]).args(setpriv_options).arg("--").arg(program);
    command
}

impl Process {
    /// Starts the command in a process group of its own, so that Ctrl-C reaches it through us only, with both output
    /// streams appended to `log`.
    ///
    /// # Errors
    /// The log file cannot be written or the program cannot be run.
    pub fn start(name: &str, mut command: Command, log: &Path, ending: Ending) -> Result<Self> {
        let output = open_log(log)?;
        let errors = output.try_clone().context("open the log twice")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {name} ({})", command.get_program().display()))?;
        Ok(Self { name: name.into(), child, ending, log: log.into(), is_asked_to_end: false })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it ended, or `None` while it runs.
    ///
    /// # Errors
    /// The system cannot say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("wait for {}", self.name))
    }

    /// Waits for its end without asking for it.
    ///
    /// # Errors
    /// It still runs when `limit` has passed.
    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if start.elapsed() > limit {
                bail!("{} (process {}) still runs after {limit:?}", self.name, self.id());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Asks it to end, once: a role that is asked again ends before it has finished what it has.
    ///
    /// # Errors
    /// The system refuses.
    pub fn ask_to_end(&mut self) -> Result<()> {
        if !self.is_asked_to_end {
            self.signal(self.ending.signal)?;
            self.is_asked_to_end = true;
        }
        Ok(())
    }

    /// Asks it to end, if nobody has, and waits. One that takes too long is killed, and that is an error.
    ///
    /// # Errors
    /// It did not end in its time.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        self.ask_to_end()?;
        let ended = self.wait(self.ending.limit).await;
        if ended.is_err() {
            self.kill()?;
        }
        ended
    }

    /// Sends a signal, unless it has ended.
    fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).with_context(|| format!("signal {}", self.name))
    }

    /// Kills it with SIGKILL, as a crash would, and waits for its end.
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("kill {}", self.name))?;
        self.child.wait().with_context(|| format!("wait for {}", self.name))?;
        Ok(())
    }

    /// What it logged.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log(&self) -> Result<String> {
        let bytes = fs::read(&self.log).with_context(|| format!("read {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The end of its log, for an error message.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = self.log().unwrap_or_default();
        let from = log.ceil_char_boundary(log.len().saturating_sub(LOG_TAIL_BYTES_MAX));
        log.get(from..).unwrap_or_default().trim_end().into()
    }

    /// An error when it has ended by itself.
    ///
    /// # Errors
    /// It has ended; the text has the end of its log.
    pub fn check_alive(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => bail!(
                "{} ended by itself ({status}); the end of {}:\n{}",
                self.name,
                self.log.display(),
                self.log_tail()
            ),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ask_to_end().is_err() {
            return;
        }
        let start = Instant::now();
        while start.elapsed() < self.ending.limit {
            match self.child.try_wait() {
                Ok(None) => pause(),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        // It may have ended since the last look; either way nobody is left to tell.
        drop(self.kill());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a drop cannot await, and only a run that failed comes here with a live process"
)]
fn pause() {
    std::thread::sleep(POLL);
}

fn open_log(log: &Path) -> Result<File> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    OpenOptions::new().create(true).append(true).open(log).with_context(|| format!("open {}", log.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(limit: Duration) -> Ending {
        Ending { signal: Signal::TERM, orphan_signal: "KILL", limit }
    }

    fn shell(script: &str, log: &Path, limit: Duration) -> Process {
        let mut command = guarded(Path::new("sh"), ending(limit), &[]);
        command.args(["-c", script]);
        Process::start("shell", command, log, ending(limit)).unwrap()
    }

    fn is_alive(pid: u32) -> bool {
        Path::new(&format!("/proc/{pid}")).exists()
    }

    #[tokio::test]
    async fn a_dropped_process_is_gone_even_if_it_ignores_the_signal() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("shell.log");
        let mut stubborn =
            shell("trap '' TERM; echo deaf; while :; do sleep 0.05; done", &log, Duration::from_millis(200));
        while stubborn.log().unwrap() != "deaf\n" {
            stubborn.check_alive().unwrap();
            tokio::time::sleep(POLL).await;
        }
        let pid = stubborn.id();
        drop(stubborn);
        assert!(!is_alive(pid));
    }

    #[tokio::test]
    async fn a_process_that_ends_by_itself_is_reported_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut short =
            shell("echo out of paper >&2; exit 3", &folder.path().join("shell.log"), Duration::from_secs(5));
        assert_eq!(short.wait(Duration::from_secs(5)).await.unwrap().code(), Some(3));
        let report = short.check_alive().unwrap_err().to_string();
        assert!(report.contains("out of paper") && report.contains("exit status: 3"), "{report}");
    }

    #[tokio::test]
    async fn a_process_that_is_asked_and_then_stopped_hears_of_it_once() {
        let folder = tempfile::tempdir().unwrap();
        let script = "trap 'n=x$n' TERM; echo up; while [ ! \"$n\" ]; do sleep 0.05; done; sleep 0.5; echo told $n";
        let mut asked = shell(script, &folder.path().join("shell.log"), Duration::from_secs(30));
        while asked.log().unwrap() != "up\n" {
            asked.check_alive().unwrap();
            tokio::time::sleep(POLL).await;
        }
        asked.ask_to_end().unwrap();
        assert!(asked.stop().await.unwrap().success());
        assert_eq!(asked.log().unwrap(), "up\ntold x\n");
    }

    #[tokio::test]
    async fn a_stop_that_takes_too_long_is_an_error_and_still_a_stop() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("shell.log");
        let mut stubborn =
            shell("trap '' TERM; echo deaf; while :; do sleep 0.05; done", &log, Duration::from_millis(200));
        while stubborn.log().unwrap() != "deaf\n" {
            tokio::time::sleep(POLL).await;
        }
        assert!(stubborn.stop().await.is_err());
        assert!(!is_alive(stubborn.id()));
    }
}
