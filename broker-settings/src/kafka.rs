//! The settings of a Kafka source, `pub_sub.kafka` of the source, in the contract's names (section 2.10).

use std::fmt;

use serde_json::Value;

use crate::fields::{Fields, SettingsError, Start};

/// Most brokers of one cluster that are named.
const BROKERS_MAX: usize = 32;
/// Longest name of a topic, by Kafka's own rule.
const TOPIC_BYTES_MAX: usize = 249;
const BROKERS: &str = "a list of 1 to 32 addresses such as host:9092 is expected";

/// How to reach a cluster and what to read there. `Debug` does not print credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// Where the cluster is first asked, as `host:port`.
    pub brokers: Vec<String>,
    /// The topic.
    pub topic: String,
    /// The consumer group; the source's own unless given.
    pub group: String,
    /// Where a group begins that has committed nothing.
    pub start: Start,
    /// How to sign in.
    pub credentials: Option<KafkaCredentials>,
    /// Whether the connections are encrypted.
    pub is_tls: bool,
    /// PEM certificates to trust instead of the public authorities.
    pub ca_certificate: Option<String>,
}

/// Name, password and how they are shown to the broker.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaCredentials {
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
    pub fn read(pub_sub: &Value, own_name: &str) -> Result<Self, SettingsError> {
        let fields = Fields::of(pub_sub, "kafka")?;
        let brokers = fields.texts("brokers", BROKERS)?;
        if brokers.is_empty() || brokers.len() > BROKERS_MAX || !brokers.iter().all(|broker| is_broker(broker)) {
            return Err(fields.wrong("brokers", BROKERS));
        }
        let topic = fields.required("topic_name", "the topic's name")?;
        let is_topic = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-');
        if topic.len() > TOPIC_BYTES_MAX || !topic.chars().all(is_topic) {
            let what = "at most 249 letters, digits, dots, underscores and dashes are expected";
            return Err(fields.wrong("topic_name", what));
        }
        let (credentials, is_tls) = match fields.object("auth", "type, username and password are expected")? {
            None => (None, false),
            Some(auth) => (credentials(&auth)?, auth.flag("tls")?),
        };
        Ok(Self {
            brokers,
            topic,
            group: fields.text("consumer_group_id")?.unwrap_or_else(|| own_name.to_owned()),
            start: Start::read(&fields)?,
            credentials,
            is_tls,
            ca_certificate: fields.file("ca_certificate")?,
        })
    }
}

fn credentials(auth: &Fields<'_>) -> Result<Option<KafkaCredentials>, SettingsError> {
    let kind = auth.word("type", ["plain", "scram"])?;
    let hash = auth.word("hash", ["SHA256", "SHA512"])?;
    let (username, password) = (auth.text("username")?, auth.text("password")?.unwrap_or_default());
    let mechanism = match (kind.as_deref(), hash.as_deref()) {
        (None, _) => return Ok(None),
        (Some("scram"), Some("SHA512")) => Mechanism::ScramSha512,
        (Some("scram"), _) => Mechanism::ScramSha256,
        (Some(_), _) => Mechanism::Plain,
    };
    let username = username.ok_or_else(|| auth.wrong("username", "the user's name is required"))?;
    Ok(Some(KafkaCredentials { mechanism, username, password }))
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
        KafkaSettings::read(&json!({"type": "kafka", "kafka": kafka}), "posthouse-01BX5ZZKBKACTAV9WEVGEMMVS0")
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
            (json!({"brokers": brokers}), "topic_name: the topic's name is required"),
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
