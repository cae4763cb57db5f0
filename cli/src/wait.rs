//! Waiting for what becomes of an event: until it was matched, and each of its deliveries has ended.

use std::{process::ExitCode, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    api::{Client, Query, delivery::Delivery, text},
    exit,
};

const DELIVERIES_MAX: usize = 10_000;
/// Between two looks, at first and at most.
const LOOKS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What became of an event, as far as it was waited for.
#[derive(Debug)]
pub struct Waited {
    /// In one word.
    pub outcome: Outcome,
    /// Its deliveries.
    pub deliveries: Vec<Delivery>,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everybody has it.
    Delivered,
    /// Somebody has not, and will not by itself.
    Failed,
    /// It was for nobody; why, in the API's words.
    Unmatched(String),
    /// An earlier event has its idempotency key.
    Duplicate,
    /// The time is over.
    Unfinished,
}

impl Outcome {
    /// For machines.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Unmatched(_) => "unmatched",
            Self::Duplicate => "duplicate",
            Self::Unfinished => "unfinished",
        }
    }

    /// For people, who gave it so much time.
    #[must_use]
    pub fn sentence(&self, limit: Duration) -> String {
        match self {
            Self::Delivered => "All its deliveries succeeded.".into(),
            Self::Failed => "Not all of its deliveries succeeded; `posthouse retry` sends one again.".into(),
            Self::Unmatched(reason) => format!("Nobody gets it: {}.", crate::output::plain(reason)),
            Self::Duplicate => "It is a duplicate by its idempotency key, and is not delivered.".into(),
            Self::Unfinished => format!("It has not come to its end within {limit:?}, and goes on."),
        }
    }
}

impl Waited {
    /// How the command ends.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self.outcome {
            Outcome::Delivered => ExitCode::SUCCESS,
            Outcome::Unfinished => ExitCode::from(exit::TIMED_OUT),
            _ => ExitCode::from(exit::NOT_ALL),
        }
    }
}

/// Waits until everything about the event is settled, for `limit` at most.
///
/// # Errors
/// The API refuses; what may pass is waited for.
pub async fn wait(client: &Client, event_id: &str, limit: Duration) -> anyhow::Result<Waited> {
    let (began, mut pause) = (Instant::now(), LOOKS.0);
    loop {
        let (outcome, deliveries) = match look(client, event_id).await {
            Ok(seen) => seen,
            Err(error) if error.downcast_ref::<crate::api::CallError>().is_some_and(|error| error.may_pass()) => {
                (Outcome::Unfinished, Vec::new())
            }
            Err(error) => return Err(error),
        };
        if outcome != Outcome::Unfinished || began.elapsed() >= limit {
            return Ok(Waited { outcome, deliveries });
        }
        sleep(pause.min(limit.saturating_sub(began.elapsed()))).await;
        pause = (pause * 2).min(LOOKS.1);
    }
}

async fn look(client: &Client, event_id: &str) -> anyhow::Result<(Outcome, Vec<Delivery>)> {
    let event = match client.get(&["events", event_id], Query::new()).await {
        Ok(event) => event,
        // It is in the queue, and not stored yet.
        Err(error) if error.is_missing() => return Ok((Outcome::Unfinished, Vec::new())),
        Err(error) => return Err(error.into()),
    };
    let query = vec![("eventId", event_id.to_string())];
    let (rows, _) = client.list(&["eventdeliveries"], &query, DELIVERIES_MAX, None).await?;
    let deliveries: Vec<Delivery> = rows.into_iter().map(Delivery::read).collect::<anyhow::Result<_>>()?;
    Ok((outcome(&event, &deliveries), deliveries))
}

fn outcome(event: &Value, deliveries: &[Delivery]) -> Outcome {
    if event.get("is_duplicate_event").and_then(Value::as_bool).unwrap_or(false) {
        return Outcome::Duplicate;
    }
    match text(event, "/status") {
        "Failure" => return Outcome::Unmatched(text(event, "/failure_reason").to_string()),
        "Success" if !deliveries.is_empty() => {}
        _ => return Outcome::Unfinished,
    }
    if !deliveries.iter().all(|delivery| delivery.status.is_final()) {
        return Outcome::Unfinished;
    }
    if deliveries.iter().all(Delivery::is_delivered) { Outcome::Delivered } else { Outcome::Failed }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use serde_json::json;

    use super::*;
    use crate::api::delivery::testing::row;

    #[test]
    fn an_event_has_ended_when_all_its_deliveries_have() {
        let of = |status: &str, deliveries: &[&str]| {
            let now = Utc::now();
            let rows = deliveries.iter().map(|status| Delivery::read(row("d", status, 1, now, now)).unwrap());
            outcome(&json!({"status": status, "failure_reason": "no one"}), &rows.collect::<Vec<_>>())
        };
        assert_eq!(of("Processing", &[]), Outcome::Unfinished);
        assert_eq!(of("Success", &[]), Outcome::Unfinished);
        assert_eq!(of("Success", &["Success", "Retry"]), Outcome::Unfinished);
        assert_eq!(of("Success", &["Success", "Success"]), Outcome::Delivered);
        assert_eq!(of("Success", &["Success", "Failure"]), Outcome::Failed);
        assert_eq!(of("Success", &["Discarded"]), Outcome::Failed);
        assert_eq!(of("Failure", &[]), Outcome::Unmatched("no one".into()));
        assert_eq!(outcome(&json!({"status": "Success", "is_duplicate_event": true}), &[]), Outcome::Duplicate);
    }
}
