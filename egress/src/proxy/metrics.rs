//! What the proxy counts. Label values come from the fixed set of codes and `allow`, never from a request.

use posthouse_service::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

use super::meter::Totals;
use crate::rules::Code;

const ALLOWED: &str = "allow";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decision {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Direction {
    direction: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reload {
    result: &'static str,
}

impl Reload {
    const fn of(is_good: bool) -> Self {
        Self { result: if is_good { "ok" } else { "failed" } }
    }
}

#[derive(Debug, Clone)]
pub(super) struct ProxyMetrics {
    decisions: Family<Decision, Counter>,
    reported: Family<Decision, Counter>,
    rules_reloads: Family<Reload, Counter>,
    tls_reloads: Family<Reload, Counter>,
    tunnels: Gauge,
    /// Bytes to and from origins, tunnels and forwarded requests alike.
    pub(super) bytes: Totals,
}

/// Counts a tunnel while it lives.
pub(super) struct OpenTunnel(Gauge);

impl Drop for OpenTunnel {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl ProxyMetrics {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let decisions: Family<Decision, Counter> =
            metrics.register("egress_decisions", "Requests by the code of their refusal, or allow", Family::default());
        // From the start, so that the first refusal of a kind is seen as an increase.
        for code in Code::ALL.into_iter().map(Code::as_str).chain([ALLOWED]) {
            drop(decisions.get_or_create(&Decision { code }));
        }
        let bytes: Family<Direction, Counter> =
            metrics.register("egress_bytes", "Bytes carried to (out) and from (in) origins", Family::default());
        let bytes = |direction| bytes.get_or_create(&Direction { direction }).clone();
        let reported: Family<Decision, Counter> = metrics.register(
            "egress_reported",
            "Requests that were let through and would have been refused, by code",
            Family::default(),
        );
        for code in Code::ALL.into_iter().map(Code::as_str) {
            drop(reported.get_or_create(&Decision { code }));
        }
        let rules_reloads: Family<Reload, Counter> =
            metrics.register("egress_rules_reloads", "Times that the rules were read again", Family::default());
        let tls_reloads: Family<Reload, Counter> =
            metrics.register("egress_tls_reloads", "Times that the files of TLS were read again", Family::default());
        for reload in [true, false].map(Reload::of) {
            drop((rules_reloads.get_or_create(&reload), tls_reloads.get_or_create(&reload)));
        }
        Self {
            decisions,
            reported,
            rules_reloads,
            tls_reloads,
            tunnels: metrics.register("egress_tunnels", "Open tunnels", Gauge::default()),
            bytes: Totals { read: bytes("in"), written: bytes("out") },
        }
    }

    pub(super) fn count(&self, code: Option<Code>) {
        self.decisions.get_or_create(&Decision { code: code.map_or(ALLOWED, Code::as_str) }).inc();
    }

    pub(super) fn count_reported(&self, code: Code) {
        self.reported.get_or_create(&Decision { code: code.as_str() }).inc();
    }

    pub(super) fn count_rules_reload(&self, is_good: bool) {
        self.rules_reloads.get_or_create(&Reload::of(is_good)).inc();
    }

    pub(super) fn count_tls_reload(&self, is_good: bool) {
        self.tls_reloads.get_or_create(&Reload::of(is_good)).inc();
    }

    pub(super) fn open_tunnel(&self) -> OpenTunnel {
        self.tunnels.inc();
        OpenTunnel(self.tunnels.clone())
    }
}
