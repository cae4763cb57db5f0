//! What every message broker is to ingest: something that brings messages and wants to hear what became of them. A
//! broker's module says how; when a message may be acknowledged is decided in [`Consumer`] alone.

mod batch;
mod cause;
mod consumer;
mod identity;
mod problem;
mod settings;
mod tls;
mod wire;

use std::{collections::BTreeMap, future::Future};

use bytes::Bytes;
use futures::future::BoxFuture;
use posthouse_schema::event::BROKER_MESSAGE_HEADER;
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    cause::innermost,
    settings::workers,
    tls::client_config,
    wire::{Wire, connect},
};
pub use self::{
    consumer::Consumer,
    identity::Identity,
    problem::{Problem, Step},
    settings::settings,
    wire::Reach,
};
use crate::message::{Refused, Rejection};

/// Most messages of one push to Redis.
pub const BATCH_MAX: usize = 500;

/// How instances share the messages of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// The broker deals them out to whoever is connected: every instance consumes.
    Broker,
    /// The broker gives them to each connection, so one instance consumes, which holds the source's lease.
    Lease,
}

/// A source's broker.
pub trait Broker: Send + Sync {
    /// What a connection is.
    type Link: Link;
    /// The broker's name in settings and metrics.
    const KIND: &'static str;
    /// How instances share a source.
    const SHARING: Sharing;

    /// Connects and subscribes. Returns when messages published from now on will come.
    ///
    /// # Errors
    /// What is wrong, in words for the source's owner, without secrets.
    fn connect(&self) -> impl Future<Output = Result<Self::Link, String>> + Send;

    /// Where it listens; `None`: its client library alone knows.
    ///
    /// # Errors
    /// What is wrong with the settings.
    fn reach(&self) -> Result<Option<Reach>, String> {
        Ok(None)
    }

    /// Does what [`Broker::connect`] does, but takes no message and stands in no consumer's way. Answers what the owner may want
    /// to know although it works.
    ///
    /// # Errors
    /// Why it would not.
    fn check(&self) -> impl Future<Output = Result<Vec<String>, Problem>> + Send {
        async {
            let link = self.connect().await.map_err(|reason| Problem::at(Step::Open, reason))?;
            link.close().await;
            Ok(Vec::new())
        }
    }

    /// Makes the broker give up what it keeps for a source that is gone or moves elsewhere.
    ///
    /// # Errors
    /// It keeps it, for this reason.
    fn forget(&self) -> impl Future<Output = Result<(), String>> + Send {
        async { Ok(()) }
    }
}

/// Asks a broker how many of a source's messages wait there; `None`: it does not say so now.
pub type LagProbe = Box<dyn Fn() -> BoxFuture<'static, Option<u64>> + Send + Sync>;

/// A connection to a broker that is subscribed. Dropping it leaves to the broker what was not settled.
pub trait Link: Send {
    /// What it takes to answer a message.
    type Tag: Send + Sync;

    /// Waits for messages and takes at most [`BATCH_MAX`]. After `stop`, only what had been taken by then; none: there
    /// is nothing left.
    ///
    /// # Errors
    /// The connection is lost.
    fn receive(
        &mut self,
        stop: &CancellationToken,
    ) -> impl Future<Output = Result<Vec<Message<Self::Tag>>, String>> + Send;

    /// Asks how many messages wait for the source, of all its connections together; `None`: this broker does not tell.
    fn lag_probe(&self) -> Option<LagProbe> {
        None
    }

    /// Called again and again while messages wait for Redis, so that the broker does not give them to another.
    ///
    /// # Errors
    /// The connection is lost: the broker sends again what it can.
    fn hold(&mut self, answers: &[(Self::Tag, Answer)]) -> impl Future<Output = Result<(), String>> + Send;

    /// What was taken from a connection that is lost by now, is not received yet, and would not be sent again.
    fn unrepeatable(&mut self) -> impl Future<Output = Vec<Message<Self::Tag>>> + Send {
        async { Vec::new() }
    }

    /// Tells the broker what became of messages, in the order in which they came.
    ///
    /// # Errors
    /// The connection is lost.
    fn settle(&mut self, answers: Vec<(Self::Tag, Answer)>) -> impl Future<Output = Result<(), String>> + Send;

    /// Leaves in good order. What was not settled is left to the broker.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A message as its broker gave it.
#[derive(Debug)]
pub struct Message<T> {
    /// The body; empty where it was refused for its size.
    pub body: Bytes,
    /// The size of the body as it came.
    pub body_bytes: usize,
    /// The headers beside the body that are text.
    pub headers: Vec<(String, String)>,
    /// The broker's name for the message, the same at every repetition, and perhaps at other messages.
    pub broker_message_id: Option<String>,
    /// Which one it is, where its broker tells.
    pub identity: Option<Identity>,
    /// What else the broker says of it, such as the topic.
    pub metadata: BTreeMap<String, String>,
    /// Why the broker's module itself refuses it.
    pub refusal: Option<Rejection>,
    /// Whether the broker sends it again when the connection ends without an answer.
    pub is_repeatable: bool,
    /// What answers it.
    pub tag: T,
}

impl<T> Message<T> {
    /// A message without headers that the broker repeats until it is answered.
    pub fn new(body: impl Into<Bytes>, tag: T) -> Self {
        let body = body.into();
        Self {
            body_bytes: body.len(),
            body,
            headers: Vec::new(),
            broker_message_id: None,
            identity: None,
            metadata: BTreeMap::new(),
            refusal: None,
            is_repeatable: true,
            tag,
        }
    }

    /// What answers it, and the rest.
    fn apart(self) -> (T, Message<()>) {
        let Self { body, body_bytes, headers, broker_message_id, identity, metadata, refusal, is_repeatable, tag } =
            self;
        let content = Message {
            body,
            body_bytes,
            headers,
            broker_message_id,
            identity,
            metadata,
            refusal,
            is_repeatable,
            tag: (),
        };
        (tag, content)
    }

    /// Its headers beside the body, with the broker's name for it.
    fn beside(&self) -> Vec<(String, String)> {
        let id = self.broker_message_id.iter().map(|id| (BROKER_MESSAGE_HEADER.to_owned(), id.clone()));
        self.headers.iter().cloned().chain(id).collect()
    }

    /// What there is to keep of it once it is refused.
    fn refused(&self) -> Refused<'_> {
        Refused {
            payload: &self.body,
            payload_bytes: self.body_bytes,
            metadata: self.metadata.clone(),
            beside: self.beside(),
        }
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Redis holds its job.
    Accepted,
    /// It will never be an event.
    Refused,
}
