//! `posthouse replay`: stored events, matched by the subscriptions of now and delivered anew.

use std::process::ExitCode;

use anyhow::Context as _;
use chrono::Utc;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api::{Access, Client, Query, text, window::Window},
    batch::{self, BATCH_ID, Begun, Watched},
    exit::WrongUse,
    output::{answer, confirm, table},
};

const EXAMPLES: &str = "Examples:
  posthouse replay 01JD…
  posthouse replay --from 2026-11-26T08:00:00Z --to 2026-11-26T09:00:00Z --dry-run
  posthouse replay --since 30m --endpoint 01JD… --yes";

/// Delivers stored events anew: one, or all of a time window.
///
/// These are new deliveries, to whoever subscribes now. A dry run tells how many there would be, and to whom. Many are done
/// in the background by the workers; --detach does not wait for that.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Replay {
    #[command(flatten)]
    access: Access,
    /// Id of the one event.
    #[arg(conflicts_with_all = ["endpoints", "sources", "owner", "since", "from", "to", "dry_run", "detach"])]
    event: Option<String>,
    #[command(flatten)]
    window: Window,
    /// Only events that went to this endpoint; repeatable.
    #[arg(long = "endpoint", value_name = "ID")]
    endpoints: Vec<String>,
    /// Only events of this source; repeatable.
    #[arg(long = "source", value_name = "ID")]
    sources: Vec<String>,
    /// Only events that went to an endpoint of this owner.
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
    /// Delivers nothing, and tells what would be.
    #[arg(long)]
    dry_run: bool,
    /// Does not ask.
    #[arg(long, short = 'y')]
    yes: bool,
    /// Does not wait until all are enqueued.
    #[arg(long)]
    detach: bool,
}

impl Replay {
    /// Runs the command.
    pub async fn run(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        match &self.event {
            Some(id) => {
                let client = self.access.connect().await?;
                client.call(Method::PUT, &["events", id, "replay"], Query::new(), None).await?;
                answer(is_json, &json!({"event_id": id}), &format!("event  {id}  is delivered anew"));
                Ok(ExitCode::SUCCESS)
            }
            None if self.window.is_given() => self.many(is_json).await,
            None => Err(WrongUse::because("which ones? Give the id of an event, or a window: --since, --from, --to")),
        }
    }

    fn query(&self) -> Query {
        let mut query = self.window.query(Utc::now());
        query.extend(self.endpoints.iter().map(|id| ("endpointId", id.clone())));
        query.extend(self.sources.iter().map(|id| ("sourceId", id.clone())));
        query.extend(self.owner.iter().map(|id| ("ownerId", id.clone())));
        query
    }

    async fn many(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        let client = self.access.connect().await?;
        let mut query = self.query();
        let count = client.get(&["events", "countbatchreplayevents"], query.clone()).await?;
        let matched = count.get("num").and_then(Value::as_u64).unwrap_or_default();
        if matched == 0 {
            answer(is_json, &json!({"matched": 0, "batch": null}), "no events match");
            return Ok(ExitCode::SUCCESS);
        }
        if self.dry_run {
            query.push(("dry_run", "true".into()));
        } else {
            anyhow::ensure!(confirm(&format!("Deliver {matched} events anew?"), self.yes)?, "nothing was sent");
        }
        let begun = client.call(Method::POST, &["events", "batchreplay"], query, None).await?;
        let id = begun.header(BATCH_ID);
        if self.dry_run {
            return try_out(&client, id.context("the API does not name the dry run")?, matched, is_json).await;
        }
        Begun { id, matched }.follow(&client, self.detach, is_json).await
    }
}

async fn try_out(client: &Client, id: &str, matched: u64, is_json: bool) -> anyhow::Result<ExitCode> {
    let Watched::Ended(batch) = batch::watch(client, id, matched, is_json).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let status = text(&batch, "/status");
    anyhow::ensure!(status == "completed", "the dry run {id} is {status}");
    let report = batch.get("report").cloned().unwrap_or_default();
    let number = |field: &str| report.get(field).and_then(Value::as_u64).unwrap_or_default();
    let rows: Vec<_> = report
        .get("endpoints")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|row| [text(row, "/endpoint_id").to_string(), row.get("deliveries").unwrap_or(&Value::Null).to_string()])
        .collect();
    let sentence = format!(
        "{} events would make {} deliveries; {} would go to nobody. Nothing was sent.\n{}",
        number("events"),
        number("deliveries"),
        number("unmatched"),
        table(["endpoint", "deliveries"], &rows, ""),
    );
    answer(is_json, &json!({"matched": matched, "batch": batch}), sentence.trim_end());
    Ok(ExitCode::SUCCESS)
}
