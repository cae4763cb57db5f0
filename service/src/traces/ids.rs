//! Ids of spans: random, but for those that are chosen. OpenTelemetry asks for them on the thread on which a span is built.

use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

thread_local! {
    static CHOSEN: Cell<(Option<u128>, Option<u64>)> = const { Cell::new((None, None)) };
}

#[derive(Debug, Default)]
pub(super) struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        CHOSEN.get().0.map_or_else(|| self.0.new_trace_id(), TraceId::from)
    }

    fn new_span_id(&self) -> SpanId {
        CHOSEN.get().1.map_or_else(|| self.0.new_span_id(), SpanId::from)
    }
}

/// Builds with these ids; zeros are none.
pub(super) fn chosen<T>(trace: Option<u128>, span: Option<u64>, build: impl FnOnce() -> T) -> T {
    CHOSEN.set((trace.filter(|id| *id != 0), span.filter(|id| *id != 0)));
    let built = build();
    CHOSEN.set((None, None));
    built
}
