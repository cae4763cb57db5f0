//! `posthouse listen`: what an endpoint is sent, forwarded to a port of this machine. A delivery is forwarded when its first
//! attempt is recorded, with the headers of that attempt: so what arrives is what the endpoint was sent, signatures
//! included. Credentials that the endpoint is sent are not recorded, and so not forwarded.

use std::{collections::HashSet, process::ExitCode, time::Duration};

use anyhow::Context as _;
use chrono::Utc;
use posthouse_service::{settings::duration, shutdown};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    api::{Access, Client, Query, delivery::Delivery, text, window},
    feed::{Feed, Start, may_pass},
    output::{line, note, plain},
    tail::interval,
};

const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How an attempt's record hides a credential.
const HIDDEN: &str = "***";
/// Of the connection or the framing: the local request has its own.
const NOT_FORWARDED: [&str; 6] =
    ["accept-encoding", "connection", "content-length", "host", "proxy-authorization", "transfer-encoding"];

const EXAMPLES: &str = "Examples:
  posthouse listen 3000 --endpoint 01JD… --path /webhooks
  posthouse listen 3000 --endpoint 01JD… --since 1h --json";

/// Forwards what an endpoint is sent to a local port, until Ctrl-C.
///
/// Body, headers and signatures are those that the endpoint was sent; the local answers are printed. The endpoint gets its
/// deliveries all the same; each is forwarded once, when it was first attempted.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Listen {
    #[command(flatten)]
    access: Access,
    /// The local port.
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Whose deliveries.
    #[arg(long, value_name = "ID")]
    endpoint: String,
    /// The local path.
    #[arg(long, default_value = "/", value_parser = path)]
    path: String,
    /// Only those of this event type.
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Begins with those whose event was accepted so long ago; with new ones where it is missing.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    since: Option<Duration>,
    /// How often to look.
    #[arg(long, value_name = "DURATION", value_parser = interval, default_value = "1s")]
    interval: Duration,
    /// Ends after so many were forwarded.
    #[arg(long, value_name = "DELIVERIES")]
    limit: Option<usize>,
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') { Ok(text.into()) } else { Err("a path such as /webhooks is expected".into()) }
}

impl Listen {
    /// Runs the command.
    pub async fn run(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        let client = self.access.connect().await?;
        let endpoint = client.get(&["endpoints", &self.endpoint], Query::new()).await?;
        let is_form = text(&endpoint, "/content_type") == "application/x-www-form-urlencoded";
        anyhow::ensure!(
            !is_form,
            "the endpoint is sent forms, of which the API keeps the payload only: they cannot be forwarded as they were sent"
        );
        let mut filter: Query = vec![("endpointId", self.endpoint.clone())];
        filter.extend(self.event_type.iter().map(|name| ("eventType", name.clone())));
        let start = self.since.map_or(Start::Now, |ago| Start::Since(window::before(Utc::now(), ago)));
        let mut feed = Feed::begin(&client, filter, start).await?;
        let local = Local::new(self.port, &self.path)?;
        let stop = shutdown::on_signals();
        note(&format!("Forwarding what {} is sent to {}; Ctrl-C ends it.", plain(text(&endpoint, "/name")), local.url));
        let (mut forwarded, mut count) = (HashSet::new(), 0);
        loop {
            let looked = tokio::select! {
                looked = feed.look() => looked,
                () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
            };
            match looked {
                Ok(news) => {
                    for delivery in news.iter().filter(|delivery| delivery.metadata.num_trials > 0) {
                        let is_new = forwarded.insert(delivery.uid.clone());
                        if delivery.status.is_final() {
                            forwarded.remove(&delivery.uid);
                        }
                        if !is_new || stop.is_cancelled() || self.limit.is_some_and(|limit| count >= limit) {
                            continue;
                        }
                        let sent = local.forward(&client, delivery).await;
                        line(&sent.show(delivery, is_json))?;
                        count += 1;
                    }
                }
                Err(error) if may_pass(&error) => note(&format!("{error:#}; trying again")),
                Err(error) => return Err(error),
            }
            if self.limit.is_some_and(|limit| count >= limit) {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::select! {
                () = sleep(self.interval) => {}
                () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
            }
        }
    }
}

/// The local receiver.
struct Local {
    http: reqwest::Client,
    url: String,
}

/// What became of one that was forwarded.
struct Sent {
    answer: anyhow::Result<u16>,
    took: Duration,
}

impl Local {
    fn new(port: u16, path: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(ANSWER_WITHIN)
            .build()
            .context("no HTTP client can be built")?;
        Ok(Self { http, url: format!("http://127.0.0.1:{port}{path}") })
    }

    async fn forward(&self, client: &Client, delivery: &Delivery) -> Sent {
        let began = Instant::now();
        let answer = self.send(client, delivery).await;
        Sent { answer, took: began.elapsed() }
    }

    async fn send(&self, client: &Client, delivery: &Delivery) -> anyhow::Result<u16> {
        let attempts = client.get(&["eventdeliveries", &delivery.uid, "deliveryattempts"], Query::new()).await?;
        let attempt = attempts.as_array().and_then(|attempts| attempts.last()).context("no attempt is recorded")?;
        let headers = headers(attempt.get("request_http_header").unwrap_or(&Value::Null));
        let request = self.http.post(&self.url).headers(headers).body(delivery.metadata.raw.clone());
        let answer = request.send().await.map_err(reqwest::Error::without_url)?;
        Ok(answer.status().as_u16())
    }
}

/// The headers of an attempt that can be sent again.
fn headers(recorded: &Value) -> HeaderMap {
    let header = |(name, value): (&String, &Value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = value.as_str().filter(|value| *value != HIDDEN)?;
        (!NOT_FORWARDED.contains(&name.as_str())).then_some((name, HeaderValue::from_str(value).ok()?))
    };
    recorded.as_object().into_iter().flatten().filter_map(header).collect()
}

impl Sent {
    fn show(&self, delivery: &Delivery, is_json: bool) -> String {
        let (took_ms, status) = (self.took.as_millis(), self.answer.as_ref().ok());
        let error = self.answer.as_ref().err().map(|error| format!("{error:#}"));
        if is_json {
            let mut shown = delivery.json();
            if let Value::Object(fields) = &mut shown {
                fields.insert(
                    "local".into(),
                    json!({"status": status, "duration_ms": u64::try_from(took_ms).ok(), "error": error}),
                );
            }
            return shown.to_string();
        }
        match (status, error) {
            (Some(status), _) => format!("{}  ->  {status} in {took_ms} ms", delivery.line()),
            (None, error) => format!("{}  ->  not forwarded: {}", delivery.line(), plain(&error.unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_signed_is_forwarded_and_what_is_of_the_connection_is_not() {
        let recorded = json!({
            "Webhook-Signature": "v1,abc", "Webhook-Id": "d1", "Content-Type": "application/json", "Host": "one.example",
            "Content-Length": "7", "Authorization": "***", "X-Bad\n": "x",
        });
        let headers = headers(&recorded);
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "webhook-id", "webhook-signature"]);
        assert_eq!(headers["webhook-id"], "d1");
    }
}
