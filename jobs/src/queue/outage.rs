//! Tells the log once when something stops working and once when it works again, however often it is tried between.

use std::{fmt::Display, time::Instant};

pub(crate) struct Outage {
    what: &'static str,
    queue: Option<&'static str>,
    since: Option<Instant>,
}

impl Outage {
    pub(crate) const fn new(what: &'static str, queue: &'static str) -> Self {
        Self { what, queue: Some(queue), since: None }
    }

    /// Of something that has no queue.
    pub(crate) const fn of_none(what: &'static str) -> Self {
        Self { what, queue: None, since: None }
    }

    pub(crate) fn failed(&mut self, error: &dyn Display) {
        if self.since.is_none() {
            self.since = Some(Instant::now());
            tracing::warn!(queue = self.queue, error = %error, "{} fails; it is tried until it succeeds.", self.what);
        }
    }

    pub(crate) fn succeeded(&mut self) {
        if let Some(since) = self.since.take() {
            tracing::info!(queue = self.queue, outage_ms = since.elapsed().as_millis(), "{} works again.", self.what);
        }
    }
}
