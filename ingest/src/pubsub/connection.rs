//! One stream of messages and the leases on what it brought. Acknowledgements are calls of their own, so that each is known
//! to have arrived.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use googleapis_tonic_google_pubsub_v1::google::pubsub::v1::ReceivedMessage;
use posthouse_broker_settings::GoogleSettings;
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    service::Service,
    stream::{self, OUTSTANDING_MAX},
};
use crate::broker::{Answer, BATCH_MAX, Identity, Link, Message};

/// After so long without a message the service is asked whether the subscription can still be read.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Longest wait for the service to end a stream that we have left.
const END_MAX: Duration = Duration::from_secs(3);

/// A connection that pulls from a subscription.
pub struct Connection {
    service: Service,
    arrivals: mpsc::Receiver<Result<ReceivedMessage, String>>,
    /// What has come and was not received yet; its leases are ours to extend.
    waiting: VecDeque<ReceivedMessage>,
    /// Why no more comes.
    end: Option<String>,
    held_at: Instant,
    /// Tells the stream to end.
    leave: CancellationToken,
    _stream: AbortOnDrop,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connection {
    pub(super) async fn open(settings: &GoogleSettings) -> Result<Self, String> {
        let service = Service::connect(settings).await?;
        let waiting = service.look().await?.into();
        // Never full, where the service keeps its own bound.
        let (sender, arrivals) = mpsc::channel(OUTSTANDING_MAX.into());
        let leave = CancellationToken::new();
        let stream = AbortOnDrop(tokio::spawn(stream::run(service.clone(), sender, leave.clone())));
        Ok(Self { service, arrivals, waiting, end: None, held_at: Instant::now(), leave, _stream: stream })
    }

    /// Takes what has come, without waiting.
    fn collect(&mut self) {
        while self.end.is_none()
            && self.waiting.len() < OUTSTANDING_MAX.into()
            && let Ok(arrival) = self.arrivals.try_recv()
        {
            self.take(Some(arrival));
        }
    }

    fn take(&mut self, arrival: Option<Result<ReceivedMessage, String>>) {
        match arrival {
            Some(Ok(message)) => self.waiting.push_back(message),
            Some(Err(error)) => self.end = Some(error),
            None => self.end = Some("the connection to the service was lost".to_owned()),
        }
    }
}

impl Link for Connection {
    type Tag = String;

    async fn receive(&mut self, stop: &CancellationToken) -> Result<Vec<Message<String>>, String> {
        self.collect();
        while self.waiting.is_empty() {
            if let Some(error) = self.end.take() {
                return Err(error);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Vec::new()),
                arrival = self.arrivals.recv() => self.take(arrival),
                () = sleep(SILENCE_MAX) => self.waiting.extend(self.service.look().await?),
            }
            self.collect();
        }
        if stop.is_cancelled() {
            return Ok(Vec::new());
        }
        let count = self.waiting.len().min(BATCH_MAX);
        Ok(self.waiting.drain(..count).map(message).collect())
    }

    async fn hold(&mut self, answers: &[(String, Answer)]) -> Result<(), String> {
        self.collect();
        if let Some(error) = &self.end {
            return Err(error.clone());
        }
        if self.held_at.elapsed() >= self.service.lease / 3 {
            self.held_at = Instant::now();
            let in_hand = answers.iter().map(|(ack_id, _)| ack_id);
            let waiting = self.waiting.iter().map(|message| &message.ack_id);
            self.service.extend(in_hand.chain(waiting).cloned().collect()).await?;
        }
        Ok(())
    }

    /// Refused messages are acknowledged too: they are kept elsewhere by now.
    async fn settle(&mut self, answers: Vec<(String, Answer)>) -> Result<(), String> {
        self.service.acknowledge(answers.into_iter().map(|(ack_id, _)| ack_id).collect()).await
    }

    /// What was sent and not taken is given back, with what is on its way: to the service it is ours until its lease ends.
    async fn close(mut self) {
        self.leave.cancel();
        let mut left: Vec<String> = self.waiting.drain(..).map(|message| message.ack_id).collect();
        let rest = async {
            while let Some(arrival) = self.arrivals.recv().await {
                left.extend(arrival.ok().map(|message| message.ack_id));
            }
        };
        if timeout(END_MAX, rest).await.is_err() {
            tracing::debug!("The service did not end the stream; it is ended from here.");
        }
        if let Err(error) = self.service.give_back(left).await {
            tracing::debug!(error, "Messages that were not taken come again when their time is over.");
        }
    }
}

fn message(received: ReceivedMessage) -> Message<String> {
    let given = received.message.unwrap_or_default();
    let mut message = Message::new(given.data, received.ack_id);
    message.headers = given.attributes.into_iter().collect();
    message.broker_message_id = Some(given.message_id).filter(|id| !id.is_empty());
    message.identity = message.broker_message_id.as_ref().map(|id| Identity::of(&[id.as_bytes()]));
    if !given.ordering_key.is_empty() {
        message.metadata.insert("ordering_key".to_owned(), given.ordering_key);
    }
    if received.delivery_attempt > 0 {
        message.metadata.insert("delivery_attempt".to_owned(), received.delivery_attempt.to_string());
    }
    message
}

#[cfg(test)]
mod tests {
    use googleapis_tonic_google_pubsub_v1::google::pubsub::v1::PubsubMessage;

    use super::*;

    #[test]
    fn attributes_are_headers_and_the_rest_is_metadata() {
        let given = PubsubMessage {
            data: "{}".into(),
            attributes: [("X-Trace".to_owned(), "t".to_owned())].into(),
            message_id: "m-1".into(),
            ordering_key: "k".into(),
            ..PubsubMessage::default()
        };
        let read = message(ReceivedMessage { ack_id: "a".into(), message: Some(given), delivery_attempt: 3 });
        assert_eq!((&read.body[..], read.tag.as_str()), (&b"{}"[..], "a"));
        assert_eq!((read.headers, read.broker_message_id), (vec![("X-Trace".into(), "t".into())], Some("m-1".into())));
        let metadata = [("delivery_attempt", "3"), ("ordering_key", "k")];
        assert_eq!(read.metadata, metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        // What the service never sends is an empty message, which is refused later and answered.
        let empty = message(ReceivedMessage { ack_id: "a".into(), ..ReceivedMessage::default() });
        assert!(empty.body.is_empty() && empty.broker_message_id.is_none() && empty.metadata.is_empty());
    }
}
