//! What becomes of the messages of one push.

use posthouse_jobs::{CreateEvent, StoreRejectedMessage, queue::Sighting};
use posthouse_schema::ids::{EventId, RejectedMessageId};

use super::Identity;

/// Events and what was refused, and whether the broker would send each again.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub events: Vec<CreateEvent>,
    pub rejected: Vec<StoreRejectedMessage>,
    is_repeatable: Vec<bool>,
    is_repeatable_rejected: Vec<bool>,
    /// Those that can be recognised, until they are.
    named: Vec<(Identity, Place)>,
}

/// Where something is in a batch.
#[derive(Debug, Clone, Copy)]
enum Place {
    Event(usize),
    Rejected(usize),
}

impl Batch {
    pub(super) fn add(&mut self, event: CreateEvent, identity: Option<Identity>, is_repeatable: bool) {
        self.named.extend(identity.map(|identity| (identity, Place::Event(self.events.len()))));
        self.events.push(event);
        self.is_repeatable.push(is_repeatable);
    }

    pub(super) fn refuse(&mut self, rejected: StoreRejectedMessage, identity: Option<Identity>, is_repeatable: bool) {
        self.named.extend(identity.map(|identity| (identity, Place::Rejected(self.rejected.len()))));
        self.rejected.push(rejected);
        self.is_repeatable_rejected.push(is_repeatable);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.events.is_empty() && self.rejected.is_empty()
    }

    /// What may have come before.
    pub(super) fn sightings(&self) -> Vec<Sighting> {
        let sighting = |(identity, place): &(Identity, Place)| {
            let id = match place {
                Place::Event(at) => self.events.get(*at)?.event_id.to_bits(),
                Place::Rejected(at) => self.rejected.get(*at)?.message_id.to_bits(),
            };
            Some(Sighting { name: identity.name, id, is_first: identity.is_first })
        };
        self.named.iter().filter_map(sighting).collect()
    }

    /// Gives these ids to them, in their order. Where a message became something else than before, it is a new one by the time
    /// of the old.
    pub(super) fn recognised(&mut self, ids: Vec<u128>) {
        for ((_, place), id) in std::mem::take(&mut self.named).into_iter().zip(ids) {
            match place {
                Place::Event(at) => {
                    if let Some(event) = self.events.get_mut(at) {
                        event.event_id = EventId::from_bits(id);
                        event.accepted_at = event.event_id.created_at();
                    }
                }
                Place::Rejected(at) => {
                    if let Some(rejected) = self.rejected.get_mut(at) {
                        rejected.message_id = RejectedMessageId::from_bits(id);
                    }
                }
            }
        }
    }

    /// Leaves to the broker what it sends again; only what nobody else holds stays.
    pub(super) fn leave_repeatable(&mut self) {
        leave(&mut self.events, &mut self.is_repeatable);
        leave(&mut self.rejected, &mut self.is_repeatable_rejected);
        // A broker that does not send something again has no name for it either.
        self.named.clear();
    }
}

fn leave<T>(items: &mut Vec<T>, is_repeatable: &mut Vec<bool>) {
    let mut flags = std::mem::take(is_repeatable).into_iter();
    items.retain(|_| !flags.next().unwrap_or(false));
    *is_repeatable = vec![false; items.len()];
}
