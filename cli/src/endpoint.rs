//! `posthouse endpoint`: the URLs that events go to.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api::{Access, Client, Query, text, without_secrets},
    output::{answer, confirm, plain, table},
};

const EXAMPLES: &str = "Examples:
  posthouse endpoint list --query orders
  posthouse endpoint create https://hooks.example.com/orders --name orders --event-type order.paid
  posthouse endpoint show 01JD…
  posthouse endpoint pause 01JD…
  posthouse endpoint activate 01JD…
  posthouse endpoint delete 01JD… --yes";

/// Lists, makes, shows, pauses, activates and deletes endpoints.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Endpoint {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists endpoints, the newest first. Secrets are hidden.
    List(List),
    /// Makes an endpoint. Its secret is shown only now.
    Create(Box<Create>),
    /// Shows an endpoint. Secrets are hidden.
    Show {
        /// Id of the endpoint.
        id: String,
    },
    /// Pauses an endpoint: what is due waits until it is activated. A paused one stays so.
    Pause {
        /// Id of the endpoint.
        id: String,
    },
    /// Activates an endpoint that was paused or disabled. An active one stays so.
    Activate {
        /// Id of the endpoint.
        id: String,
    },
    /// Deletes an endpoint and its subscriptions.
    Delete {
        /// Id of the endpoint.
        id: String,
        /// Does not ask.
        #[arg(long, short = 'y')]
        yes: bool,
    },
}

#[derive(Debug, clap::Args)]
struct List {
    /// A part of the name.
    #[arg(long, value_name = "TEXT")]
    query: Option<String>,
    /// Of this owner.
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// From here on: `next` of the list before.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Create {
    /// Where events go.
    #[arg(value_name = "ENDPOINT_URL")]
    target: String,
    /// What it is called.
    #[arg(long)]
    name: String,
    /// Its owner, in your own terms.
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
    /// For people.
    #[arg(long)]
    description: Option<String>,
    /// Kind of the secret that is made.
    #[arg(long, value_enum, default_value_t = SecretType::Hmac)]
    secret_type: SecretType,
    /// Seconds to wait for its whole answer.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Requests per `--rate-limit-seconds`.
    #[arg(long, requires = "rate_limit_seconds", value_name = "REQUESTS")]
    rate_limit: Option<u32>,
    /// The time that the rate limit is for.
    #[arg(long, requires = "rate_limit", value_name = "SECONDS")]
    rate_limit_seconds: Option<u32>,
    /// Subscribes it to this event type as well, or to all with `*`; repeatable.
    #[arg(long = "event-type", value_name = "TYPE")]
    event_types: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SecretType {
    /// Shared with the receiver.
    Hmac,
    /// Receivers verify with a public key.
    Ed25519,
}

impl Endpoint {
    /// Runs the command.
    pub async fn run(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        let client = self.access.connect().await?;
        match &self.command {
            Command::List(list) => list.run(&client, is_json).await?,
            Command::Create(create) => create.run(&client, is_json).await?,
            Command::Show { id } => show(&find(&client, id).await?, is_json),
            Command::Pause { id } => show(&bring(&client, id, "paused").await?, is_json),
            Command::Activate { id } => show(&bring(&client, id, "active").await?, is_json),
            Command::Delete { id, yes } => {
                let name = plain(text(&find(&client, id).await?, "/name"));
                anyhow::ensure!(confirm(&format!("Delete the endpoint {name} ({id})?"), *yes)?, "nothing was deleted");
                client.call(Method::DELETE, &["endpoints", id], Query::new(), None).await?;
                answer(is_json, &json!({"deleted": id}), &format!("endpoint  {id}  is deleted"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn find(client: &Client, id: &str) -> anyhow::Result<Value> {
    Ok(client.get(&["endpoints", id], Query::new()).await?)
}

/// The API's `pause` lets a paused endpoint go on, and refuses what is so already: here, each command has one end.
async fn bring(client: &Client, id: &str, status: &str) -> anyhow::Result<Value> {
    let endpoint = find(client, id).await?;
    if text(&endpoint, "/status") == status {
        return Ok(endpoint);
    }
    let (method, action) = if status == "paused" { (Method::PUT, "pause") } else { (Method::POST, "activate") };
    Ok(client.call(method, &["endpoints", id, action], Query::new(), None).await?.data)
}

fn show(endpoint: &Value, is_json: bool) {
    let endpoint = without_secrets(endpoint.clone());
    answer(is_json, &endpoint, &shown(&endpoint));
}

fn shown(endpoint: &Value) -> String {
    let lines = [
        ("id", "/uid"),
        ("name", "/name"),
        ("url", "/url"),
        ("status", "/status"),
        ("owner", "/owner_id"),
        ("description", "/description"),
        ("authentication", "/authentication/type"),
        ("created", "/created_at"),
    ];
    let lines = lines.map(|(title, field)| (title, plain(text(endpoint, field))));
    let lines = lines.iter().filter(|(_, value)| !value.is_empty());
    lines.map(|(title, value)| format!("{title:<14}  {value}")).collect::<Vec<_>>().join("\n")
}

impl List {
    async fn run(&self, client: &Client, is_json: bool) -> anyhow::Result<()> {
        let query = [("q", &self.query), ("ownerId", &self.owner)];
        let query: Query = query.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect();
        let (rows, next) = client.list(&["endpoints"], &query, self.limit, self.after.as_deref()).await?;
        let cells: Vec<_> = rows
            .iter()
            .map(|row| ["/uid", "/status", "/cb_state", "/name", "/url"].map(|field| text(row, field).to_string()))
            .collect();
        let mut table = table(["id", "status", "breaker", "name", "url"], &cells, "no endpoints");
        if let Some(next) = &next {
            table.push_str(&format!("\nThere are more: --after {next}"));
        }
        answer(is_json, &json!({"endpoints": without_secrets(rows.into()), "next": next}), &table);
        Ok(())
    }
}

impl Create {
    async fn run(&self, client: &Client, is_json: bool) -> anyhow::Result<()> {
        let secret_type = match self.secret_type {
            SecretType::Hmac => "hmac",
            SecretType::Ed25519 => "ed25519",
        };
        let body = json!({
            "name": self.name, "url": self.target, "owner_id": self.owner, "description": self.description,
            "secret_type": secret_type, "http_timeout": self.timeout, "rate_limit": self.rate_limit,
            "rate_limit_duration": self.rate_limit_seconds,
        });
        let mut made = client.call(Method::POST, &["endpoints"], Query::new(), Some(body.to_string())).await?.data;
        let id = text(&made, "/uid").to_string();
        if !self.event_types.is_empty() {
            let filter = json!({"event_types": self.event_types});
            let body = json!({"name": self.name, "endpoint_id": id, "filter_config": filter});
            let subscription =
                client.call(Method::POST, &["subscriptions"], Query::new(), Some(body.to_string())).await;
            let subscription = subscription.map_err(|error| {
                anyhow::Error::new(error).context(format!("the endpoint {id} is made, and has no subscription"))
            })?;
            if let Value::Object(fields) = &mut made {
                fields.insert("subscription_id".into(), text(&subscription.data, "/uid").into());
            }
        }
        let mut lines = shown(&made);
        for (title, field) in [
            ("subscription", "/subscription_id"),
            ("secret", "/secrets/0/value"),
            ("public key", "/secrets/0/public_key"),
        ] {
            let value = text(&made, field);
            if !value.is_empty() {
                lines.push_str(&format!("\n{title:<14}  {value}"));
            }
        }
        answer(is_json, &made, &lines);
        Ok(())
    }
}
