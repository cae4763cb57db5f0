//! Messages on their way from the broker to Redis, with what their acknowledgement needs.

use std::{collections::BTreeMap, sync::Arc};

use posthouse_jobs::{CreateEvent, StoreRejectedMessage};
use rumqttc::{Publish, QoS};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    intake::Intake,
    message::{KEPT_BYTES_MAX, MESSAGE_BYTES_MAX, Origin, Refused, Rejection},
};

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
    /// Waits until there is room for its bytes. A message that will be refused gives up what is not kept of it at once.
    pub(super) async fn of(mut publish: Publish, room: &Arc<Semaphore>) -> Self {
        let payload_bytes = publish.payload.len();
        let refusal = if publish.retain {
            Some(Rejection::Retained)
        } else {
            (payload_bytes > MESSAGE_BYTES_MAX).then_some(Rejection::TooLarge)
        };
        match refusal {
            Some(Rejection::TooLarge) => {
                let kept = publish.payload.get(..KEPT_BYTES_MAX).unwrap_or_default().to_vec();
                publish.payload = kept.into();
            }
            Some(_) => publish.payload.clear(),
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

    /// Its event, or why it will never be one.
    pub(super) async fn read(&self, intake: &Intake, origin: &Origin) -> Result<CreateEvent, Rejection> {
        match &self.refusal {
            Some(refusal) => Err(refusal.clone()),
            None => intake.read(&self.publish.payload, origin).await,
        }
    }

    /// What there is to keep of it once it is refused.
    pub(super) fn refused(&self) -> Refused<'_> {
        Refused {
            payload: &self.publish.payload,
            payload_bytes: self.payload_bytes,
            metadata: BTreeMap::from([
                ("topic".to_owned(), self.publish.topic.clone()),
                ("qos".to_owned(), (self.publish.qos as u8).to_string()),
            ]),
        }
    }

    /// Gives up its bytes: only the acknowledgement is still to come.
    pub(super) fn give_up_bytes(&mut self) {
        self.publish.payload.clear();
    }

    pub(super) const fn publish(&self) -> &Publish {
        &self.publish
    }
}

/// What becomes of the messages of one push.
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
