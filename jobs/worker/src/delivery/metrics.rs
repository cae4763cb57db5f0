//! What the delivery engine counts. Labels come from closed sets, so their number is bounded.

use chrono::TimeDelta;
use posthouse_schema::words::DeliveryStatus;
use posthouse_service::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};

use super::send::Sent;

/// How an attempt ended: `success`, `rejected`, `refused_by_egress`, `egress_unavailable`, or an error class.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Result {
    result: &'static str,
}

/// What became of a delivery: it ended, comes back, or waits for something else than its time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: &'static str,
}

/// Every result of an attempt.
const RESULTS: [&str; 13] = [
    "success",
    "rejected",
    "refused_by_egress",
    "egress_unavailable",
    "timeout",
    "dns",
    "connect",
    "tls",
    "closed",
    "protocol",
    "response",
    "redirect",
    "oauth2",
];
const STATUSES: [&str; 5] = ["success", "failure", "discarded", "retry", "held"];

/// Counters of attempts and times of deliveries.
#[derive(Debug, Clone)]
pub struct DeliveryMetrics {
    attempts: Family<Result, Counter>,
    outcomes: Family<Status, Counter>,
    attempt_seconds: Histogram,
    latency_seconds: Histogram,
}

impl DeliveryMetrics {
    /// Registers them.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
        let delivery = Self {
            outcomes: metrics.register("delivery_outcomes", "Ends, retries and holds of deliveries", Family::default()),
            attempts: metrics.register("delivery_attempts", "Delivery attempts by result", Family::default()),
            attempt_seconds: metrics.register(
                "delivery_attempt_seconds",
                "Time of one attempt",
                Histogram::new(buckets),
            ),
            latency_seconds: metrics.register(
                "delivery_latency_seconds",
                "Time from acceptance to success",
                Histogram::new(buckets),
            ),
        };
        // From the start, so that the first of a kind is seen as an increase.
        for result in RESULTS {
            drop(delivery.attempts.get_or_create(&Result { result }));
        }
        for status in STATUSES {
            drop(delivery.outcomes.get_or_create(&Status { status }));
        }
        delivery
    }

    /// Counts what an attempt made of its delivery, or that it ended without one.
    pub fn ended(&self, status: DeliveryStatus) {
        let status = match status {
            DeliveryStatus::Success => "success",
            DeliveryStatus::Failure => "failure",
            DeliveryStatus::Discarded => "discarded",
            DeliveryStatus::Scheduled | DeliveryStatus::Processing | DeliveryStatus::Retry => "retry",
        };
        self.outcomes.get_or_create(&Status { status }).inc();
    }

    /// Counts a delivery that its endpoint's breaker or rate limit holds back.
    pub fn held(&self) {
        self.outcomes.get_or_create(&Status { status: "held" }).inc();
    }

    /// Counts an attempt.
    pub fn observe(&self, sent: &Sent, took: TimeDelta) {
        let result = match sent {
            Sent::Answered(answer) if (200..300).contains(&answer.status) => "success",
            Sent::Answered(_) => "rejected",
            Sent::Failed { class, .. } => class,
            Sent::Refused { .. } => "refused_by_egress",
            Sent::EgressUnavailable(_) => "egress_unavailable",
        };
        self.attempts.get_or_create(&Result { result }).inc();
        self.attempt_seconds.observe(took.as_seconds_f64());
    }

    /// Counts a success.
    pub fn delivered(&self, after: TimeDelta) {
        self.latency_seconds.observe(after.as_seconds_f64());
    }
}
