//! Consumes one source over one connection at a time: receives messages, pushes them to Redis and answers them, in this
//! sequence and no other. A message is acknowledged when Redis holds its job: that of its event, or that which keeps it where
//! it will never be one.

use std::pin::pin;

use futures::{StreamExt as _, stream};
use posthouse_jobs::CreateEvent;
use tokio::{
    sync::watch,
    time::{Duration, Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{Answer, Broker, Link, Message, batch::Batch};
use crate::{
    backoff::Backoff,
    fault::Fault,
    intake::{Intake, PUSH_PAUSE},
    message::{Origin, Rejection},
};

/// A connection that lasted this long was a good one: the next failure waits the shortest time again.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// Functions of one source at once.
const FUNCTIONS_MAX: usize = 16;
/// How long functions may go on when the source is to stop; then their messages are left to the broker.
const FUNCTIONS_GRACE: Duration = Duration::from_secs(5);

/// Consumes one source until it is told to stop.
pub struct Consumer<'a, B> {
    /// Whose messages these are.
    pub origin: Origin,
    /// Where they come from.
    pub broker: &'a B,
    /// Where they go.
    pub intake: Intake,
}

impl<B: Broker> Consumer<'_, B> {
    /// Connects, reads, and connects again, until `stop`; then finishes what it has and disconnects. Opens no connection
    /// while `may_connect` is false, but goes on with one that it has: the broker ends it when another takes over.
    pub async fn run(&self, may_connect: watch::Receiver<bool>, stop: &CancellationToken) {
        let (mut backoff, mut fault) = (Backoff::new(), Fault::default());
        while is_allowed(may_connect.clone(), stop).await {
            let started = Instant::now();
            let end = self.connection(&mut fault, stop).await;
            let Err(error) = end else { break };
            self.intake.metrics.statuses().lost(self.origin.source_id, &error);
            if fault.is_news(&error) {
                tracing::warn!(source.id = %self.origin.source_id, error, "The broker connection failed; it is tried again.");
            }
            if started.elapsed() >= GOOD_AFTER {
                backoff = Backoff::new();
            }
            tokio::select! {
                () = sleep(backoff.next_wait()) => {}
                () = stop.cancelled() => break,
            }
        }
    }

    /// One connection, from its beginning to its end. `Ok`: it ended as asked.
    async fn connection(&self, fault: &mut Fault, stop: &CancellationToken) -> Result<(), String> {
        let mut link = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            link = self.broker.connect() => link?,
        };
        let _connected = self.intake.metrics.connected(self.origin.source_id);
        if fault.is_over() {
            tracing::info!(source.id = %self.origin.source_id, "The broker connection works again.");
        } else {
            tracing::info!(source.id = %self.origin.source_id, "The source is being consumed.");
        }
        let end = self.consume(&mut link, stop).await;
        if end.is_ok() {
            link.close().await;
        }
        if stop.is_cancelled() { Ok(()) } else { end }
    }

    async fn consume(&self, link: &mut B::Link, stop: &CancellationToken) -> Result<(), String> {
        let mut fault = Fault::default();
        loop {
            let messages = link.receive(stop).await?;
            if messages.is_empty() {
                return Ok(());
            }
            self.intake.metrics.received(self.origin.source_id, messages.len());
            let (tags, contents): (Vec<_>, Vec<_>) = messages.into_iter().map(Message::apart).unzip();
            // Until more is known: whoever holds messages only wants to know which.
            let mut answers: Vec<_> = tags.into_iter().map(|tag| (tag, Answer::Accepted)).collect();
            let mut held = Ok(());
            let Some(reads) = self.read(link, &contents, &answers, &mut held, stop).await else {
                tracing::info!(source.id = %self.origin.source_id, "Functions take too long to stop; their messages are left to the broker.");
                return Ok(());
            };
            let mut batch = Batch::default();
            for (((_, answer), content), read) in answers.iter_mut().zip(contents).zip(reads) {
                *answer = self.sort(&content, read, &mut batch);
            }
            if held.is_err() {
                self.leave_repeatable(link, &mut batch).await;
            }
            self.push(link, &mut batch, &answers, held, &mut fault).await?;
            link.settle(answers).await?;
        }
    }

    /// What each message becomes, in their order; `None`: functions did not come to an end before it stopped. Meanwhile the
    /// broker is told that they are in hand, until that fails.
    async fn read(
        &self,
        link: &mut B::Link,
        contents: &[Message<()>],
        answers: &[(<B::Link as Link>::Tag, Answer)],
        held: &mut Result<(), String>,
        stop: &CancellationToken,
    ) -> Option<Vec<Result<CreateEvent, Rejection>>> {
        let reads: Vec<_> = contents.iter().map(|content| self.read_one(content)).collect();
        let mut read = pin!(stream::iter(reads).buffered(FUNCTIONS_MAX).collect());
        let mut grace = pin!(async {
            stop.cancelled().await;
            sleep(FUNCTIONS_GRACE).await;
        });
        loop {
            tokio::select! {
                biased;
                read = &mut read => return Some(read),
                () = &mut grace => return None,
                () = sleep(PUSH_PAUSE), if held.is_ok() => *held = link.hold(answers).await,
            }
        }
    }

    async fn read_one(&self, content: &Message<()>) -> Result<CreateEvent, Rejection> {
        match &content.refusal {
            Some(refusal) => Err(refusal.clone()),
            None => self.intake.read(&content.body, content.beside(), &self.origin).await,
        }
    }

    /// Puts the message's event into the batch, or what is kept of a message that will never be one.
    fn sort(&self, content: &Message<()>, read: Result<CreateEvent, Rejection>, batch: &mut Batch) -> Answer {
        match read {
            Ok(event) => {
                batch.add(event, content.is_repeatable);
                Answer::Accepted
            }
            Err(rejection) => {
                if let Some(kept) = self.intake.refuse(&self.origin, &rejection, content.refused()) {
                    batch.refuse(kept, content.is_repeatable);
                }
                Answer::Refused
            }
        }
    }

    /// After the connection was lost: what the broker repeats is left to it, and what else it has brought is taken.
    async fn leave_repeatable(&self, link: &mut B::Link, batch: &mut Batch) {
        batch.leave_repeatable();
        for message in link.unrepeatable().await {
            self.intake.metrics.received(self.origin.source_id, 1);
            let (_, content) = message.apart();
            let read = self.read_one(&content).await;
            self.sort(&content, read, batch);
        }
    }

    /// Tries until Redis holds everything. `held` is how the connection is; where it is lost meanwhile, what the broker repeats
    /// is left to it.
    async fn push(
        &self,
        link: &mut B::Link,
        batch: &mut Batch,
        answers: &[(<B::Link as Link>::Tag, Answer)],
        mut held: Result<(), String>,
        fault: &mut Fault,
    ) -> Result<(), String> {
        while !batch.is_empty() {
            let Err(error) = self.intake.push(&batch.events, &batch.rejected).await else {
                if fault.is_over() {
                    tracing::info!(source.id = %self.origin.source_id, "The queue takes events again.");
                }
                break;
            };
            if fault.is_news(&error) {
                tracing::error!(source.id = %self.origin.source_id, error, "The queue takes no events; the broker is held back.");
            }
            sleep(PUSH_PAUSE).await;
            if held.is_ok() {
                held = link.hold(answers).await;
                if held.is_err() {
                    self.leave_repeatable(link, batch).await;
                }
            }
        }
        held
    }
}

async fn is_allowed(mut may_connect: watch::Receiver<bool>, stop: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        allowed = may_connect.wait_for(|allowed| *allowed) => allowed.is_ok(),
    }
}
