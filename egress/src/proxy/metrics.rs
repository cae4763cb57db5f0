//! What the proxy counts; the label's values are the codes and `allow`.

use posthouse_service::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

use super::relay::Counts;
use crate::rules::Code;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decision {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Direction {
    direction: &'static str,
}

#[derive(Debug, Clone)]
pub(super) struct ProxyMetrics {
    decisions: Family<Decision, Counter>,
    tunnels: Gauge,
    bytes: Family<Direction, Counter>,
}

impl ProxyMetrics {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self {
            decisions: metrics.register(
                "egress_decisions",
                "Requests by the code of their refusal, or allow",
                Family::default(),
            ),
            tunnels: metrics.register("egress_tunnels", "Open tunnels", Gauge::default()),
            bytes: metrics.register("egress_tunnel_bytes", "Bytes carried by closed tunnels", Family::default()),
        }
    }

    pub(super) fn count(&self, code: Option<Code>) {
        self.decisions.get_or_create(&Decision { code: code.map_or("allow", Code::as_str) }).inc();
    }

    pub(super) fn opened(&self) {
        self.tunnels.inc();
    }

    pub(super) fn closed(&self, counts: &Counts) {
        self.tunnels.dec();
        self.bytes.get_or_create(&Direction { direction: "out" }).inc_by(counts.from_client);
        self.bytes.get_or_create(&Direction { direction: "in" }).inc_by(counts.from_origin);
    }
}
