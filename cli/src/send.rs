//! `posthouse send`: one event, from arguments, a file or standard input.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use posthouse_service::settings::duration;
use reqwest::Method;
use serde::Serialize;
use serde_json::{json, value::RawValue};

use crate::{
    api::{Access, Query, text},
    exit::WrongUse,
    output::answer,
    wait::{Waited, wait},
};

const EXAMPLES: &str = "Examples:
  posthouse send --endpoint 01JD… --event-type order.paid --data '{\"id\": 1}'
  posthouse send --owner acme --event-type order.paid --data-file order.json --wait
  jq .order export.json | posthouse send --broadcast --event-type order.paid --data-file - --idempotency-key order-1";

/// Sends an event and prints its id.
///
/// With --wait, shows what became of its deliveries: the exit code is 3 when one was not delivered, or there are none, and 4
/// when they have not ended in time.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Send {
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    target: Target,
    /// What happened, such as order.paid.
    #[arg(long, value_name = "TYPE")]
    event_type: String,
    /// The payload, as JSON. It is sent byte for byte.
    #[arg(long, value_name = "JSON", required_unless_present = "data_file", conflicts_with = "data_file")]
    data: Option<String>,
    /// A file with the payload; - for standard input.
    #[arg(long, value_name = "FILE")]
    data_file: Option<PathBuf>,
    /// Marks repeats: a second event with the same key is not delivered.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Keeps events with the same key in order.
    #[arg(long, value_name = "KEY")]
    ordering_key: Option<String>,
    /// A header of the deliveries, as `Name: value`; repeatable.
    #[arg(long = "header", value_name = "HEADER", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Waits until its deliveries have ended, and shows them.
    #[arg(long)]
    wait: bool,
    /// How long to wait at most.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "60s", requires = "wait")]
    timeout: Duration,
}

/// Whom an event is for.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// For this endpoint.
    #[arg(long, value_name = "ID")]
    endpoint: Option<String>,
    /// For every endpoint of this owner that subscribes to the type.
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
    /// For every endpoint that subscribes to the type.
    #[arg(long)]
    broadcast: bool,
    /// For this URL; an endpoint is made for it where there is none.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    event_type: &'a str,
    data: &'a RawValue,
    custom_headers: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ordering_key: Option<&'a str>,
    return_id: bool,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header such as `X-Tenant: 7` is expected")?;
    let name = name.trim();
    if name.is_empty() { Err("the header has no name".into()) } else { Ok((name.into(), value.trim().into())) }
}

impl Target {
    const fn path(&self) -> &'static [&'static str] {
        if self.owner.is_some() {
            &["events", "fanout"]
        } else if self.to.is_some() {
            &["events", "dynamic"]
        } else if self.broadcast {
            &["events", "broadcast"]
        } else {
            &["events"]
        }
    }
}

impl Send {
    /// Runs the command.
    pub async fn run(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        let data = self.payload()?;
        let client = self.access.connect().await?;
        let body = Body {
            endpoint_id: self.target.endpoint.as_deref(),
            owner_id: self.target.owner.as_deref(),
            url: self.target.to.as_deref(),
            event_type: &self.event_type,
            data: &data,
            custom_headers: self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            idempotency_key: self.idempotency_key.as_deref(),
            ordering_key: self.ordering_key.as_deref(),
            return_id: true,
        };
        let sent =
            client.call(Method::POST, self.target.path(), Query::new(), Some(serde_json::to_string(&body)?)).await?;
        let id = match text(&sent.data, "/uid") {
            "" => sent.header("x-posthouse-event-id").context("the API accepted the event and does not name it")?,
            id => id,
        };
        if !self.wait {
            answer(is_json, &json!({"event_id": id}), id);
            return Ok(ExitCode::SUCCESS);
        }
        let waited = wait(&client, id, self.timeout).await?;
        self.show(id, &waited, is_json);
        Ok(waited.exit_code())
    }

    fn show(&self, id: &str, waited: &Waited, is_json: bool) {
        let json = json!({
            "event_id": id,
            "outcome": waited.outcome.word(),
            "deliveries": waited.deliveries.iter().map(crate::api::delivery::Delivery::json).collect::<Vec<_>>(),
        });
        let lines = waited.deliveries.iter().map(crate::api::delivery::Delivery::line);
        let lines = std::iter::once(id.to_string()).chain(lines).chain([waited.outcome.sentence(self.timeout)]);
        answer(is_json, &json, &lines.collect::<Vec<_>>().join("\n"));
    }

    fn payload(&self) -> anyhow::Result<Box<RawValue>> {
        let text = match (&self.data, &self.data_file) {
            (Some(data), _) => data.clone(),
            (None, Some(path)) if path.as_os_str() == "-" => {
                std::io::read_to_string(std::io::stdin()).context("standard input cannot be read")?
            }
            (None, Some(path)) => {
                std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?
            }
            (None, None) => return Err(WrongUse::because("no payload: give --data or --data-file")),
        };
        serde_json::from_str(text.trim()).map_err(|error| WrongUse::because(format!("the payload is no JSON: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_split_at_the_first_colon() {
        assert_eq!(header("X-Link: https://a/b:1"), Ok(("X-Link".into(), "https://a/b:1".into())));
        assert!(header("X-Link").is_err() && header(": x").is_err());
    }
}
