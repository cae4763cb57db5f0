//! Which broker a source has, and what must change at the broker when the source does.

use posthouse_schema::source_feed::FeedSource;
use serde_json::Value;

use super::SettingsError;
use crate::{
    amqp::AmqpSettings, kafka::KafkaSettings, mqtt::MqttSettings, nats::NatsSettings, redis_streams::RedisSettings,
};

/// Most connections of one source in one instance.
const WORKERS_MAX: u64 = 16;

/// The settings of a source, by the kind of its broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settings {
    /// MQTT 3.1.1.
    Mqtt(MqttSettings),
    /// AMQP 0-9-1.
    Amqp(AmqpSettings),
    /// NATS JetStream.
    Nats(NatsSettings),
    /// Redis Streams.
    Redis(RedisSettings),
    /// Kafka.
    Kafka(KafkaSettings),
}

/// How many connections each instance opens to a broker that deals messages out.
pub(crate) fn workers(source: &FeedSource) -> usize {
    let workers = source.pub_sub.as_ref().and_then(|pub_sub| pub_sub.get("workers")).and_then(Value::as_u64);
    usize::try_from(workers.unwrap_or(1).clamp(1, WORKERS_MAX)).unwrap_or(1)
}

impl Settings {
    /// The settings of a source, if this build can consume it.
    ///
    /// # Errors
    /// Another kind of broker, or settings that cannot work; in words for the source's owner.
    pub fn read(source: &FeedSource) -> Result<Self, SettingsError> {
        let wrong = |text: &str| SettingsError(text.to_owned());
        let pub_sub = source.pub_sub.as_ref().ok_or_else(|| wrong("pub_sub is missing"))?;
        match pub_sub.get("type").and_then(Value::as_str) {
            Some("mqtt") => MqttSettings::read(pub_sub, source.id).map(Self::Mqtt),
            Some("amqp") => AmqpSettings::read(pub_sub).map(Self::Amqp),
            Some("nats") => NatsSettings::read(pub_sub, source.id).map(Self::Nats),
            Some("redis") => RedisSettings::read(pub_sub, source.id).map(Self::Redis),
            Some("kafka") => KafkaSettings::read(pub_sub, source.id).map(Self::Kafka),
            Some(_) => Err(wrong("this kind of broker is not supported; mqtt, amqp, kafka, nats and redis are")),
            None => Err(wrong("pub_sub.type is missing")),
        }
    }

    /// Whether what the broker keeps for the one serves the other.
    #[must_use]
    pub fn shares_session(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mqtt(one), Self::Mqtt(other)) => one.shares_session(other),
            (Self::Amqp(_), Self::Amqp(_)) => true, // The queue is not ours.
            (Self::Nats(one), Self::Nats(other)) => one.shares_consumer(other),
            (Self::Redis(one), Self::Redis(other)) => one.shares_group(other),
            (Self::Kafka(_), Self::Kafka(_)) => true, // A group without members expires by itself.
            _ => false,
        }
    }

    /// The filter that a kept session goes on to hold when the source's changes.
    #[must_use]
    pub fn session_topic(&self) -> Option<&str> {
        match self {
            Self::Mqtt(settings) => Some(&settings.topic),
            Self::Amqp(_) | Self::Nats(_) | Self::Redis(_) | Self::Kafka(_) => None,
        }
    }
}
