//! `just contract`: replays recorded requests against a system of its own, and compares what differs with the differences
//! that `docs/compatibility.md` gives reasons for. The replaying is another program's; it prints a line `FAIL name` for each
//! step whose answer is not the recorded one, and a closing line `N passed, N failed`.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use crate::{demo::system::System, folder::RunFolder, stage::Given};

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The document of known differences.
    pub known: PathBuf,
    /// The replaying program and its arguments. It finds the system by `GATEWAY_URL`, `GATEWAY_ORG`, `GATEWAY_PROJECT`,
    /// `GATEWAY_API_KEY` and `GATEWAY_PERSONAL_KEY`.
    pub command: Vec<OsString>,
}

/// What a run found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Steps that differ.
    pub different: BTreeSet<String>,
    /// Steps that agree; `None`: the program did not reach its end.
    pub passed: Option<u64>,
}

impl Found {
    fn add(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("FAIL ").and_then(|rest| rest.split_whitespace().next()) {
            self.different.insert(name.into());
        }
        if let Some((passed, rest)) = line.split_once(" passed, ")
            && rest.ends_with(" failed")
        {
            self.passed = passed.parse().ok();
        }
    }
}

/// Starts a bare system, replays, and stops it. `true`: whatever differs is known.
///
/// # Errors
/// Something does not come up, or the program does not reach its end.
pub async fn run(root: &Path, options: &Options) -> Result<bool> {
    let text = std::fs::read_to_string(&options.known).with_context(|| format!("read {}", options.known.display()))?;
    let known = known(&text);
    let folder = RunFolder::create(root, "contract")?;
    let system = System::start(folder, Given::default(), "golden", true).await?;
    let found = replay(&system, &options.command).await;
    system.stop().await?;
    let found = found?;
    let Some(passed) = found.passed else { bail!("the replaying program did not reach its end") };
    let mut out = std::io::stdout().lock();
    let unknown: Vec<_> = found.different.difference(&known).collect();
    for name in &unknown {
        writeln!(out, "unknown difference: {name}")?;
    }
    for name in known.difference(&found.different) {
        writeln!(out, "no difference any more, or not replayed: {name}")?;
    }
    let known = found.different.len() - unknown.len();
    writeln!(out, "contract: {passed} agree, {known} differ for a known reason, {} differ unknown", unknown.len())?;
    Ok(unknown.is_empty())
}

async fn replay(system: &System, command: &[OsString]) -> Result<Found> {
    let (program, arguments) = command.split_first().context("no command given")?;
    let tenant = &system.tenant;
    let mut child = Command::new(program)
        .args(arguments)
        .env("GATEWAY_URL", system.url())
        .env("GATEWAY_ORG", &tenant.organisation_id)
        .env("GATEWAY_PROJECT", &tenant.project_id)
        .env("GATEWAY_API_KEY", &tenant.api_key)
        .env("GATEWAY_PERSONAL_KEY", &tenant.personal_key)
        .env("PYTHONUNBUFFERED", "1")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("run {}", program.display()))?;
    let mut lines = BufReader::new(child.stdout.take().context("its output is piped")?).lines();
    let mut found = Found::default();
    while let Some(line) = lines.next_line().await? {
        found.add(&line);
        writeln!(std::io::stdout(), "{line}")?;
    }
    child.wait().await.context("wait for the replaying program")?;
    Ok(found)
}

/// The steps that the document's tables name: the first cell of a row, in backticks.
fn known(text: &str) -> BTreeSet<String> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    cells.map(|(name, _)| name.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_read_from_the_output() {
        let mut found = Found::default();
        for line in ["FAIL events/events.replay  PUT /x", "     status: expected 200", "ok   a/b", "7 passed, 1 failed"]
        {
            found.add(line);
        }
        assert_eq!(found, Found { different: BTreeSet::from(["events/events.replay".into()]), passed: Some(7) });
    }

    #[test]
    fn what_is_known_is_read_from_the_tables() {
        let text = "# T\nsome `code`\n| step | recorded |\n|---|---|\n| `a/a.b` | 500 | 400 | why `x` |\n| plain | |\n";
        assert_eq!(known(text), BTreeSet::from(["a/a.b".into()]));
    }
}
