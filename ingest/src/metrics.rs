//! What ingest counts. Labels are closed sets and source ids; a source that is gone takes its series along.

use std::sync::atomic::AtomicU64;

use chrono::Utc;
use posthouse_jobs::CreateEvent;
use posthouse_schema::ids::SourceId;
use posthouse_service::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

use crate::{message::Rejection, status::SourceStatuses};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    source_kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RejectionLabels {
    source_kind: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source_id: String,
}

/// Counters and gauges of the role; clones share them.
#[derive(Debug, Clone)]
pub struct IngestMetrics {
    source_kind: &'static str,
    received: Family<KindLabels, Counter>,
    accepted: Family<KindLabels, Counter>,
    rejected: Family<RejectionLabels, Counter>,
    redriven: Family<OutcomeLabels, Counter>,
    push_failures: Counter,
    connected: Family<SourceLabels, Gauge>,
    last_message_at: Family<SourceLabels, Gauge<f64, AtomicU64>>,
    lag: Family<SourceLabels, Gauge>,
    statuses: SourceStatuses,
}

impl IngestMetrics {
    /// Registers everything with the process's metrics.
    #[must_use]
    pub fn register(metrics: &Metrics) -> Self {
        Self {
            source_kind: "",
            received: metrics.register("ingest_received", "Messages taken from brokers", Family::default()),
            accepted: metrics.register("ingest_accepted", "Messages whose job Redis holds", Family::default()),
            rejected: metrics.register(
                "ingest_rejected",
                "Messages acknowledged without becoming events",
                Family::default(),
            ),
            redriven: metrics.register(
                "ingest_redriven",
                "Refused messages that were read again, by what came of it",
                Family::default(),
            ),
            push_failures: metrics.register(
                "ingest_push_failures",
                "Pushes that Redis did not confirm",
                Counter::default(),
            ),
            connected: metrics.register(
                "ingest_connected",
                "Connections by which this instance consumes the source",
                Family::default(),
            ),
            last_message_at: metrics.register(
                "ingest_last_message_timestamp_seconds",
                "When the source last brought a message, in seconds since 1970",
                Family::default(),
            ),
            lag: metrics.register(
                "ingest_lag",
                "Messages of the source that waited at its broker when this instance last asked",
                Family::default(),
            ),
            statuses: SourceStatuses::default(),
        }
    }

    /// How the sources are doing, which is told outside of metrics.
    #[must_use]
    pub const fn statuses(&self) -> &SourceStatuses {
        &self.statuses
    }

    /// The same for sources of one kind of broker.
    #[must_use]
    pub fn of_kind(&self, source_kind: &'static str) -> Self {
        Self { source_kind, ..self.clone() }
    }

    /// Messages of a source were taken from its broker.
    pub fn received(&self, source_id: SourceId, count: usize) {
        self.received.get_or_create(&KindLabels { source_kind: self.source_kind }).inc_by(count as u64);
        self.last_message_at.get_or_create(&source(source_id)).set(Utc::now().timestamp_micros() as f64 / 1e6);
        self.statuses.received(source_id, count);
    }

    /// Redis holds the jobs of these.
    pub fn accepted(&self, events: &[CreateEvent]) {
        self.accepted.get_or_create(&KindLabels { source_kind: self.source_kind }).inc_by(events.len() as u64);
        for of_source in events.chunk_by(|one, next| one.source_id == next.source_id) {
            if let Some(source) = of_source.first().and_then(|event| event.source_id) {
                self.statuses.accepted(source, of_source.len());
            }
        }
    }

    /// So many messages of a source wait at its broker.
    pub fn lag(&self, source_id: SourceId, lag: u64) {
        self.lag.get_or_create(&source(source_id)).set(i64::try_from(lag).unwrap_or(i64::MAX));
        self.statuses.lag(source_id, lag);
    }

    /// A message was acknowledged that will never be an event.
    pub fn rejected(&self, rejection: &Rejection) {
        self.rejected
            .get_or_create(&RejectionLabels { source_kind: self.source_kind, reason: rejection.reason() })
            .inc();
    }

    /// A refused message was read again, and is an event now or refused once more.
    pub fn redriven(&self, is_accepted: bool) {
        let outcome = if is_accepted { "accepted" } else { "rejected" };
        self.redriven.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Redis did not confirm a push.
    pub fn push_failed(&self) {
        self.push_failures.inc();
    }

    /// This instance has a working subscription for the source, until the value is dropped.
    #[must_use]
    pub fn connected(&self, source_id: SourceId) -> Connected {
        let gauge = self.connected.get_or_create(&source(source_id)).clone();
        gauge.inc();
        self.statuses.set_connected(source_id, true);
        Connected { source_id, gauge, statuses: self.statuses.clone() }
    }

    /// Forgets the series of a source that is no longer followed.
    pub fn forget(&self, source_id: SourceId) {
        self.connected.remove(&source(source_id));
        self.last_message_at.remove(&source(source_id));
        self.lag.remove(&source(source_id));
    }
}

/// One working subscription, as counted.
#[derive(Debug)]
pub struct Connected {
    source_id: SourceId,
    gauge: Gauge,
    statuses: SourceStatuses,
}

impl Drop for Connected {
    fn drop(&mut self) {
        // A source may have several.
        let before = self.gauge.dec();
        self.statuses.set_connected(self.source_id, before > 1);
    }
}

fn source(source_id: SourceId) -> SourceLabels {
    SourceLabels { source_id: source_id.to_string() }
}
