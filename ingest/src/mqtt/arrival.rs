//! A message on its way from the network to Redis, with what its acknowledgement needs.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use rumqttc::{Publish, QoS};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    broker::Message,
    message::{KEPT_BYTES_MAX, MESSAGE_BYTES_MAX, Rejection},
};

/// A message as it came in.
#[derive(Debug)]
pub struct Arrival {
    publish: Publish,
    payload_bytes: usize,
    refusal: Option<Rejection>,
    /// Its share of the bytes in flight.
    _room: Option<OwnedSemaphorePermit>,
}

impl Arrival {
    /// Waits until there is room for its bytes. A message that will be refused gives up what is not kept of it at once.
    pub(super) async fn of(mut publish: Publish, room: &Arc<Semaphore>) -> Self {
        let payload_bytes = publish.payload.len();
        let refusal = if publish.retain {
            Some(Rejection::Retained)
        } else {
            (payload_bytes > MESSAGE_BYTES_MAX).then_some(Rejection::TooLarge)
        };
        match refusal {
            // A copy, so that the rest is given up.
            Some(Rejection::TooLarge) => {
                publish.payload = Bytes::copy_from_slice(publish.payload.get(..KEPT_BYTES_MAX).unwrap_or_default());
            }
            Some(_) => publish.payload = Bytes::new(),
            None => {}
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

    pub(super) const fn publish(&self) -> &Publish {
        &self.publish
    }

    /// The message; the arrival itself is what acknowledges it.
    pub(super) fn into_message(mut self) -> Message<Self> {
        let body = std::mem::take(&mut self.publish.payload);
        let metadata = BTreeMap::from([
            ("topic".to_owned(), self.publish.topic.clone()),
            ("qos".to_owned(), (self.publish.qos as u8).to_string()),
        ]);
        let (body_bytes, refusal, is_repeatable) = (self.payload_bytes, self.refusal.take(), self.is_repeatable());
        Message { body_bytes, metadata, refusal, is_repeatable, ..Message::new(body, self) }
    }
}
