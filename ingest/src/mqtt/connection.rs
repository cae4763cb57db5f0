//! One connection to the broker, from CONNECT to its end. Acknowledgements belong to the connection that brought the
//! message: after a loss the broker may use their packet ids for other messages, so they die with it.

use std::sync::Arc;

use posthouse_broker_settings::Qos;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    MqttBroker,
    arrival::{Arrival, Taking},
    client::{Client, client},
    options::Session,
    reader::Reader,
    template::EventTypeTemplate,
};
use crate::broker::{Answer, BATCH_MAX, Link, Message};

/// Messages that wait for Redis, of one source; a full queue stops the reading.
const IN_FLIGHT_MAX: usize = 1_000;
/// Their bytes, which is what bounds memory when messages are large.
const IN_FLIGHT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Requests that wait for the network. More than there are packet ids, so that an acknowledgement always finds room and
/// is never waited for; by 3.1.1 at most one is among them.
const REQUESTS_MAX: usize = u16::MAX as usize + 1_000;
/// What is said of a connection that ended unexpectedly when its reader had no reason.
const LOST: &str = "the connection to the broker was lost";

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// As asked: everything taken is pushed and acknowledged.
    Stopped,
    /// By itself; the reason in words.
    Lost(String),
}

/// A connection with its subscription. A task of its own drives the network, and ends with it.
pub struct Connection {
    client: Client,
    arrivals: mpsc::Receiver<Arrival>,
    /// Cancelled when the network has ended, however it did.
    lost: CancellationToken,
    reader: AbortOnDrop,
}

struct AbortOnDrop(JoinHandle<End>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connection {
    /// Connects and subscribes.
    pub(super) async fn open(broker: &MqttBroker) -> Result<Self, String> {
        let template = EventTypeTemplate::of(&broker.settings)?;
        let taking = Taking { retained: broker.settings.retained, template };
        let (client, mut network) = client(&broker.settings, Session::Kept, REQUESTS_MAX)?;
        if broker.settings.qos == Qos::ExactlyOnce {
            network.expect_any_release();
        }
        let (inbox, arrivals) = mpsc::channel(IN_FLIGHT_MAX);
        let (established, is_established) = oneshot::channel();
        let lost = CancellationToken::new();
        let reader = Reader {
            source_id: broker.source_id,
            taking,
            settings: broker.settings.clone(),
            stale_topics: broker.stale_topics.clone(),
            client: client.clone(),
            inbox,
            room: Arc::new(Semaphore::new(IN_FLIGHT_BYTES_MAX)),
            established: Some(established),
        };
        let guard = lost.clone().drop_guard();
        let reader = AbortOnDrop(tokio::spawn(async move {
            let end = reader.run(&mut network).await;
            drop(guard);
            end
        }));
        let mut connection = Self { client, arrivals, lost, reader };
        match is_established.await {
            Ok(()) => Ok(connection),
            Err(_) => Err(connection.end().await),
        }
    }

    /// Why the network ended.
    async fn end(&mut self) -> String {
        match (&mut self.reader.0).await {
            Ok(End::Lost(error)) => error,
            Ok(End::Stopped) => LOST.to_owned(),
            Err(error) => format!("{LOST}: {error}"),
        }
    }
}

impl Link for Connection {
    type Tag = Arrival;

    async fn receive(&mut self, stop: &CancellationToken) -> Result<Vec<Message<Arrival>>, String> {
        let mut taken = Vec::new();
        loop {
            let count = tokio::select! {
                biased;
                () = stop.cancelled(), if !self.arrivals.is_closed() => {
                    self.arrivals.close();
                    continue;
                }
                count = self.arrivals.recv_many(&mut taken, BATCH_MAX) => count,
            };
            if count == 0 {
                return if self.lost.is_cancelled() { Err(self.end().await) } else { Ok(Vec::new()) };
            }
            if self.lost.is_cancelled() {
                taken.retain(|arrival| !arrival.is_repeatable());
            }
            if !taken.is_empty() {
                return Ok(taken.into_iter().map(Arrival::into_message).collect());
            }
        }
    }

    async fn hold(&mut self, _answers: &[(Arrival, Answer)]) -> Result<(), String> {
        if self.lost.is_cancelled() { Err(self.end().await) } else { Ok(()) }
    }

    async fn unrepeatable(&mut self) -> Vec<Message<Arrival>> {
        let mut rest = Vec::new();
        while let Some(arrival) = self.arrivals.recv().await {
            rest.push(arrival);
        }
        rest.into_iter().filter(|arrival| !arrival.is_repeatable()).map(Arrival::into_message).collect()
    }

    async fn settle(&mut self, answers: Vec<(Arrival, Answer)>) -> Result<(), String> {
        for (arrival, _) in answers {
            // After a loss the broker sends them again, under packet ids that may be other messages' by then.
            if !self.lost.is_cancelled() {
                self.client
                    .acknowledge(arrival.packet())
                    .map_err(|reason| format!("a message is not acknowledged: {reason}"))?;
            }
        }
        // Where the connection is lost, what needs no acknowledgement is still to be received.
        Ok(())
    }

    async fn close(mut self) {
        if self.client.disconnect() {
            self.end().await;
        }
    }
}
