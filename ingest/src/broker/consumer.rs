//! Consumes one source over one connection at a time: receives messages, pushes them to Redis and answers them, in this
//! sequence and no other. A message is acknowledged when Redis holds its job: that of its event, or that which keeps it where
//! it will never be one.

use std::{convert::Infallible, pin::pin};

use futures::{StreamExt as _, stream};
use posthouse_jobs::{CreateEvent, queue::Rate};
use tokio::{
    sync::watch,
    time::{Duration, Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Answer, Broker, LagProbe, Link, Message, batch::Batch};
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
/// How often a source's lag is asked for, and how often a connection looks whether it is to ask.
const LAG_PAUSE: Duration = Duration::from_secs(10);
const LAG_LOOK: Duration = Duration::from_secs(1);
/// How long functions may go on when the source is to stop; then their messages are left to the broker.
const FUNCTIONS_GRACE: Duration = Duration::from_secs(5);

/// Consumes one source until it is told to stop.
pub struct Consumer<'a, B> {
    /// Whose messages these are.
    pub origin: Origin,
    /// How many of them are taken in, by all instances together.
    pub rate: Option<Rate>,
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
        let probe = link.lag_probe();
        let end = tokio::select! {
            biased;
            end = self.consume(&mut link, stop) => end,
            never = self.watch_lag(probe) => match never {},
        };
        if end.is_ok() {
            link.close().await;
        }
        if stop.is_cancelled() { Ok(()) } else { end }
    }

    /// Asks for the source's lag now and then; of several connections one does.
    async fn watch_lag(&self, probe: Option<LagProbe>) -> Infallible {
        let Some(probe) = probe else { return std::future::pending().await };
        loop {
            if self.intake.metrics.statuses().takes_lag(self.origin.source_id, LAG_PAUSE)
                && let Ok(Some(lag)) = timeout(LAG_PAUSE, probe()).await
            {
                self.intake.metrics.lag(self.origin.source_id, lag);
            }
            sleep(LAG_LOOK).await;
        }
    }

    async fn consume(&self, link: &mut B::Link, stop: &CancellationToken) -> Result<(), String> {
        let mut fault = Fault::default();
        loop {
            let messages = link.receive(stop).await?;
            if messages.is_empty() {
                return Ok(());
            }
            self.intake.metrics.received(self.origin.source_id, messages.len());
            let (tags, mut contents): (Vec<_>, Vec<_>) = messages.into_iter().map(Message::apart).unzip();
            // Until more is known: whoever holds messages only wants to know which.
            let mut answers: Vec<_> = tags.into_iter().map(|tag| (tag, Answer::Accepted)).collect();
            while !answers.is_empty() {
                let (count, held) = self.turns(link, &answers, stop, &mut fault).await;
                let is_last = count == 0;
                let rest = match count {
                    // Whoever sends the rest again does so; what nobody else holds is taken in whatever the rate.
                    0 => {
                        let kept = answers.into_iter().zip(contents).filter(|(_, content)| !content.is_repeatable);
                        (answers, contents) = kept.unzip();
                        (Vec::new(), Vec::new())
                    }
                    count => (answers.split_off(count), contents.split_off(count)),
                };
                if !self.take_in(link, (answers, contents), held, stop, &mut fault).await? || is_last {
                    return Ok(());
                }
                (answers, contents) = rest;
            }
        }
    }

    /// How many of these messages may go on by the source's rate: waits until there is one. None where it is to stop, or where
    /// the connection is lost meanwhile.
    async fn turns(
        &self,
        link: &mut B::Link,
        answers: &[(<B::Link as Link>::Tag, Answer)],
        stop: &CancellationToken,
        fault: &mut Fault,
    ) -> (usize, Result<(), String>) {
        let Some(rate) = self.rate else { return (answers.len(), Ok(())) };
        loop {
            let wait = match self.intake.take_turns(self.origin.source_id, rate, answers.len()).await {
                Ok(turns) if turns.taken > 0 => return (turns.taken, Ok(())),
                Ok(turns) => turns.wait,
                Err(error) => {
                    self.note_outage(&error, fault);
                    PUSH_PAUSE
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return (0, Ok(())),
                () = sleep(wait.min(PUSH_PAUSE)) => {}
            }
            if let Err(error) = link.hold(answers).await {
                return (0, Err(error));
            }
        }
    }

    /// Reads messages, pushes what they become, and answers them. `false`: it is to stop, and some were left to the broker.
    async fn take_in(
        &self,
        link: &mut B::Link,
        (mut answers, contents): (Answers<B::Link>, Vec<Message<()>>),
        mut held: Result<(), String>,
        stop: &CancellationToken,
        fault: &mut Fault,
    ) -> Result<bool, String> {
        let Some(reads) = self.read(link, &contents, &answers, &mut held, stop).await else {
            tracing::info!(source.id = %self.origin.source_id, "Functions take too long to stop; their messages are left to the broker.");
            return Ok(false);
        };
        let mut batch = Batch::default();
        for (((_, answer), content), read) in answers.iter_mut().zip(contents).zip(reads) {
            *answer = self.sort(&content, read, &mut batch);
        }
        if held.is_err() {
            self.leave_repeatable(link, &mut batch).await;
        }
        self.push(link, &mut batch, &answers, held, fault).await?;
        if !answers.is_empty() {
            link.settle(answers).await?;
        }
        Ok(true)
    }

    /// Redis does not answer: said once.
    fn note_outage(&self, error: &str, fault: &mut Fault) {
        if fault.is_news(error) {
            tracing::error!(source.id = %self.origin.source_id, error, "The queue takes no events; the broker is held back.");
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
                batch.add(event, content.identity, content.is_repeatable);
                Answer::Accepted
            }
            Err(rejection) => {
                if let Some(kept) = self.intake.refuse(&self.origin, &rejection, content.refused()) {
                    batch.refuse(kept, content.identity, content.is_repeatable);
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

    /// What came before gets the id that it had.
    async fn push_once(&self, batch: &mut Batch) -> Result<(), String> {
        let sightings = batch.sightings();
        if !sightings.is_empty() {
            batch.recognised(self.intake.recognise(self.origin.source_id, &sightings).await?);
        }
        self.intake.push(&batch.events, &batch.rejected).await
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
            let Err(error) = self.push_once(batch).await else {
                if fault.is_over() {
                    tracing::info!(source.id = %self.origin.source_id, "The queue takes events again.");
                }
                break;
            };
            self.note_outage(&error, fault);
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

/// What answers messages, with the answer.
type Answers<L> = Vec<(<L as Link>::Tag, Answer)>;

async fn is_allowed(mut may_connect: watch::Receiver<bool>, stop: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        allowed = may_connect.wait_for(|allowed| *allowed) => allowed.is_ok(),
    }
}
