//! How calls to Redis end and what they take, counted where all of them pass.

use std::{ops::Deref, time::Instant};

use posthouse_service::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};
use redis::{Cmd, Pipeline, RedisFuture, RedisResult, Value, aio::ConnectionLike};

use super::link::Link;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    result: &'static str,
}

/// Counts of one connection. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    calls: Family<Ended, Counter>,
    answered: Counter,
    failed: Counter,
    abandoned: Counter,
    seconds: Histogram,
    pending: Gauge,
}

/// A connection whose calls are counted.
#[derive(Clone)]
pub(crate) struct Metered {
    link: Link,
    meter: Meter,
}

/// A call under way. One whose caller went away, as after a timeout, counts as abandoned.
struct Pending<'m> {
    meter: &'m Meter,
    began: Instant,
    has_ended: bool,
}

impl Meter {
    pub(crate) fn new() -> Self {
        let calls = Family::<Ended, Counter>::default();
        let of = |result| calls.get_or_create_owned(&Ended { result });
        let (answered, failed, abandoned) = (of("ok"), of("error"), of("abandoned"));
        let buckets = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
        Self { calls, answered, failed, abandoned, seconds: Histogram::new(buckets), pending: Gauge::default() }
    }

    pub(crate) fn register(&self, metrics: &Metrics) {
        metrics.register("redis_calls", "Calls to Redis by how they ended", self.calls.clone());
        metrics.register("redis_call_seconds", "Time of a call to Redis", self.seconds.clone());
        metrics.register("redis_calls_pending", "Calls to Redis that wait for an answer", self.pending.clone());
    }

    pub(crate) fn over(&self, link: Link) -> Metered {
        Metered { link, meter: self.clone() }
    }

    async fn watch<T>(&self, call: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        self.pending.inc();
        let mut pending = Pending { meter: self, began: Instant::now(), has_ended: false };
        let answer = call.await;
        pending.has_ended = true;
        // Whatever Redis says, such as that it does not know a script yet, is an answer; that it is in no state to is not.
        let is_answer = answer.as_ref().map_or_else(is_said, |_| true);
        if is_answer { &self.answered } else { &self.failed }.inc();
        answer
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.meter.pending.dec();
        self.meter.seconds.observe(self.began.elapsed().as_secs_f64());
        if !self.has_ended {
            self.meter.abandoned.inc();
        }
    }
}

fn is_said(error: &redis::RedisError) -> bool {
    use redis::{ErrorKind, ServerErrorKind as Kind};
    matches!(error.kind(), ErrorKind::Server(Kind::NoScript | Kind::ResponseError))
}

impl Deref for Metered {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

impl ConnectionLike for Metered {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(self.meter.watch(self.link.req_packed_command(cmd)))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(self.meter.watch(self.link.req_packed_commands(pipeline, offset, count)))
    }

    fn get_db(&self) -> i64 {
        self.link.get_db()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_are_counted_by_how_they_end() {
        let (meter, metrics) = (Meter::new(), Metrics::new("test"));
        meter.register(&metrics);
        meter.watch(async { Ok(()) }).await.unwrap();
        let refused = redis::RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        meter.watch(async { Err::<(), _>(refused) }).await.unwrap_err();
        let given_up = meter.watch(std::future::pending::<RedisResult<()>>());
        assert!(futures::FutureExt::now_or_never(given_up).is_none());
        let text = metrics.encode();
        for part in
            ["calls_total{result=\"ok\"} 1", "calls_total{result=\"error\"} 1", "calls_total{result=\"abandoned\"} 1"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(text.contains("redis_call_seconds_count 3") && text.contains("redis_calls_pending 0"), "{text}");
    }
}
