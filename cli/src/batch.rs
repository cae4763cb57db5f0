//! `posthouse batch`: retries and replays of everything that a query matched, which the workers do in the background; and
//! watching one to its end.

use std::{process::ExitCode, time::Duration};

use clap::Subcommand;
use posthouse_service::shutdown;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    api::{Access, Client, Query, text},
    exit,
    output::{answer, note, table},
    progress,
};

/// The header that names a batch which was begun.
pub const BATCH_ID: &str = "x-posthouse-batch-id";
/// Between two looks, at first and at most.
const LOOKS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

const EXAMPLES: &str = "Examples:
  posthouse batch list
  posthouse batch show 01JD…
  posthouse batch cancel 01JD…";

/// Lists, shows and calls off batches: retries and replays of many.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Batch {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists batches, the newest first.
    List {
        /// How many at most.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Shows how far a batch has come.
    Show {
        /// Id of the batch.
        id: String,
    },
    /// Calls a batch off. What it has enqueued goes on.
    Cancel {
        /// Id of the batch.
        id: String,
    },
}

impl Batch {
    /// Runs the command.
    pub async fn run(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        let client = self.access.connect().await?;
        match &self.command {
            Command::List { limit } => {
                let (rows, next) = client.list(&["batches"], &Query::new(), *limit, None).await?;
                let cells: Vec<_> = rows.iter().map(cells).collect();
                let table = table(["id", "kind", "status", "done", "asked for"], &cells, "no batches");
                answer(is_json, &json!({"batches": rows, "has_more": next.is_some()}), &table);
            }
            Command::Show { id } => {
                let batch = client.get(&["batches", id], Query::new()).await?;
                answer(is_json, &batch, &line(&batch));
            }
            Command::Cancel { id } => {
                let batch = client.call(Method::POST, &["batches", id, "cancel"], Query::new(), None).await?.data;
                answer(is_json, &batch, &line(&batch));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn cells(batch: &Value) -> [String; 5] {
    let field = |pointer| text(batch, pointer).to_string();
    [field("/uid"), field("/kind"), field("/status"), done(batch).to_string(), field("/created_at")]
}

fn done(batch: &Value) -> u64 {
    batch.get("done").and_then(Value::as_u64).unwrap_or_default()
}

/// A batch in one line.
fn line(batch: &Value) -> String {
    let [id, kind, status, done, _] = cells(batch);
    format!("{kind}  {id}  {status}  {done} done")
}

/// What watching a batch came to.
pub enum Watched {
    /// It has ended; the batch.
    Ended(Value),
    /// Nobody wants to watch any more. It goes on.
    Left,
}

/// Watches a batch of about `total` to its end, or until Ctrl-C.
///
/// # Errors
/// The API refuses; what may pass is waited for.
pub async fn watch(client: &Client, id: &str, total: u64, is_json: bool) -> anyhow::Result<Watched> {
    let (bar, stop, mut pause) = (progress::bar(total, is_json), shutdown::on_signals(), LOOKS.0);
    loop {
        match client.get(&["batches", id], Query::new()).await {
            Ok(batch) => {
                bar.set_position(done(&batch));
                if !matches!(text(&batch, "/status"), "pending" | "processing") {
                    bar.finish_and_clear();
                    return Ok(Watched::Ended(batch));
                }
            }
            Err(error) if error.may_pass() => {}
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => {
                bar.finish_and_clear();
                note(&format!("It goes on. `posthouse batch show {id}` tells how far it is, `posthouse batch cancel {id}` ends it."));
                return Ok(Watched::Left);
            }
        }
        pause = (pause * 2).min(LOOKS.1);
    }
}

/// A batch that was just asked for.
#[derive(Debug, Clone, Copy)]
pub struct Begun<'a> {
    /// Its id, as the API named it.
    pub id: Option<&'a str>,
    /// How many matched beforehand.
    pub matched: u64,
}

impl Begun<'_> {
    /// Watches it to its end, if somebody wants to wait, and answers.
    ///
    /// # Errors
    /// The API refuses.
    pub async fn follow(&self, client: &Client, detach: bool, is_json: bool) -> anyhow::Result<ExitCode> {
        let Self { id, matched } = *self;
        let watched = match id {
            Some(id) if !detach => watch(client, id, matched, is_json).await?,
            _ => Watched::Left,
        };
        let Watched::Ended(batch) = watched else {
            let said = format!("{matched} matched; batch {}", id.unwrap_or("unknown"));
            answer(is_json, &json!({"matched": matched, "batch": {"uid": id}}), &said);
            return Ok(ExitCode::SUCCESS);
        };
        let sentence = format!("{}  ({matched} matched beforehand)", line(&batch));
        answer(is_json, &json!({"matched": matched, "batch": batch}), &sentence);
        let is_complete = text(&batch, "/status") == "completed";
        Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::from(exit::NOT_ALL) })
    }
}
