//! `posthouse schedule`: the periodic jobs, over the API as an instance administrator.

use std::{process::ExitCode, time::Duration};

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    api::{Access, Client, text},
    exit,
    output::{answer, table},
};

/// Between two looks at a run.
const LOOK: Duration = Duration::from_millis(500);

const EXAMPLES: &str = "Examples:
  posthouse schedule list
  posthouse schedule show purge_expired
  posthouse schedule run purge_expired --wait
  posthouse schedule pause purge_expired
  posthouse schedule resume purge_expired";

/// Lists, runs, pauses and resumes the periodic jobs. Needs the personal key of an instance administrator.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Schedule {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the schedules with their last and next runs.
    List,
    /// Shows a schedule and its last runs.
    Show {
        /// Its name.
        name: String,
    },
    /// Runs a schedule now, paused or not.
    Run {
        /// Its name.
        name: String,
        /// Waits until the run has ended, and tells what came of it.
        #[arg(long)]
        wait: bool,
        /// How long to wait.
        #[arg(long, default_value = "1m", value_parser = posthouse_service::settings::duration)]
        timeout: Duration,
    },
    /// Pauses a schedule, for every scheduler to come.
    Pause {
        /// Its name.
        name: String,
    },
    /// Lets a paused schedule go on.
    Resume {
        /// Its name.
        name: String,
    },
}

impl Schedule {
    /// Runs the command.
    pub async fn run(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        let client = self.access.connect_above()?;
        match &self.command {
            Command::List => {
                let schedules = client.ask_ui(Method::GET, &["admin", "schedules"]).await?;
                let rows: Vec<_> = schedules.as_array().into_iter().flatten().map(cells).collect();
                let titles = ["name", "cron", "state", "last run", "took", "next run"];
                answer(
                    is_json,
                    &json!({"schedules": schedules}),
                    &table(titles, &rows, "no schedules: no scheduler was active yet"),
                );
            }
            Command::Show { name } => {
                let schedule = client.ask_ui(Method::GET, &["admin", "schedules", name]).await?;
                answer(is_json, &schedule, &shown(&schedule));
            }
            Command::Run { name, wait, timeout } => {
                let asked = client.ask_ui(Method::POST, &["admin", "schedules", name, "run"]).await?;
                if *wait {
                    return follow(&client, (name, text(&asked, "/tick_at")), *timeout, is_json).await;
                }
                answer(is_json, &asked, &format!("{name}  {}  asked for", text(&asked, "/tick_at")));
            }
            Command::Pause { name } => tell(&client, name, "pause", is_json).await?,
            Command::Resume { name } => tell(&client, name, "resume", is_json).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn tell(client: &Client, name: &str, what: &str, is_json: bool) -> anyhow::Result<()> {
    let schedule = client.ask_ui(Method::PUT, &["admin", "schedules", name, what]).await?;
    answer(is_json, &schedule, &cells(&schedule).join("  "));
    Ok(())
}

/// Waits for the end of a run.
async fn follow(
    client: &Client,
    (name, tick): (&str, &str),
    timeout: Duration,
    is_json: bool,
) -> anyhow::Result<ExitCode> {
    let until = Instant::now() + timeout;
    loop {
        let schedule = client.ask_ui(Method::GET, &["admin", "schedules", name]).await?;
        let runs = schedule.get("runs").and_then(Value::as_array);
        let run = runs.into_iter().flatten().find(|run| text(run, "/tick_at") == tick).cloned().unwrap_or_default();
        let status = text(&run, "/status");
        let has_ended = matches!(status, "succeeded" | "failed");
        if has_ended || Instant::now() >= until {
            answer(is_json, &run, &run_line(&run));
            return Ok(match status {
                "succeeded" => ExitCode::SUCCESS,
                "failed" => ExitCode::from(exit::NOT_ALL),
                _ => ExitCode::from(exit::TIMED_OUT),
            });
        }
        sleep(LOOK).await;
    }
}

fn cells(schedule: &Value) -> [String; 6] {
    let field = |pointer| text(schedule, pointer).to_string();
    let is_paused = schedule.get("is_paused").and_then(Value::as_bool).unwrap_or_default();
    let status = text(schedule, "/last_run/status");
    let state = match (is_paused, status) {
        (true, _) => "paused",
        (false, "") => "never ran",
        (false, status) => status,
    };
    let took = schedule.pointer("/last_run/duration_ms").and_then(Value::as_i64);
    let took = took.map(|milliseconds| format!("{milliseconds} ms")).unwrap_or_default();
    let started = field("/last_run/started_at");
    [field("/name"), field("/cron"), state.to_string(), started, took, field("/next_run_at")]
}

fn shown(schedule: &Value) -> String {
    let runs = schedule.get("runs").and_then(Value::as_array);
    let lines = runs.into_iter().flatten().map(run_line);
    std::iter::once(cells(schedule).join("  ")).chain(lines).collect::<Vec<_>>().join("\n")
}

/// A run in one line: what it did, or why it failed.
fn run_line(run: &Value) -> String {
    let outcome = match text(run, "/error") {
        "" => run.get("result").filter(|result| !result.is_null()).map(Value::to_string).unwrap_or_default(),
        error => crate::output::plain(error),
    };
    let [tick, status, worker] = ["/tick_at", "/status", "/worker"].map(|pointer| text(run, pointer));
    format!("{tick}  {status}  {worker}  {outcome}").trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_a_line_that_says_how_it_is() {
        let schedule = |is_paused: bool, last_run: Value| json!({"name": "purge_expired", "cron": "0 10 * * * *", "is_paused": is_paused, "last_run": last_run, "next_run_at": null});
        let run = json!({"status": "failed", "started_at": "2026-01-02T03:00:00Z", "duration_ms": 12});
        let failed = ["purge_expired", "0 10 * * * *", "failed", "2026-01-02T03:00:00Z", "12 ms", ""];
        assert_eq!(cells(&schedule(false, run.clone())), failed.map(String::from));
        assert_eq!(cells(&schedule(true, run))[2], "paused");
        assert_eq!(cells(&schedule(false, Value::Null))[2..5], ["never ran".to_string(), String::new(), String::new()]);
    }

    #[test]
    fn a_run_says_what_came_of_it() {
        let run = |result: Value, error: Value| json!({"tick_at": "t", "status": "s", "worker": "w", "result": result, "error": error});
        assert_eq!(run_line(&run(json!({"rows": 7}), Value::Null)), r#"t  s  w  {"rows":7}"#);
        assert_eq!(run_line(&run(Value::Null, json!("no\ndatabase"))), "t  s  w  no\u{fffd}database");
    }
}
