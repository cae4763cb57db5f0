//! `posthouse subscription`: which events an endpoint gets.

use std::process::ExitCode;

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api::{Access, Client, Query, text, without_secrets},
    output::{answer, table},
};

const EXAMPLES: &str = "Examples:
  posthouse subscription list --endpoint 01JD…
  posthouse subscription create --endpoint 01JD… --name paid --event-type order.paid
  posthouse subscription create --endpoint 01JD… --name big --filter '{\"body\": {\"amount\": {\"$gt\": 100}}}'";

/// Lists and makes subscriptions.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Subscription {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists subscriptions, the newest first.
    List(List),
    /// Subscribes an endpoint to events.
    Create(Create),
}

#[derive(Debug, clap::Args)]
struct List {
    /// Of this endpoint; repeatable.
    #[arg(long = "endpoint", value_name = "ID")]
    endpoints: Vec<String>,
    /// How many at most.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// From here on: `next` of the list before.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Create {
    /// Who receives.
    #[arg(long, value_name = "ID")]
    endpoint: String,
    /// What it is called.
    #[arg(long)]
    name: String,
    /// An event type; repeatable. All where none is given.
    #[arg(long = "event-type", value_name = "TYPE", default_value = "*")]
    event_types: Vec<String>,
    /// Conditions on `body`, `headers`, `query` and `path`, as JSON.
    #[arg(long, value_name = "JSON", value_parser = object)]
    filter: Option<Value>,
    /// Whose events; incoming projects need it.
    #[arg(long, value_name = "ID")]
    source: Option<String>,
}

fn object(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if value.is_object() { Ok(value) } else { Err("a JSON object is expected".into()) }
}

impl Subscription {
    /// Runs the command.
    pub async fn run(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        let client = self.access.connect().await?;
        match &self.command {
            Command::List(list) => list.run(&client, is_json).await?,
            Command::Create(create) => create.run(&client, is_json).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The event types of a subscription, in one text.
fn event_types(subscription: &Value) -> String {
    let types = subscription.pointer("/filter_config/event_types").and_then(Value::as_array);
    types.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}

impl List {
    async fn run(&self, client: &Client, is_json: bool) -> anyhow::Result<()> {
        let query: Query = self.endpoints.iter().map(|id| ("endpointId", id.clone())).collect();
        let (rows, next) = client.list(&["subscriptions"], &query, self.limit, self.after.as_deref()).await?;
        let cells: Vec<_> = rows
            .iter()
            .map(|row| {
                let field = |pointer| text(row, pointer).to_string();
                [field("/uid"), field("/name"), field("/endpoint_metadata/name"), event_types(row)]
            })
            .collect();
        let mut table = table(["id", "name", "endpoint", "event types"], &cells, "no subscriptions");
        if let Some(next) = &next {
            table.push_str(&format!("\nThere are more: --after {next}"));
        }
        answer(is_json, &json!({"subscriptions": without_secrets(rows.into()), "next": next}), &table);
        Ok(())
    }
}

impl Create {
    async fn run(&self, client: &Client, is_json: bool) -> anyhow::Result<()> {
        let body = json!({
            "name": self.name, "endpoint_id": self.endpoint, "source_id": self.source,
            "filter_config": {"event_types": self.event_types, "filter": self.filter},
        });
        let made = client.call(Method::POST, &["subscriptions"], Query::new(), Some(body.to_string())).await?.data;
        let line = format!("subscription  {}  to {}", text(&made, "/uid"), event_types(&made));
        answer(is_json, &without_secrets(made), &line);
        Ok(())
    }
}
