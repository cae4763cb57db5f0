//! A process's metrics, in the text form that Prometheus reads. Labels come from closed sets or from names that the product
//! gives; a series for each endpoint or project there never is.

mod process;

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::{
    collector::Collector,
    encoding::text::encode,
    metrics::{gauge::ConstGauge, info::Info},
    registry::{Metric, Registry},
};

/// Content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The registry of one process. Cheap to clone. Names begin with `posthouse_`.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
}

impl Metrics {
    /// A registry that knows the role, the version and the start of this process.
    #[must_use]
    pub fn new(role: &'static str) -> Self {
        let mut registry = Registry::with_prefix("posthouse");
        registry.register(
            "build",
            "What runs here",
            Info::new(vec![("role", role), ("version", env!("CARGO_PKG_VERSION"))]),
        );
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        registry.register(
            "process_start_time_seconds",
            "When the process started, Unix time",
            ConstGauge::new(now.as_secs_f64()),
        );
        registry.register_collector(Box::new(process::Usage::new()));
        Self { registry: Arc::new(Mutex::new(registry)) }
    }

    /// Asks `collector` at each scrape. What it does must take no time to speak of.
    pub fn collect(&self, collector: impl Collector) {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).register_collector(Box::new(collector));
    }

    /// Registers a metric and hands it back. The registry writes `_total` behind counters itself.
    pub fn register<M: Metric + Clone>(&self, name: &str, help: &str, metric: M) -> M {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register(name, help, metric.clone());
        metric
    }

    /// All metrics as text.
    #[must_use]
    pub fn encode(&self) -> String {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        // Writing to a String cannot fail; a metric that refuses to be written is left out.
        if encode(&mut text, &registry).is_err() {
            tracing::warn!("A metric could not be written.");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn what_is_registered_is_written() {
        let metrics = Metrics::new("worker");
        let counter: Counter = metrics.register("events", "Events", Counter::default());
        counter.inc_by(3);
        let text = metrics.encode();
        assert!(text.contains("posthouse_events_total 3"), "{text}");
        assert!(text.contains("posthouse_build_info{role=\"worker\","), "{text}");
        assert!(text.contains("posthouse_process_open_fds ") && text.contains("posthouse_process_cpu_seconds_total "));
        assert!(text.ends_with("# EOF\n"));
    }
}
