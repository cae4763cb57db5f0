//! Requests by route, method and status class: the route as it is written in the router, so that no id becomes a label.

use std::time::Instant;

use posthouse_boxed::boxed;
use posthouse_jobs::{CreateEvent, EventTarget};
use posthouse_service::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};
use salvo::prelude::*;

use crate::app::app;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: String,
    route: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Target {
    target: &'static str,
}

/// Counts and times of requests, and of the events among them.
#[derive(Debug, Clone)]
pub struct RequestMetrics {
    accepted: Family<Target, Counter>,
    refused: Counter,
    push_seconds: Histogram,
    requests: Family<Labels, Counter>,
    seconds: Histogram,
}

impl RequestMetrics {
    /// Registers them.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let accepted: Family<Target, Counter> =
            metrics.register("events_accepted", "Events that Redis holds, by whom they are for", Family::default());
        // From the start, so that the first of a kind is seen as an increase.
        for target in TARGETS {
            drop(accepted.get_or_create(&Target { target }));
        }
        let pushes = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
        let buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
        Self {
            accepted,
            refused: metrics.register("events_not_queued", "Events that Redis did not take", Counter::default()),
            push_seconds: metrics.register(
                "event_push_seconds",
                "Time until Redis holds what was accepted",
                Histogram::new(pushes),
            ),
            requests: metrics.register("api_requests", "Requests by route, method and status class", Family::default()),
            seconds: metrics.register("api_request_seconds", "Time to answer", Histogram::new(buckets)),
        }
    }

    /// Pushes these events by `push`, and counts what became of them.
    ///
    /// # Errors
    /// Those of `push`.
    pub async fn accept<T, E>(&self, jobs: &[CreateEvent], push: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let began = Instant::now();
        let pushed = push.await;
        self.push_seconds.observe(began.elapsed().as_secs_f64());
        for job in jobs {
            match &pushed {
                Ok(_) => self.accepted.get_or_create(&Target { target: target(&job.target) }).inc(),
                Err(_) => self.refused.inc(),
            };
        }
        pushed
    }
}

const TARGETS: [&str; 5] = ["endpoint", "fanout", "broadcast", "dynamic", "source"];

fn target(target: &EventTarget) -> &'static str {
    match target {
        EventTarget::Single { .. } => "endpoint",
        EventTarget::Fanout { .. } => "fanout",
        EventTarget::Broadcast => "broadcast",
        EventTarget::Dynamic { .. } => "dynamic",
        EventTarget::Source { .. } => "source",
    }
}

/// Counts the request when it is answered.
#[handler]
#[boxed]
pub async fn observe(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let began = Instant::now();
    ctrl.call_next(req, depot, res).await;
    let Ok(app) = app(depot) else { return };
    let status = match res.status_code.map_or(200, |code| code.as_u16()) {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    let method = match req.method().as_str() {
        known @ ("GET" | "POST" | "PUT" | "DELETE" | "HEAD" | "OPTIONS") => known,
        _ => "other",
    };
    let route = if req.matched_path().is_empty() { "none" } else { req.matched_path() };
    let labels = Labels { method: method.into(), route: route.into(), status };
    app.requests.requests.get_or_create(&labels).inc();
    app.requests.seconds.observe(began.elapsed().as_secs_f64());
}
