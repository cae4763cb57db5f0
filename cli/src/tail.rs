//! `posthouse tail`: deliveries as they come and change.

use std::{process::ExitCode, time::Duration};

use chrono::Utc;
use posthouse_schema::words::DeliveryStatus;
use posthouse_service::{settings::duration, shutdown};
use tokio::time::sleep;

use crate::{
    api::{Access, Query, delivery, window},
    feed::{Feed, Start, may_pass},
    output::{line, note},
};

/// Longest pause while the API is away.
const PAUSE_MAX: Duration = Duration::from_secs(30);

const EXAMPLES: &str = "Examples:
  posthouse tail
  posthouse tail --status failure --status retry --endpoint 01JD…
  posthouse tail --event-type order.paid --since 10m --json | jq .event_id";

/// Shows deliveries live, until Ctrl-C.
///
/// One line when a delivery comes, and each time that it changes. With --json, each line is a JSON object.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Tail {
    #[command(flatten)]
    access: Access,
    /// Only those that get this status; repeatable.
    #[arg(long = "status", value_name = "STATUS", value_parser = delivery::status)]
    statuses: Vec<DeliveryStatus>,
    /// Only those to this endpoint; repeatable.
    #[arg(long = "endpoint", value_name = "ID")]
    endpoints: Vec<String>,
    /// Only those of this event type.
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Begins with those whose event was accepted so long ago; with new ones where it is missing.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    since: Option<Duration>,
    /// How often to look.
    #[arg(long, value_name = "DURATION", value_parser = interval, default_value = "1s")]
    interval: Duration,
    /// Ends after so many lines.
    #[arg(long, value_name = "LINES")]
    limit: Option<usize>,
}

/// A pause between two looks that the API can bear.
///
/// # Errors
/// In words.
pub fn interval(text: &str) -> Result<Duration, String> {
    let found = duration(text)?;
    let bearable = Duration::from_millis(250)..=Duration::from_secs(3_600);
    if bearable.contains(&found) { Ok(found) } else { Err("between 250ms and 1h is expected".into()) }
}

impl Tail {
    /// Runs the command.
    pub async fn run(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        let client = self.access.connect().await?;
        let mut filter: Query = self.endpoints.iter().map(|id| ("endpointId", id.clone())).collect();
        filter.extend(self.event_type.iter().map(|name| ("eventType", name.clone())));
        let start = self.since.map_or(Start::Now, |ago| Start::Since(window::before(Utc::now(), ago)));
        let mut feed = Feed::begin(&client, filter, start).await?;
        let stop = shutdown::on_signals();
        note("Waiting for deliveries; Ctrl-C ends it.");
        let (mut left, mut pause) = (self.limit, self.interval);
        loop {
            let looked = tokio::select! {
                looked = feed.look() => looked,
                () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
            };
            pause = match looked {
                Ok(news) => {
                    for delivery in news.iter().filter(|delivery| self.wants(delivery.status)) {
                        if left == Some(0) {
                            break;
                        }
                        line(&if is_json { delivery.json().to_string() } else { delivery.line() })?;
                        left = left.map(|left| left - 1);
                    }
                    self.interval
                }
                Err(error) if may_pass(&error) => {
                    note(&format!("{error:#}; trying again"));
                    (pause * 2).min(PAUSE_MAX).max(self.interval)
                }
                Err(error) => return Err(error),
            };
            if left == Some(0) {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
            }
        }
    }

    fn wants(&self, status: DeliveryStatus) -> bool {
        self.statuses.is_empty() || self.statuses.contains(&status)
    }
}
