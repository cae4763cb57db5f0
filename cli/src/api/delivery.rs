//! Event deliveries as the tool shows them: one line each, and the same as JSON.

use chrono::{DateTime, Utc};
use posthouse_schema::words::DeliveryStatus;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::output::plain;

/// A delivery, of whose fields only these are read.
#[derive(Debug, Clone, Deserialize)]
pub struct Delivery {
    /// The delivery.
    pub uid: String,
    event_id: String,
    event_type: String,
    /// Where it goes.
    pub endpoint_id: String,
    #[serde(default)]
    endpoint_metadata: Endpoint,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// What is sent, and how often.
    pub metadata: Sending,
    #[serde(default)]
    description: String,
    #[serde(default)]
    target_url: String,
    /// When its event was accepted.
    pub created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Endpoint {
    #[serde(default)]
    name: String,
}

/// What is sent, and how often.
#[derive(Debug, Clone, Deserialize)]
pub struct Sending {
    /// The payload.
    #[serde(default)]
    pub raw: String,
    /// Attempts made.
    pub num_trials: u32,
    retry_limit: u32,
    /// When the next attempt is due.
    pub next_send_time: DateTime<Utc>,
}

impl Delivery {
    /// As a row of the API.
    ///
    /// # Errors
    /// It has another shape.
    pub fn read(row: Value) -> anyhow::Result<Self> {
        Ok(serde_json::from_value(row)?)
    }

    /// Whether it was delivered.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        self.status == DeliveryStatus::Success
    }

    /// For people.
    #[must_use]
    pub fn line(&self) -> String {
        let name = &self.endpoint_metadata.name;
        let endpoint = if name.is_empty() { &self.endpoint_id } else { name };
        let mut line = format!(
            "{}  {:<9}  {}  {} -> {}  {} of {}",
            self.updated_at.format("%Y-%m-%dT%H:%M:%S%.3fZ"),
            self.status.as_str(),
            self.uid,
            self.event_type,
            endpoint,
            self.metadata.num_trials,
            self.metadata.retry_limit,
        );
        if !self.status.is_final() && self.metadata.num_trials > 0 {
            line.push_str(&self.metadata.next_send_time.format("  next %H:%M:%SZ").to_string());
        }
        if !self.description.is_empty() && !self.is_delivered() {
            line.push_str(&format!("  ({})", self.description));
        }
        plain(&line)
    }

    /// For machines.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "id": self.uid,
            "status": self.status,
            "event_id": self.event_id,
            "event_type": self.event_type,
            "endpoint_id": self.endpoint_id,
            "endpoint_name": self.endpoint_metadata.name,
            "target_url": self.target_url,
            "attempts": self.metadata.num_trials,
            "attempts_max": self.metadata.retry_limit,
            "next_attempt_at": (!self.status.is_final()).then_some(self.metadata.next_send_time),
            "description": self.description,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        })
    }
}

/// A status in any case, as flags give it.
///
/// # Errors
/// The words that there are.
pub fn status(word: &str) -> Result<DeliveryStatus, String> {
    let found = DeliveryStatus::ALL.iter().find(|status| status.as_str().eq_ignore_ascii_case(word));
    found.copied().ok_or_else(|| {
        let known: Vec<_> = DeliveryStatus::ALL.iter().map(|status| status.as_str().to_lowercase()).collect();
        format!("one of {} is expected", known.join(", "))
    })
}

#[cfg(test)]
pub mod testing {
    use super::*;

    /// A row as the API gives it.
    pub fn row(id: &str, status: &str, attempts: u32, accepted: DateTime<Utc>, due: DateTime<Utc>) -> Value {
        json!({
            "uid": id, "event_id": "e", "event_type": "order.paid", "endpoint_id": "p", "status": status,
            "endpoint_metadata": {"name": "orders"}, "description": "", "target_url": "https://one.example",
            "metadata": {"raw": "{}", "num_trials": attempts, "retry_limit": 3, "next_send_time": due},
            "created_at": accepted, "updated_at": accepted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_where_a_delivery_stands() {
        let at: DateTime<Utc> = "2026-11-26T09:00:00.5Z".parse().unwrap();
        let mut row = testing::row("d1", "Retry", 1, at, at + chrono::TimeDelta::seconds(5));
        row["description"] = "503\u{1b}[2J".into();
        let shown = Delivery::read(row).unwrap();
        let expected =
            "2026-11-26T09:00:00.500Z  Retry      d1  order.paid -> orders  1 of 3  next 09:00:05Z  (503\u{fffd}[2J)";
        assert_eq!(shown.line(), expected);
        let done = Delivery::read(testing::row("d1", "Success", 2, at, at)).unwrap();
        assert_eq!(done.line(), "2026-11-26T09:00:00.500Z  Success    d1  order.paid -> orders  2 of 3");
        assert_eq!((&done.json()["attempts"], &done.json()["next_attempt_at"]), (&json!(2), &Value::Null));
    }

    #[test]
    fn statuses_are_read_in_any_case() {
        assert_eq!(status("failure"), Ok(DeliveryStatus::Failure));
        assert_eq!(status("RETRY"), Ok(DeliveryStatus::Retry));
        assert!(status("lost").unwrap_err().contains("discarded"));
    }
}
