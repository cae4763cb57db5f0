//! Takes messages in their order, pushes them to Redis and acknowledges them, in this sequence and no other: a message
//! is acknowledged when Redis holds its job: that of its event, or that which keeps it where it will never be one.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use posthouse_jobs::CreateEvent;
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
/// The same where functions are run on them: each may take its time.
const FUNCTION_BATCH_MAX: usize = 32;
/// Functions of one source at once.
const FUNCTIONS_MAX: usize = 16;
/// How long functions may go on when the source is to stop; then their messages are left to the broker.
const FUNCTIONS_GRACE: Duration = Duration::from_secs(5);

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
        let batch_max = if self.consumer.origin.functions.is_empty() { BATCH_MAX } else { FUNCTION_BATCH_MAX };
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled(), if !arrivals.is_closed() => arrivals.close(),
                count = arrivals.recv_many(&mut taken, batch_max) => {
                    if count == 0 {
                        break;
                    }
                    if !self.settle(&mut taken, stop).await {
                        break;
                    }
                }
            }
        }
        if !self.lost.is_cancelled() && self.client.try_disconnect().is_err() {
            self.lost.cancel();
        }
    }

    /// `false`: what was taken, and what waits, is left to the broker.
    async fn settle(&mut self, taken: &mut Vec<Arrival>, stop: &CancellationToken) -> bool {
        if self.lost.is_cancelled() {
            taken.retain(|arrival| !arrival.is_repeatable());
        }
        let MqttConsumer { origin, intake, .. } = self.consumer;
        let Some(read) = self.read(taken, stop).await else {
            tracing::info!(source.id = %origin.source_id, "Functions take too long to stop; their messages are left to the broker.");
            taken.clear();
            return false;
        };
        intake.metrics.received(origin.source_id, taken.len());
        let mut batch = Batch::default();
        for (arrival, read) in taken.iter_mut().zip(read) {
            match read {
                Ok(event) => batch.add(event, arrival.is_repeatable()),
                Err(rejection) => {
                    if let Some(kept) = intake.refuse(origin, &rejection, arrival.refused()) {
                        batch.refuse(kept, arrival.is_repeatable());
                    }
                }
            }
            arrival.give_up_bytes();
        }
        self.push(&mut batch).await;
        for arrival in taken.drain(..) {
            // After a loss the broker sends them again, under packet ids that may be other messages' by then.
            if !self.lost.is_cancelled() && self.client.try_ack(arrival.publish()).is_err() {
                self.lost.cancel();
            }
        }
        true
    }

    /// What each message becomes, in their order; `None`: the functions did not come to an end before it stopped.
    async fn read(&self, taken: &[Arrival], stop: &CancellationToken) -> Option<Vec<Result<CreateEvent, Rejection>>> {
        let MqttConsumer { origin, intake, .. } = self.consumer;
        let reads: Vec<_> = taken.iter().map(|arrival| arrival.read(intake, origin)).collect();
        let read = stream::iter(reads).buffered(FUNCTIONS_MAX).collect();
        let grace = async {
            stop.cancelled().await;
            tokio::time::sleep(FUNCTIONS_GRACE).await;
        };
        tokio::select! {
            biased;
            read = read => Some(read),
            () = grace => None,
        }
    }

    /// Tries until Redis holds everything. When the connection is lost meanwhile, what the broker repeats is left to it.
    async fn push(&mut self, batch: &mut Batch) {
        let intake = &self.consumer.intake;
        while !batch.is_empty() {
            let Err(error) = intake.push(&batch.events, &batch.rejected).await else {
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
}
