//! The settings of a Kafka source, `pub_sub.kafka` of the source, in the contract's names (section 2.10).

use std::fmt;

use posthouse_schema::ids::SourceId;
use serde_json::Value;

use crate::broker::{Fields, SettingsError, Start};

/// Most brokers of one cluster that are named.
const BROKERS_MAX: usize = 32;
/// Longest name of a topic, by Kafka's own rule.
const TOPIC_BYTES_MAX: usize = 249;

/// How to reach a cluster and what to read there. `Debug` does not print credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// Where the cluster is first asked, as `host:port`.
    pub brokers: Vec<String>,
    /// The topic.
    pub topic: String,
    /// The consumer group; derived from the source unless given.
    pub group: String,
    /// Where a group begins that has committed nothing.
    pub start: Start,
    /// How to sign in.
    pub credentials: Option<Credentials>,
    /// Whether the connections are encrypted.
    pub is_tls: bool,
    /// PEM certificates to trust instead of the public authorities.
    pub ca_certificate: Option<String>,
}

/// Name, password and how they are shown to the broker.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The mechanism of SASL.
    pub mechanism: Mechanism,
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

/// A mechanism of SASL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// The password itself.
    Plain,
    /// A proof by SHA-256.
    ScramSha256,
    /// A proof by SHA-512.
    ScramSha512,
}

impl KafkaSettings {
    /// Reads a source's `pub_sub`.
    ///
    /// # Errors
    /// A setting is missing or out of its range.
    pub fn read(pub_sub: &Value, source_id: SourceId) -> Result<Self, SettingsError> {
        let fields = Fields::of(pub_sub, "kafka")?;
        let brokers = fields.texts("brokers")?;
        if brokers.is_empty() || brokers.len() > BROKERS_MAX || !brokers.iter().all(|broker| is_broker(broker)) {
            return Err(fields.wrong("brokers", "must be a list of 1 to 32 addresses such as host:9092"));
        }
        let topic = fields.required("topic_name")?;
        let is_topic = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-');
        if topic.len() > TOPIC_BYTES_MAX || !topic.chars().all(is_topic) {
            return Err(fields.wrong("topic_name", "is not the name of a topic"));
        }
        let (credentials, is_tls) = match fields.object("auth")? {
            None => (None, false),
            Some(auth) => (credentials(&auth)?, auth.flag("tls")?),
        };
        Ok(Self {
            brokers,
            topic,
            group: fields.text("consumer_group_id")?.unwrap_or_else(|| format!("posthouse-{source_id}")),
            start: Start::read(&fields)?,
            credentials,
            is_tls,
            ca_certificate: fields.file("ca_certificate")?,
        })
    }
}

fn credentials(auth: &Fields<'_>) -> Result<Option<Credentials>, SettingsError> {
    let mechanism = match (auth.text("type")?.as_deref(), auth.text("hash")?.as_deref()) {
        (None, _) => return Ok(None),
        (Some("plain"), _) => Mechanism::Plain,
        (Some("scram"), None | Some("SHA256")) => Mechanism::ScramSha256,
        (Some("scram"), Some("SHA512")) => Mechanism::ScramSha512,
        (Some("scram"), Some(_)) => return Err(auth.wrong("hash", "must be SHA256 or SHA512")),
        (Some(_), _) => return Err(auth.wrong("type", "must be plain or scram")),
    };
    let password = auth.text("password")?.unwrap_or_default();
    Ok(Some(Credentials { mechanism, username: auth.required("username")?, password }))
}

/// `host:port`, also with the brackets of an IPv6 address.
fn is_broker(address: &str) -> bool {
    let is_host =
        |host: &str| !host.is_empty() && !host.chars().any(|char| char.is_whitespace() || "/@,".contains(char));
    address
        .rsplit_once(':')
        .is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok_and(|port| port != 0))
}

impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSettings")
            .field("brokers", &self.brokers)
            .field("topic", &self.topic)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(kafka: &Value) -> Result<KafkaSettings, SettingsError> {
        KafkaSettings::read(&json!({"type": "kafka", "kafka": kafka}), "01BX5ZZKBKACTAV9WEVGEMMVS0".parse().unwrap())
    }

    #[test]
    fn brokers_and_topic_are_enough() {
        let settings = read(&json!({"brokers": ["k1:9092", "[::1]:9093"], "topic_name": "orders.paid"})).unwrap();
        assert_eq!((settings.topic.as_str(), settings.brokers.len()), ("orders.paid", 2));
        assert_eq!(settings.group, "posthouse-01BX5ZZKBKACTAV9WEVGEMMVS0");
        assert!(settings.credentials.is_none() && !settings.is_tls && settings.start == Start::First);
    }

    #[test]
    fn everything_given_is_used() {
        let with = |auth: Value| {
            read(&json!({"brokers": ["k:9092"], "topic_name": "t", "consumer_group_id": "g", "start": "new",
                "ca_certificate": "pem", "auth": auth}))
            .unwrap()
        };
        let settings =
            with(json!({"type": "scram", "hash": "SHA512", "username": "u", "password": "secret", "tls": true}));
        assert_eq!((settings.group.as_str(), settings.start, settings.is_tls), ("g", Start::New, true));
        assert!(!format!("{settings:?}").contains("secret"));
        let credentials = settings.credentials.unwrap();
        assert_eq!((credentials.mechanism, credentials.username.as_str()), (Mechanism::ScramSha512, "u"));
        let mechanism = |auth| with(auth).credentials.map(|credentials| credentials.mechanism);
        assert_eq!(mechanism(json!({"type": "scram", "username": "u"})), Some(Mechanism::ScramSha256));
        assert_eq!(mechanism(json!({"type": "plain", "username": "u", "hash": ""})), Some(Mechanism::Plain));
        assert_eq!(mechanism(json!({"type": "", "tls": true})), None);
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        let brokers = json!(["k:9092"]);
        for (settings, field) in [
            (json!({"topic_name": "t"}), "brokers"),
            (json!({"brokers": "k:9092", "topic_name": "t"}), "brokers"),
            (json!({"brokers": ["k"], "topic_name": "t"}), "brokers"),
            (json!({"brokers": ["kafka://u:12345@k:9092"], "topic_name": "t"}), "brokers"),
            (json!({"brokers": brokers}), "topic_name is missing"),
            (json!({"brokers": brokers, "topic_name": "a b"}), "topic_name"),
            (json!({"brokers": brokers, "topic_name": "t", "auth": {"type": "gssapi"}}), "auth.type"),
            (json!({"brokers": brokers, "topic_name": "t", "auth": {"type": "scram", "hash": "MD5"}}), "auth.hash"),
            (json!({"brokers": brokers, "topic_name": "t", "auth": {"type": "plain"}}), "auth.username"),
            (
                json!({"brokers": brokers, "topic_name": "t", "auth": {"type": "plain", "username": "u", "password": 12_345}}),
                "auth.password",
            ),
        ] {
            let error = read(&settings).unwrap_err().to_string();
            assert!(error.contains(field) && !error.contains("12345"), "{settings}: {error}");
        }
    }
}
