//! The settings of message brokers, `pub_sub` of a source: parsed here alone, by the API, which refuses what is wrong, and
//! by ingest, which connects by what was parsed. No I/O is done here.

mod amqp;
mod endpoint;
mod fields;
mod google;
mod kafka;
mod mqtt;
mod nats;
mod redis;
mod sqs;
mod topic_filter;

use serde_json::Value;

pub use self::{
    amqp::{AmqpSettings, Binding},
    endpoint::Endpoint,
    fields::{SettingsError, Start},
    google::{GoogleSettings, ServiceAccount},
    kafka::{KafkaCredentials, KafkaSettings, Mechanism},
    mqtt::{MqttSettings, Qos, Retained, Version},
    nats::{NatsCredentials, NatsSettings},
    redis::RedisSettings,
    sqs::SqsSettings,
    topic_filter::filter_of_shared,
};

/// The kinds of broker that are read, by their names in `pub_sub.type`.
pub const KINDS: [&str; 7] = ["mqtt", "amqp", "kafka", "nats", "redis", "sqs", "google"];
/// Most connections of one source in one instance.
const WORKERS_MAX: i64 = 16;

/// The settings of a source, by the kind of its broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settings {
    /// MQTT 3.1.1 or 5.
    Mqtt(MqttSettings),
    /// AMQP 0-9-1.
    Amqp(AmqpSettings),
    /// NATS JetStream.
    Nats(NatsSettings),
    /// Redis Streams.
    Redis(RedisSettings),
    /// Kafka.
    Kafka(KafkaSettings),
    /// Amazon SQS.
    Sqs(SqsSettings),
    /// Google Pub/Sub.
    Google(GoogleSettings),
}

impl Settings {
    /// Reads a source's `pub_sub`. `own_name` names what the source has of its own at its broker, such as a consumer group.
    ///
    /// # Errors
    /// Another kind of broker, or a setting that is missing or cannot work.
    pub fn read(pub_sub: &Value, own_name: &str) -> Result<Self, SettingsError> {
        match pub_sub.get("type").and_then(Value::as_str).unwrap_or_default() {
            "mqtt" => MqttSettings::read(pub_sub, own_name).map(Self::Mqtt),
            "amqp" => AmqpSettings::read(pub_sub).map(Self::Amqp),
            "nats" => NatsSettings::read(pub_sub, own_name).map(Self::Nats),
            "redis" => RedisSettings::read(pub_sub, own_name).map(Self::Redis),
            "kafka" => KafkaSettings::read(pub_sub, own_name).map(Self::Kafka),
            "sqs" => SqsSettings::read(pub_sub).map(Self::Sqs),
            "google" => GoogleSettings::read(pub_sub).map(Self::Google),
            _ => Err(SettingsError::new("pub_sub.type", &format!("one of {} is expected", KINDS.join(", ")))),
        }
    }

    /// Whether what the broker keeps for the one serves the other.
    #[must_use]
    pub fn shares_session(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mqtt(one), Self::Mqtt(other)) => one.shares_session(other),
            (Self::Nats(one), Self::Nats(other)) => one.shares_consumer(other),
            (Self::Redis(one), Self::Redis(other)) => one.shares_group(other),
            // The queue or the subscription is not ours, and a group of Kafka without members expires by itself.
            (Self::Amqp(_), Self::Amqp(_))
            | (Self::Kafka(_), Self::Kafka(_))
            | (Self::Sqs(_), Self::Sqs(_))
            | (Self::Google(_), Self::Google(_)) => true,
            _ => false,
        }
    }

    /// The filter that a kept session goes on to hold when the source's changes.
    #[must_use]
    pub fn session_topic(&self) -> Option<&str> {
        match self {
            Self::Mqtt(settings) => Some(&settings.topic),
            Self::Amqp(_) | Self::Nats(_) | Self::Redis(_) | Self::Kafka(_) | Self::Sqs(_) | Self::Google(_) => None,
        }
    }
}

/// How many connections each instance opens to a broker that deals messages out; 1 unless given.
///
/// # Errors
/// The number is out of its range.
pub fn workers(pub_sub: &Value) -> Result<usize, SettingsError> {
    let workers = pub_sub.get("workers").and_then(Value::as_i64).unwrap_or(1);
    let number = usize::try_from(workers).ok().filter(|_| (1..=WORKERS_MAX).contains(&workers));
    let what = format!("a number between 1 and {WORKERS_MAX} is expected");
    number.ok_or_else(|| SettingsError::new("pub_sub.workers", &what))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kind_that_is_not_read_is_told_what_is() {
        for pub_sub in [json!({"type": "smoke", "smoke": {}}), json!({}), json!(7)] {
            let error = Settings::read(&pub_sub, "own").unwrap_err().to_string();
            assert_eq!(error, "pub_sub.type: one of mqtt, amqp, kafka, nats, redis, sqs, google is expected");
        }
        for kind in KINDS {
            let error = Settings::read(&json!({"type": kind}), "own").unwrap_err().to_string();
            assert_eq!(error, format!("pub_sub.{kind}: the broker's settings are required"));
            let error = Settings::read(&json!({"type": kind, kind: "text"}), "own").unwrap_err().to_string();
            assert_eq!(error, format!("pub_sub.{kind}: the broker's settings are expected"));
        }
    }

    #[test]
    fn workers_are_counted_within_their_bounds() {
        assert_eq!((workers(&json!({})), workers(&json!({"workers": 16}))), (Ok(1), Ok(16)));
        for wrong in [0, -1, 17] {
            assert!(workers(&json!({"workers": wrong})).unwrap_err().to_string().starts_with("pub_sub.workers: "));
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            Just(json!(["nats://h:1", "h:9092"])),
            Just(json!({"user": "hunter2", "password": "hunter2", "type": "plain"})),
        ]
    }

    proptest! {
        /// Whatever is stored, reading it neither panics nor says more than the name of a field of its kind.
        #[test]
        fn anything_is_read_or_refused_by_name(
            kind in proptest::sample::select(KINDS.to_vec()),
            fields in proptest::collection::hash_map(
                proptest::sample::select(vec!["host", "port", "topic", "queue", "auth", "brokers", "topic_name", "servers",
                    "stream", "default_region", "queue_name", "access_key_id", "secret_key", "endpoint", "project_id",
                    "subscription_id", "service_account", "tls", "qos", "start", "redeliver_after_seconds"]),
                value(),
                0..8,
            ),
        ) {
            let fields: serde_json::Map<String, Value> =
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            match Settings::read(&json!({"type": kind, kind: fields}), "own") {
                Ok(settings) => {
                    let shown = format!("{settings:?}");
                    prop_assert!(!shown.contains("hunter2"), "{}", shown);
                }
                Err(error) => {
                    let error = error.to_string();
                    let prefix = format!("pub_sub.{kind}.");
                    prop_assert!(error.starts_with(&prefix) && !error.contains("hunter2"), "{}", error);
                }
            }
        }
    }
}
