//! Runs a command on a private PostgreSQL and Redis and adds up what test binaries report. Its closing line counts
//! every test of every binary, so a binary that was not run cannot go unnoticed.

use std::{ffi::OsString, io::Write, process::Stdio};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::Command,
};

use crate::{
    folder::RunFolder,
    services::Durability,
    stage::{Given, Stage},
};

/// Tests, by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
}

impl Tally {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; …`, if it is one.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        let count = |word: &str| -> u64 {
            let words: Vec<&str> = result.split([' ', ';', '.']).filter(|w| !w.is_empty()).collect();
            words
                .windows(2)
                .find_map(|pair| if pair.get(1) == Some(&word) { pair.first()?.parse().ok() } else { None })
                .unwrap_or(0)
        };
        self.passed += count("passed");
        self.failed += count("failed");
    }
}

/// Runs the command with `POSTHOUSE_TEST_DATABASE_URL` and `POSTHOUSE_TEST_REDIS_URL` set, stops both services and
/// prints the closing line. The answer is the command's exit code.
///
/// # Errors
/// The services do not come up or the command cannot be run.
pub async fn run(folder: &RunFolder, command: &[OsString]) -> Result<i32> {
    let stage = Stage::start(folder, Given::default(), Durability::Relaxed).await?;
    let postgres = stage.postgres.as_ref().context("the test database is private")?;
    let (program, arguments) = command.split_first().context("no command given")?;
    let mut child = Command::new(program)
        .args(arguments)
        .env("POSTHOUSE_TEST_DATABASE_URL", postgres.url("postgres"))
        .env("POSTHOUSE_TEST_REDIS_URL", stage.redis_url())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .with_context(|| format!("run {}", program.display()))?;
    let _group = Group(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)));
    let output = child.stdout.take().context("its output is piped")?;
    let tally = pass_on(output).await?;
    let status = child.wait().await.context("wait for the command")?;
    stage.stop().await?;
    if tally != Tally::default() {
        writeln!(std::io::stdout(), "\n{} passed, {} failed", tally.passed, tally.failed)?;
    }
    Ok(status.code().unwrap_or(1))
}

/// The command with all that it started, ended together when the run is given up.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // A group that has ended already is what is wanted.
            kill_process_group(leader, Signal::TERM).ok();
        }
    }
}

/// Copies the output line by line to ours and adds up the results in it.
async fn pass_on(output: impl AsyncRead + Unpin) -> Result<Tally> {
    let mut lines = BufReader::new(output).split(b'\n');
    let mut tally = Tally::default();
    while let Some(mut line) = lines.next_segment().await? {
        tally.add(&String::from_utf8_lossy(&line));
        line.push(b'\n');
        std::io::stdout().write_all(&line)?;
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_binaries_are_added() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 11 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
            "all 99 passed; said a test",
        ] {
            tally.add(line);
        }
        assert_eq!(tally, Tally { passed: 14, failed: 2 });
    }
}
