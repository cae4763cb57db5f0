//! A message on its way from the network to Redis, with what its acknowledgement needs.

use std::sync::Arc;

use bytes::Bytes;
use posthouse_broker_settings::Retained;
use rumqttc::QoS;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    client::{Packet, Publication},
    template::EventTypeTemplate,
};
use crate::{
    broker::Message,
    message::{KEPT_BYTES_MAX, MESSAGE_BYTES_MAX, Rejection},
};

/// How a source's messages are taken.
pub(super) struct Taking {
    pub retained: Retained,
    pub template: Option<EventTypeTemplate>,
}

/// A message as it came in.
#[derive(Debug)]
pub struct Arrival {
    publication: Publication,
    payload_bytes: usize,
    refusal: Option<Rejection>,
    /// Its share of the bytes in flight.
    _room: Option<OwnedSemaphorePermit>,
}

impl Arrival {
    /// Waits until there is room for its bytes. A message that will be refused gives up what is not kept of it at once.
    pub(super) async fn of(mut publication: Publication, taking: &Taking, room: &Arc<Semaphore>) -> Self {
        let is_skipped = publication.is_retained && taking.retained == Retained::Skip;
        if let Some(template) = taking.template.as_ref().filter(|_| !is_skipped)
            && publication.payload.len() <= MESSAGE_BYTES_MAX
        {
            publication.payload = template.message(&publication.topic, &publication.payload);
        }
        let payload_bytes = publication.payload.len();
        let refusal = if is_skipped {
            Some(Rejection::Retained)
        } else {
            (payload_bytes > MESSAGE_BYTES_MAX).then_some(Rejection::TooLarge)
        };
        match refusal {
            // A copy, so that the rest is given up.
            Some(Rejection::TooLarge) => {
                publication.payload =
                    Bytes::copy_from_slice(publication.payload.get(..KEPT_BYTES_MAX).unwrap_or_default());
            }
            Some(_) => publication.payload = Bytes::new(),
            None => {}
        }
        let bytes = u32::try_from(publication.payload.len()).unwrap_or(u32::MAX);
        // The semaphore is never closed; without a permit the message still goes on.
        let room = Arc::clone(room).acquire_many_owned(bytes).await.ok();
        Self { publication, payload_bytes, refusal, _room: room }
    }

    /// Whether the broker sends it again when the connection ends without an acknowledgement.
    pub(super) fn is_repeatable(&self) -> bool {
        self.publication.qos != QoS::AtMostOnce
    }

    pub(super) const fn packet(&self) -> &Packet {
        &self.publication.packet
    }

    /// The message; the arrival itself is what acknowledges it.
    pub(super) fn into_message(mut self) -> Message<Self> {
        let body = std::mem::take(&mut self.publication.payload);
        let headers = std::mem::take(&mut self.publication.headers);
        let mut metadata = std::mem::take(&mut self.publication.properties);
        metadata.insert("topic".to_owned(), std::mem::take(&mut self.publication.topic));
        metadata.insert("qos".to_owned(), (self.publication.qos as u8).to_string());
        let (body_bytes, refusal, is_repeatable) = (self.payload_bytes, self.refusal.take(), self.is_repeatable());
        Message { body_bytes, headers, metadata, refusal, is_repeatable, ..Message::new(body, self) }
    }
}
