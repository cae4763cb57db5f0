//! `posthouse retry`: deliveries that failed, sent once more.

use std::process::ExitCode;

use chrono::Utc;
use posthouse_schema::words::DeliveryStatus;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api::{Access, Client, Query, delivery, delivery::Delivery, window::Window},
    batch::{BATCH_ID, Begun},
    exit::WrongUse,
    output::{answer, confirm},
};

const EXAMPLES: &str = "Examples:
  posthouse retry 01JD…
  posthouse retry --endpoint 01JD… --since 2h --dry-run
  posthouse retry --status failure --event-type order.paid --from 2026-11-26T08:00:00Z --to 2026-11-26T09:00:00Z --yes
  posthouse retry --all --yes --detach --json";

/// Sends a delivery again that failed or was discarded, or all that match.
///
/// Each gets one more attempt at once. Many are done in the background by the workers; --detach does not wait for that.
/// Deliveries of the last seven days are meant where no time is given.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Retry {
    #[command(flatten)]
    access: Access,
    /// Id of the one delivery.
    #[arg(conflicts_with_all = ["statuses", "endpoints", "events", "subscription", "event_type", "since", "from", "to", "all", "dry_run", "detach"])]
    delivery: Option<String>,
    /// All that failed.
    #[arg(long)]
    all: bool,
    /// Only those with this status, failure or discarded; repeatable.
    #[arg(long = "status", value_name = "STATUS", value_parser = failed)]
    statuses: Vec<DeliveryStatus>,
    /// Only those to this endpoint; repeatable.
    #[arg(long = "endpoint", value_name = "ID")]
    endpoints: Vec<String>,
    /// Only those of this event; repeatable.
    #[arg(long = "event", value_name = "ID")]
    events: Vec<String>,
    /// Only those of this subscription.
    #[arg(long, value_name = "ID")]
    subscription: Option<String>,
    /// Only those of this event type.
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    #[command(flatten)]
    window: Window,
    /// Only counts them.
    #[arg(long)]
    dry_run: bool,
    /// Does not ask.
    #[arg(long, short = 'y')]
    yes: bool,
    /// Does not wait until all are enqueued.
    #[arg(long)]
    detach: bool,
}

fn failed(word: &str) -> Result<DeliveryStatus, String> {
    delivery::status(word)
        .ok()
        .filter(|status| matches!(status, DeliveryStatus::Failure | DeliveryStatus::Discarded))
        .ok_or_else(|| "failure or discarded is expected; others are tried by themselves, or have succeeded".into())
}

impl Retry {
    /// Runs the command.
    pub async fn run(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        match &self.delivery {
            Some(id) => one(&self.access.connect().await?, id, is_json).await,
            None if self.all || self.is_narrowed() => self.many(is_json).await,
            None => Err(WrongUse::because("which ones? Give the id of a delivery, a filter, or --all")),
        }
    }

    fn is_narrowed(&self) -> bool {
        let lists = [&self.endpoints, &self.events];
        !self.statuses.is_empty()
            || lists.iter().any(|list| !list.is_empty())
            || self.subscription.is_some()
            || self.event_type.is_some()
            || self.window.is_given()
    }

    fn query(&self) -> Query {
        let mut query = self.window.query(Utc::now());
        query.extend(self.statuses.iter().map(|status| ("status", status.to_string())));
        query.extend(self.endpoints.iter().map(|id| ("endpointId", id.clone())));
        query.extend(self.events.iter().map(|id| ("eventId", id.clone())));
        query.extend(self.subscription.iter().map(|id| ("subscriptionId", id.clone())));
        query.extend(self.event_type.iter().map(|name| ("eventType", name.clone())));
        query
    }

    async fn many(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        let client = self.access.connect().await?;
        let query = self.query();
        let count = client.get(&["eventdeliveries", "countbatchretryevents"], query.clone()).await?;
        let matched = count.get("num").and_then(Value::as_u64).unwrap_or_default();
        if self.dry_run || matched == 0 {
            let text = format!("{matched} deliveries match{}", if self.dry_run { "; nothing was sent" } else { "" });
            answer(is_json, &json!({"matched": matched, "batch": null}), &text);
            return Ok(ExitCode::SUCCESS);
        }
        anyhow::ensure!(confirm(&format!("Send {matched} deliveries again?"), self.yes)?, "nothing was sent");
        let begun = client.call(Method::POST, &["eventdeliveries", "batchretry"], query, None).await?;
        let begun = Begun { id: begun.header(BATCH_ID), matched };
        begun.follow(&client, self.detach, is_json).await
    }
}

async fn one(client: &Client, id: &str, is_json: bool) -> anyhow::Result<ExitCode> {
    let resent = client.call(Method::PUT, &["eventdeliveries", id, "resend"], Query::new(), None).await?.data;
    let delivery = Delivery::read(resent)?;
    answer(is_json, &delivery.json(), &delivery.line());
    Ok(ExitCode::SUCCESS)
}
