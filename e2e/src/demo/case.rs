//! What the demo shows: one endpoint per case, the event sent to it, and how it must end.

use serde_json::{Value, json};

/// The subscription's wait between attempts and their number; short, because somebody watches.
const RETRY_SECONDS: u32 = 1;
const ATTEMPTS_MAX: u64 = 3;

/// How an event comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// `POST events`.
    Rest,
    /// A message to the broker.
    Mqtt,
}

/// How an event must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Delivered at this attempt with a good signature.
    Delivered {
        /// Attempts in total.
        attempts: u64,
    },
    /// Never sent: egress refuses, and trying again would not help.
    Refused,
    /// No subscription wants it, so there is no delivery.
    Unmatched,
    /// Recognised as a repeat, so there is no delivery.
    Duplicate,
}

impl Expected {
    /// The status and the number of attempts that the account must show.
    #[must_use]
    pub const fn outcome(self) -> (&'static str, u64) {
        match self {
            Self::Delivered { attempts } => ("Success", attempts),
            Self::Refused => ("Failure", 1),
            Self::Unmatched => ("Unmatched", 0),
            Self::Duplicate => ("Duplicate", 0),
        }
    }
}

/// An endpoint of the demo, with one subscription.
#[derive(Debug, Clone, Copy)]
pub struct EndpointCase {
    /// Its name.
    pub name: &'static str,
    /// Below the receiver's URL, or a whole URL.
    pub url: &'static str,
    /// Whether its signatures carry a time.
    pub advanced_signatures: bool,
    /// The one type its subscription wants.
    pub wants: &'static str,
}

/// An event of the demo.
#[derive(Debug, Clone, Copy)]
pub struct EventCase {
    /// What it shows.
    pub shows: &'static str,
    /// Whom it is meant for.
    pub endpoint: &'static str,
    /// Its type.
    pub event_type: &'static str,
    /// How it comes in.
    pub via: Via,
    /// Its idempotency key; two events share one.
    pub key: &'static str,
    /// How it must end.
    pub expected: Expected,
}

/// All endpoints.
pub const ENDPOINTS: [EndpointCase; 6] = [
    EndpointCase { name: "orders", url: "/ok/orders", advanced_signatures: false, wants: "order.paid" },
    EndpointCase { name: "billing", url: "/ok/billing", advanced_signatures: true, wants: "invoice.created" },
    EndpointCase { name: "warehouse", url: "/flaky/2/warehouse", advanced_signatures: true, wants: "stock.low" },
    EndpointCase {
        name: "intruder",
        url: "http://169.254.169.254/latest/meta-data/",
        advanced_signatures: true,
        wants: "audit.requested",
    },
    EndpointCase { name: "archive", url: "/ok/archive", advanced_signatures: true, wants: "report.final" },
    EndpointCase { name: "sensors", url: "/ok/sensors", advanced_signatures: true, wants: "sensor.read" },
];

/// All events, in the order in which they are sent.
pub const EVENTS: [EventCase; 7] = [
    event("a simple signature", "orders", "order.paid", Via::Rest, "order-1", Expected::Delivered { attempts: 1 }),
    event("the same key again", "orders", "order.paid", Via::Rest, "order-1", Expected::Duplicate),
    event(
        "an advanced signature",
        "billing",
        "invoice.created",
        Via::Rest,
        "invoice-1",
        Expected::Delivered { attempts: 1 },
    ),
    event(
        "fails twice, then succeeds",
        "warehouse",
        "stock.low",
        Via::Rest,
        "stock-1",
        Expected::Delivered { attempts: 3 },
    ),
    event("a metadata address: egress refuses", "intruder", "audit.requested", Via::Rest, "audit-1", Expected::Refused),
    event("no subscription wants it", "archive", "report.draft", Via::Rest, "report-1", Expected::Unmatched),
    event("came in over MQTT", "sensors", "sensor.read", Via::Mqtt, "sensor-1", Expected::Delivered { attempts: 1 }),
];

const fn event(
    shows: &'static str,
    endpoint: &'static str,
    event_type: &'static str,
    via: Via,
    key: &'static str,
    expected: Expected,
) -> EventCase {
    EventCase { shows, endpoint, event_type, via, key, expected }
}

/// The demo project's settings.
#[must_use]
pub fn project_config() -> Value {
    json!({
        "add_event_id_trace_headers": true,
        "strategy": {"type": "linear", "duration": RETRY_SECONDS, "retry_count": ATTEMPTS_MAX},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_an_endpoint_and_matches_it_only_when_it_should() {
        for event in EVENTS {
            let endpoint = ENDPOINTS.into_iter().find(|endpoint| endpoint.name == event.endpoint).unwrap();
            assert_eq!(endpoint.wants == event.event_type, event.expected != Expected::Unmatched, "{}", event.shows);
        }
    }
}
