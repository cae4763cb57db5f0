//! What is counted of each proxy. Their names come from the settings, so that there are few.

use posthouse_service::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Proxy {
    proxy: String,
}

/// Counters of all proxies. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct ExitMetrics {
    up: Family<Proxy, Gauge>,
    connections: Family<Proxy, Counter>,
    failures: Family<Proxy, Counter>,
}

/// Counters of one.
#[derive(Debug, Clone)]
pub(super) struct InstanceMetrics {
    pub(super) up: Gauge,
    pub(super) connections: Counter,
    pub(super) failures: Counter,
}

impl ExitMetrics {
    pub(super) fn of(&self, name: &str) -> InstanceMetrics {
        let proxy = Proxy { proxy: name.into() };
        InstanceMetrics {
            up: self.up.get_or_create(&proxy).clone(),
            connections: self.connections.get_or_create(&proxy).clone(),
            failures: self.failures.get_or_create(&proxy).clone(),
        }
    }

    pub(super) fn register(&self, metrics: &Metrics) {
        metrics.register("egress_instance_up", "Whether an egress proxy is used", self.up.clone());
        metrics.register(
            "egress_instance_connections",
            "Connections made to an egress proxy, its health checks left out",
            self.connections.clone(),
        );
        metrics.register(
            "egress_instance_failures",
            "Connections and health checks that an egress proxy failed itself",
            self.failures.clone(),
        );
    }
}
