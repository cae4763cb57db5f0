//! The account: what became of every event, read back through the REST API alone, and whether it is what must be.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{
    case::{EVENTS, EventCase, Expected, Via},
    snapshot::{Snapshot, text},
    traffic::Endpoints,
};
use crate::client::Client;

/// What became of one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its type.
    pub event_type: String,
    /// How it came in.
    pub via: Via,
    /// Name of the endpoint.
    pub endpoint: &'static str,
    /// The delivery's status, or `Unmatched` or `Duplicate`.
    pub status: String,
    /// Attempts made.
    pub attempts: u64,
    /// From acceptance to success.
    pub latency_seconds: Option<f64>,
    /// What the receiver said about the last attempt's signature; `None`: nothing was received.
    pub verified: Option<bool>,
    /// What the case shows, or the reason of a failure.
    pub note: String,
}

impl Line {
    /// In what way the line is not what must be.
    #[must_use]
    pub fn difference(&self, case: &EventCase) -> Option<String> {
        let (status, attempts) = case.expected.outcome();
        let verified = matches!(case.expected, Expected::Delivered { .. }).then_some(true);
        let is_right =
            self.status == status && self.attempts == attempts && self.verified == verified && self.via == case.via;
        (!is_right).then(|| {
            format!(
                "{} ({}): expected {status} after {attempts} attempts, signature {}, by {:?}; got {} after {}, signature {}, by {:?}",
                case.event_type, case.shows, yes_no(verified), case.via, self.status, self.attempts, yes_no(self.verified), self.via
            )
        })
    }
}

/// The account of all events.
///
/// # Errors
/// The API does not know an event or answers in another shape.
pub async fn read(client: &Client, endpoints: &Endpoints) -> Result<Vec<Line>> {
    let snapshot = Snapshot::read(client).await?;
    let mut lines = Vec::with_capacity(EVENTS.len());
    for case in EVENTS {
        let event = snapshot.event(&case).with_context(|| format!("the API does not list {}", case.event_type))?;
        lines.push(line_of(client, endpoints, &case, event, snapshot.deliveries_of(event)).await?);
    }
    Ok(lines)
}

/// The account as a table.
#[must_use]
pub fn table(lines: &[Line]) -> String {
    let mut text = String::new();
    let mut row = |cells: [&str; 8]| {
        let [event, via, endpoint, status, attempts, latency, signature, note] = cells;
        let line = format!(
            "{event:<16} {via:<5} {endpoint:<10} {status:<10} {attempts:>8} {latency:>9}  {signature:<9} {note}"
        );
        text.push_str(&format!("  {}\n", line.trim_end()));
    };
    row(["EVENT", "VIA", "ENDPOINT", "STATUS", "ATTEMPTS", "LATENCY", "VERIFIED", "WHAT IT SHOWS"]);
    for line in lines {
        let latency = line.latency_seconds.map_or("-".into(), |seconds| format!("{:.0} ms", seconds * 1000.0));
        let via = if line.via == Via::Mqtt { "MQTT" } else { "REST" };
        let attempts = line.attempts.to_string();
        row([
            &line.event_type,
            via,
            line.endpoint,
            &line.status,
            &attempts,
            &latency,
            yes_no(line.verified),
            &line.note,
        ]);
    }
    text
}

fn yes_no(verified: Option<bool>) -> &'static str {
    match verified {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    }
}

async fn line_of(
    client: &Client,
    endpoints: &Endpoints,
    case: &EventCase,
    event: &Value,
    deliveries: Vec<&Value>,
) -> Result<Line> {
    let via = if event.get("source_id").is_some_and(|source| source.as_str().is_some_and(|id| !id.is_empty())) {
        Via::Mqtt
    } else {
        Via::Rest
    };
    let mut line = Line {
        event_type: text(event, "event_type").into(),
        via,
        endpoint: case.endpoint,
        status: String::new(),
        attempts: 0,
        latency_seconds: None,
        verified: None,
        note: case.shows.into(),
    };
    let delivery = match deliveries.as_slice() {
        [] => {
            let is_duplicate = event.get("is_duplicate_event") == Some(&Value::Bool(true));
            line.status = if is_duplicate { "Duplicate" } else { "Unmatched" }.into();
            return Ok(line);
        }
        [delivery] => delivery,
        several => bail!("{} has {} deliveries instead of one", case.event_type, several.len()),
    };
    let endpoint = endpoints.iter().find(|(_, id)| id.as_str() == text(delivery, "endpoint_id"));
    line.endpoint = endpoint.map(|(name, _)| *name).context("a delivery to an endpoint that is not ours")?;
    text(delivery, "status").clone_into(&mut line.status);
    line.attempts =
        delivery.pointer("/metadata/num_trials").and_then(Value::as_u64).context("a delivery without num_trials")?;
    let seconds = delivery.get("latency_seconds").and_then(Value::as_f64);
    line.latency_seconds = seconds.filter(|_| line.status == "Success");
    let attempts = client.get(&format!("eventdeliveries/{}/deliveryattempts", text(delivery, "uid"))).await?.data()?;
    let attempts = attempts.as_array().context("attempts are a list")?;
    if let Some(last) = attempts.last() {
        line.verified = receiver_says(last);
        let error = text(last, "error");
        if line.status != "Success" && !error.is_empty() {
            line.note = format!("{} ({error})", line.note);
        }
    }
    Ok(line)
}

/// `{"verified": bool}` in the answer that the attempt recorded.
fn receiver_says(attempt: &Value) -> Option<bool> {
    let answer: BTreeMap<String, Value> = serde_json::from_str(text(attempt, "response_data")).ok()?;
    answer.get("verified")?.as_bool()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(status: &str, attempts: u64, verified: Option<bool>) -> Line {
        Line {
            event_type: "order.paid".into(),
            via: Via::Rest,
            endpoint: "orders",
            status: status.into(),
            attempts,
            latency_seconds: Some(0.0421),
            verified,
            note: "a simple signature".into(),
        }
    }

    #[test]
    fn a_line_differs_by_status_attempts_and_signature() {
        let case = EVENTS[0];
        assert_eq!(line("Success", 1, Some(true)).difference(&case), None);
        for wrong in [
            line("Failure", 1, Some(true)),
            line("Success", 2, Some(true)),
            line("Success", 1, Some(false)),
            line("Success", 1, None),
        ] {
            assert!(wrong.difference(&case).is_some(), "{wrong:?}");
        }
    }

    #[test]
    fn the_table_has_a_row_for_each_line() {
        let text = table(&[line("Success", 1, Some(true)), line("Unmatched", 0, None)]);
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 3);
        assert!(rows[1].contains("42 ms") && rows[1].contains("yes"), "{text}");
        assert!(rows[2].contains("Unmatched"), "{text}");
    }
}
