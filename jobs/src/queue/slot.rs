//! A leased job's place in its worker. Whatever happens to a job, its slot reports it once: also a job that nobody ran.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::{lease::Lease, outcome::Outcome, places::Taken};

/// What became of a job. The place is given back when this is dropped, after Redis knows.
pub(crate) struct Finished {
    pub(crate) lease: Arc<Lease>,
    pub(crate) id: String,
    /// Failed tries before this one.
    pub(crate) tries: u32,
    pub(crate) outcome: Outcome,
    pub(crate) place: Option<Taken>,
}

/// A lease on a job, from fetch to outcome.
pub(crate) struct Held {
    pub(crate) lease: Arc<Lease>,
    pub(crate) id: String,
    pub(crate) tries: u32,
    pub(crate) place: Option<Taken>,
}

/// Travels with the task through apalis, which wants it to be `Clone`.
#[derive(Clone)]
pub(crate) struct Slot(Arc<Open>);

struct Open {
    held: Mutex<Option<Held>>,
    report: mpsc::UnboundedSender<Finished>,
}

impl Slot {
    pub(crate) fn new(held: Held, report: mpsc::UnboundedSender<Finished>) -> Self {
        Self(Arc::new(Open { held: Mutex::new(Some(held)), report }))
    }

    /// Reports the job's outcome; only the first report counts.
    pub(crate) fn finish(&self, outcome: Outcome) {
        self.0.finish(outcome);
    }
}

impl Open {
    fn finish(&self, outcome: Outcome) {
        let Some(Held { lease, id, tries, place }) = self.held.lock().unwrap_or_else(PoisonError::into_inner).take()
        else {
            return;
        };
        // The receiver is gone only when the worker is: then the reaper gives the job to another.
        drop(self.report.send(Finished { lease, id, tries, outcome, place }));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.finish(Outcome::HandedBack);
    }
}
