//! What the REST API says of the demo's events at one time, and waiting until it says that all have come to their end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::{
    case::{EVENTS, EventCase, Expected},
    narrator::Progress,
};
use crate::client::Client;

const SETTLE_LIMIT: Duration = Duration::from_secs(60);
const SETTLE_POLL: Duration = Duration::from_millis(200);

/// Waits until every event has come to its end.
///
/// # Errors
/// They have not in time; the text says which.
pub async fn settle(client: &Client) -> Result<()> {
    let start = Instant::now();
    let mut progress = Progress::default();
    loop {
        let snapshot = Snapshot::read(client).await?;
        let open: Vec<&str> =
            EVENTS.iter().filter(|case| !snapshot.is_settled(case)).map(|case| case.event_type).collect();
        progress.show(&format!("{} of {} events have come to their end", EVENTS.len() - open.len(), EVENTS.len()));
        if open.is_empty() {
            progress.end();
            return Ok(());
        }
        if start.elapsed() > SETTLE_LIMIT {
            progress.end();
            bail!("after {SETTLE_LIMIT:?} these events have not come to their end: {}", open.join(", "));
        }
        tokio::time::sleep(SETTLE_POLL).await;
    }
}

/// Events and deliveries of the project at one time.
pub(super) struct Snapshot {
    events: Vec<Value>,
    deliveries: Vec<Value>,
}

impl Snapshot {
    /// Events first: a delivery read later belongs to a known event.
    pub(super) async fn read(client: &Client) -> Result<Self> {
        Ok(Self { events: client.list("events").await?, deliveries: client.list("eventdeliveries").await? })
    }

    pub(super) fn event(&self, case: &EventCase) -> Option<&Value> {
        let is_duplicate = case.expected == Expected::Duplicate;
        self.events.iter().find(|event| {
            text(event, "idempotency_key") == case.key
                && event.get("is_duplicate_event") == Some(&Value::Bool(is_duplicate))
        })
    }

    pub(super) fn deliveries_of(&self, event: &Value) -> Vec<&Value> {
        self.deliveries.iter().filter(|delivery| text(delivery, "event_id") == text(event, "uid")).collect()
    }

    fn is_settled(&self, case: &EventCase) -> bool {
        let Some(event) = self.event(case) else {
            return false;
        };
        let deliveries = self.deliveries_of(event);
        match (case.expected, text(event, "status")) {
            (Expected::Duplicate, _) | (_, "Failure") => true,
            (_, "Success") => {
                let is_final =
                    |delivery: &&Value| matches!(text(delivery, "status"), "Success" | "Failure" | "Discarded");
                !deliveries.is_empty() && deliveries.iter().all(is_final)
            }
            _ => false,
        }
    }
}

/// A text field, empty where there is none.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
