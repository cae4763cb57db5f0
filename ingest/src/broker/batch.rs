//! What becomes of the messages of one push.

use posthouse_jobs::{CreateEvent, StoreRejectedMessage};

/// Events and what was refused, and whether the broker would send each again.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub events: Vec<CreateEvent>,
    pub rejected: Vec<StoreRejectedMessage>,
    is_repeatable: Vec<bool>,
    is_repeatable_rejected: Vec<bool>,
}

impl Batch {
    pub(super) fn add(&mut self, event: CreateEvent, is_repeatable: bool) {
        self.events.push(event);
        self.is_repeatable.push(is_repeatable);
    }

    pub(super) fn refuse(&mut self, rejected: StoreRejectedMessage, is_repeatable: bool) {
        self.rejected.push(rejected);
        self.is_repeatable_rejected.push(is_repeatable);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.events.is_empty() && self.rejected.is_empty()
    }

    /// Leaves to the broker what it sends again; only what nobody else holds stays.
    pub(super) fn leave_repeatable(&mut self) {
        leave(&mut self.events, &mut self.is_repeatable);
        leave(&mut self.rejected, &mut self.is_repeatable_rejected);
    }
}

fn leave<T>(items: &mut Vec<T>, is_repeatable: &mut Vec<bool>) {
    let mut flags = std::mem::take(is_repeatable).into_iter();
    items.retain(|_| !flags.next().unwrap_or(false));
    *is_repeatable = vec![false; items.len()];
}
