//! Takes messages in their order, pushes them to Redis and acknowledges them, in this sequence and no other: a message
//! is acknowledged when Redis holds its job, or when it will never become one and that has been counted and logged.

use rumqttc::AsyncClient;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    MqttConsumer,
    batch::{Arrival, Batch},
};
use crate::{fault::Fault, intake::PUSH_PAUSE, message::Rejection};

/// Most messages of one push.
const BATCH_MAX: usize = 500;

pub(super) struct Writer<'a> {
    consumer: &'a MqttConsumer,
    client: &'a AsyncClient,
    lost: &'a CancellationToken,
    fault: Fault,
}

impl<'a> Writer<'a> {
    pub(super) fn new(consumer: &'a MqttConsumer, client: &'a AsyncClient, lost: &'a CancellationToken) -> Self {
        Self { consumer, client, lost, fault: Fault::default() }
    }

    /// Until `stop`, or until the reader has ended; what was taken by then is finished, then it disconnects.
    pub(super) async fn run(mut self, mut arrivals: mpsc::Receiver<Arrival>, stop: &CancellationToken) {
        let mut taken = Vec::with_capacity(BATCH_MAX);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled(), if !arrivals.is_closed() => arrivals.close(),
                count = arrivals.recv_many(&mut taken, BATCH_MAX) => {
                    if count == 0 {
                        break;
                    }
                    self.settle(&mut taken).await;
                }
            }
        }
        if !self.lost.is_cancelled() && self.client.try_disconnect().is_err() {
            self.lost.cancel();
        }
    }

    async fn settle(&mut self, taken: &mut Vec<Arrival>) {
        if self.lost.is_cancelled() {
            taken.retain(|arrival| !arrival.is_repeatable());
        }
        let metrics = &self.consumer.intake.metrics;
        metrics.received(self.consumer.origin.source_id, taken.len());
        let mut batch = Batch::default();
        for arrival in taken.iter_mut() {
            match arrival.decode(&self.consumer.origin) {
                Ok(event) => batch.add(event, arrival.is_repeatable()),
                Err(rejection) => self.reject(rejection, arrival.payload_bytes()),
            }
        }
        self.push(&mut batch).await;
        for arrival in taken.drain(..) {
            // After a loss the broker sends them again, under packet ids that may be other messages' by then.
            if !self.lost.is_cancelled() && self.client.try_ack(arrival.publish()).is_err() {
                self.lost.cancel();
            }
        }
    }

    /// Tries until Redis holds every event. When the connection is lost meanwhile, what the broker repeats is left to it.
    async fn push(&mut self, batch: &mut Batch) {
        let intake = &self.consumer.intake;
        while !batch.events.is_empty() {
            let Err(error) = intake.push(&batch.events).await else {
                if self.fault.is_over() {
                    tracing::info!(source.id = %self.consumer.origin.source_id, "The queue takes events again.");
                }
                return;
            };
            if self.fault.is_news(&error) {
                tracing::error!(source.id = %self.consumer.origin.source_id, error, "The queue takes no events; the broker is held back.");
            }
            let is_connected = !self.lost.is_cancelled();
            tokio::select! {
                () = tokio::time::sleep(PUSH_PAUSE) => {}
                () = self.lost.cancelled(), if is_connected => {}
            }
            if self.lost.is_cancelled() {
                batch.leave_repeatable();
            }
        }
    }

    fn reject(&self, rejection: Rejection, payload_bytes: usize) {
        let source_id = self.consumer.origin.source_id;
        self.consumer.intake.metrics.rejected(rejection);
        if rejection == Rejection::Retained {
            return; // Expected at every subscription.
        }
        tracing::warn!(
            source.id = %source_id, reason = rejection.reason(), error = %rejection, body_bytes = payload_bytes,
            "A message was refused and acknowledged."
        );
    }
}
