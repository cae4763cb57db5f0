//! One connection with one channel: it makes sure that the queue is there and bound, consumes it, and answers messages in
//! their order, many with one frame.

use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use lapin::{
    Channel, ConnectionProperties, Consumer, ErrorKind, ExchangeKind,
    message::Delivery,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicQosOptions,
        ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
    uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo},
};
use posthouse_broker_settings::AmqpSettings;
use rustls::ClientConfig;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{headers, transport};
use crate::broker::{self, Answer, BATCH_MAX, Identity, LagProbe, Link, Message, Problem, Step};

/// Seconds between two signs of life on a silent connection.
const HEARTBEAT_SECONDS: u16 = 30;
/// Longest wait for the broker to answer all that a connection begins with, and for its end.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The reply code of a connection that ends as asked.
const REPLY_SUCCESS: u16 = 200;
/// The broker's code for something that is not there.
const NOT_FOUND: u16 = 404;

/// A connection that consumes a queue.
pub struct Connection {
    connection: lapin::Connection,
    channel: Channel,
    consumer: Consumer,
    queue: String,
}

impl Connection {
    pub(super) async fn open(settings: &AmqpSettings) -> Result<Self, String> {
        let connection = sign_in(settings).await?;
        answered(Self::consume(settings, connection)).await
    }

    async fn consume(settings: &AmqpSettings, connection: lapin::Connection) -> lapin::Result<Self> {
        declare(settings, &connection).await?;
        let (channel, queue) = (connection.create_channel().await?, settings.queue.as_str());
        if let Some(binding) = &settings.binding {
            let (exchange, key) = (binding.exchange.as_str(), binding.routing_key.as_str());
            channel
                .queue_bind(
                    queue.into(),
                    exchange.into(),
                    key.into(),
                    QueueBindOptions::default(),
                    FieldTable::default(),
                )
                .await?;
        }
        channel.basic_qos(settings.prefetch, BasicQosOptions::default()).await?;
        let consumer = channel
            .basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
            .await?;
        Ok(Self { connection, channel, consumer, queue: settings.queue.clone() })
    }

    async fn acknowledge(&self, through: u64) -> Result<(), String> {
        let all = BasicAckOptions { multiple: true };
        self.channel.basic_ack(through, all).await.map_err(|error| words(&error))
    }
}

/// The encryption that the settings ask for.
pub(super) fn tls(settings: &AmqpSettings) -> Result<Option<ClientConfig>, String> {
    match settings.is_tls {
        true => broker::client_config(settings.ca_certificate.as_deref(), "pub_sub.amqp.ca_certificate").map(Some),
        false => Ok(None),
    }
}

async fn sign_in(settings: &AmqpSettings) -> Result<lapin::Connection, String> {
    let wire = broker::connect(&settings.host, settings.port, tls(settings)?).await?;
    let properties = ConnectionProperties::default().with_connection_name("posthouse".into());
    answered(transport::connect(wire, uri(settings), properties)).await
}

async fn answered<T>(asked: impl Future<Output = lapin::Result<T>> + Send) -> Result<T, String> {
    match timeout(ANSWER_MAX, Box::pin(asked)).await {
        Ok(answer) => answer.map_err(|error| words(&error)),
        Err(_) => Err("the broker did not answer in time".to_owned()),
    }
}

/// Signs in, and looks for the queue and what it is to be bound to.
pub(super) async fn check(settings: &AmqpSettings) -> Result<Vec<String>, Problem> {
    let connection = sign_in(settings).await.map_err(|reason| Problem::at(Step::SignIn, reason))?;
    let looked = answered(look(settings, &connection)).await;
    timeout(ANSWER_MAX, connection.close(REPLY_SUCCESS, "".into())).await.ok();
    looked.map_err(|reason| Problem::at(Step::Open, reason))
}

async fn look(settings: &AmqpSettings, connection: &lapin::Connection) -> lapin::Result<Vec<String>> {
    let (queue, mut notes) = (settings.queue.as_str(), Vec::new());
    if let Some(binding) = &settings.binding {
        let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let (channel, exchange) = (connection.create_channel().await?, binding.exchange.as_str());
        // The broker takes no notice of the kind.
        channel.exchange_declare(exchange.into(), ExchangeKind::Direct, passive, FieldTable::default()).await?;
    }
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let channel = connection.create_channel().await?;
    match channel.queue_declare(queue.into(), passive, FieldTable::default()).await {
        Ok(found) if found.message_count() == 0 => {
            // The one way to learn whether this user may read. Where something came just now, it goes back to its place.
            if let Some(message) = channel.basic_get(queue.into(), BasicGetOptions::default()).await? {
                let back = BasicNackOptions { multiple: false, requeue: true };
                channel.basic_nack(message.delivery.delivery_tag, back).await?;
            }
            if settings.dead_letter_exchange.is_some() {
                declare(settings, connection).await?;
            }
        }
        Ok(_) => {
            notes.push("the queue has messages, so whether this user may read them was not tried".to_owned());
            if settings.dead_letter_exchange.is_some() {
                declare(settings, connection).await?;
            }
        }
        Err(error) if is_not_found(&error) => {
            notes.push(format!("the queue {queue} is not there yet; the source makes it"));
        }
        Err(error) => return Err(error),
    }
    Ok(notes)
}

/// Makes the queue, durable, unless it is there: an owner's own kind of queue is taken as it is. With a dead-letter
/// exchange it is declared in any case, so that the broker says when its queue has another.
async fn declare(settings: &AmqpSettings, connection: &lapin::Connection) -> lapin::Result<()> {
    let queue = settings.queue.as_str();
    let mut arguments = FieldTable::default();
    match &settings.dead_letter_exchange {
        Some(exchange) => {
            let exchange = AMQPValue::LongString(exchange.as_str().into());
            arguments.insert("x-dead-letter-exchange".into(), exchange);
        }
        None => {
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            // A channel of its own: the broker closes it when the queue is not there.
            let probe = connection.create_channel().await?;
            match probe.queue_declare(queue.into(), passive, FieldTable::default()).await {
                Ok(_) => return probe.close(REPLY_SUCCESS, "".into()).await,
                Err(error) if is_not_found(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let channel = connection.create_channel().await?;
    channel.queue_declare(queue.into(), durable, arguments).await?;
    channel.close(REPLY_SUCCESS, "".into()).await
}

impl Link for Connection {
    type Tag = u64;

    async fn receive(&mut self, stop: &CancellationToken) -> Result<Vec<Message<u64>>, String> {
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(Vec::new()),
            first = self.consumer.next() => taken(first)?,
        };
        let mut messages = vec![message(first)];
        while messages.len() < BATCH_MAX
            && let Some(next) = self.consumer.next().now_or_never()
        {
            match taken(next) {
                Ok(delivery) => messages.push(message(delivery)),
                Err(_) => break, // The next call says so.
            }
        }
        Ok(messages)
    }

    fn lag_probe(&self) -> Option<LagProbe> {
        let (channel, queue) = (self.channel.clone(), self.queue.clone());
        Some(Box::new(move || {
            let (channel, queue) = (channel.clone(), queue.clone());
            Box::pin(async move {
                let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
                let found = channel.queue_declare(queue.as_str().into(), passive, FieldTable::default()).await.ok()?;
                Some(found.message_count().into())
            })
        }))
    }

    async fn hold(&mut self, _answers: &[(u64, Answer)]) -> Result<(), String> {
        let is_connected = self.connection.status().connected() && self.channel.status().connected();
        if is_connected { Ok(()) } else { Err("the connection to the broker was lost".to_owned()) }
    }

    async fn settle(&mut self, answers: Vec<(u64, Answer)>) -> Result<(), String> {
        let mut accepted = None;
        for (tag, answer) in answers {
            match answer {
                Answer::Accepted => accepted = Some(tag),
                Answer::Refused => {
                    if let Some(through) = accepted.take() {
                        self.acknowledge(through).await?;
                    }
                    // To the queue's dead-letter exchange, where it has one.
                    let refused = BasicNackOptions { multiple: false, requeue: false };
                    self.channel.basic_nack(tag, refused).await.map_err(|error| words(&error))?;
                }
            }
        }
        match accepted {
            Some(through) => self.acknowledge(through).await,
            None => Ok(()),
        }
    }

    async fn close(self) {
        if timeout(ANSWER_MAX, self.connection.close(REPLY_SUCCESS, "".into())).await.is_err() {
            tracing::debug!("The broker did not close the connection; it is closed from here.");
        }
    }
}

/// What the consumer brought; the library ends it silently when its queue is deleted.
fn taken(next: Option<lapin::Result<Delivery>>) -> Result<Delivery, String> {
    match next {
        Some(Ok(delivery)) => Ok(delivery),
        Some(Err(error)) => Err(words(&error)),
        None => Err("the broker ended the consumer: its queue was deleted".to_owned()),
    }
}

fn message(delivery: Delivery) -> Message<u64> {
    let properties = &delivery.properties;
    // The publisher chose the name and may have chosen it twice: the body must be the same as well, and the broker must say
    // that it sends the message again.
    let identity = properties.message_id().as_ref().map(|id| Identity {
        is_first: !delivery.redelivered,
        ..Identity::of(&[id.as_str().as_bytes(), &delivery.data])
    });
    Message {
        identity,
        headers: properties.headers().as_ref().map(headers::texts).unwrap_or_default(),
        broker_message_id: properties.message_id().as_ref().map(ToString::to_string),
        ..Message::new(delivery.data, delivery.delivery_tag)
    }
}

fn uri(settings: &AmqpSettings) -> AMQPUri {
    let (username, password) = settings.credentials.clone();
    AMQPUri {
        // Encryption is settled below the library.
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo { username, password },
            host: settings.host.clone(),
            port: settings.port,
        },
        vhost: settings.vhost.clone(),
        query: AMQPQueryString { heartbeat: Some(HEARTBEAT_SECONDS), ..AMQPQueryString::default() },
    }
}

fn is_not_found(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == NOT_FOUND)
}

/// The broker's own words where it gave some.
fn words(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(refusal) => format!("the broker refuses: {}", refusal.get_message()),
        _ => error.to_string(),
    }
}
