//! Messages on their way from the broker to Redis, with what their acknowledgement needs.

use std::sync::Arc;

use posthouse_jobs::CreateEvent;
use rumqttc::{Publish, QoS};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::message::{MESSAGE_BYTES_MAX, Origin, Rejection, decode};

/// A message as it came in.
#[derive(Debug)]
pub(super) struct Arrival {
    publish: Publish,
    payload_bytes: usize,
    refusal: Option<Rejection>,
    /// Its share of the bytes in flight.
    _room: Option<OwnedSemaphorePermit>,
}

impl Arrival {
    /// Waits until there is room for its bytes. A message that will be refused gives up its bytes at once.
    pub(super) async fn of(mut publish: Publish, room: &Arc<Semaphore>) -> Self {
        let payload_bytes = publish.payload.len();
        let refusal = if publish.retain {
            Some(Rejection::Retained)
        } else {
            (payload_bytes > MESSAGE_BYTES_MAX).then_some(Rejection::TooLarge)
        };
        if refusal.is_some() {
            publish.payload.clear();
        }
        let bytes = u32::try_from(publish.payload.len()).unwrap_or(u32::MAX);
        // The semaphore is never closed; without a permit the message still goes on.
        let room = Arc::clone(room).acquire_many_owned(bytes).await.ok();
        Self { publish, payload_bytes, refusal, _room: room }
    }

    /// Whether the broker sends it again when the connection ends without an acknowledgement.
    pub(super) fn is_repeatable(&self) -> bool {
        self.publish.qos != QoS::AtMostOnce
    }

    /// Its event, or why it will never be one.
    pub(super) fn decode(&mut self, origin: &Origin) -> Result<CreateEvent, Rejection> {
        let payload = std::mem::take(&mut self.publish.payload);
        self.refusal.map_or_else(|| decode(&payload, origin), Err)
    }

    pub(super) const fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    pub(super) const fn publish(&self) -> &Publish {
        &self.publish
    }
}

/// The events of one push.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub events: Vec<CreateEvent>,
    is_repeatable: Vec<bool>,
}

impl Batch {
    pub(super) fn add(&mut self, event: CreateEvent, is_repeatable: bool) {
        self.events.push(event);
        self.is_repeatable.push(is_repeatable);
    }

    /// Leaves to the broker what it sends again; only what nobody else holds stays.
    pub(super) fn leave_repeatable(&mut self) {
        let mut flags = std::mem::take(&mut self.is_repeatable).into_iter();
        self.events.retain(|_| !flags.next().unwrap_or(false));
        self.is_repeatable = vec![false; self.events.len()];
    }
}
