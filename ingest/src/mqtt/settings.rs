//! The settings of an MQTT source, `pub_sub.mqtt` of the source. Whatever passes here cannot make the client library
//! panic: it asserts on what it is given.

use std::fmt;

use posthouse_schema::ids::SourceId;
use rumqttc::QoS;
use serde::Deserialize;
use serde_json::Value;

use super::topic;
use crate::broker::SettingsError;

/// Longest text in the settings, in bytes; MQTT itself ends at 65 535.
const TEXT_BYTES_MAX: usize = 1024;
/// Longest certificate authority, in bytes.
const CA_BYTES_MAX: usize = 64 * 1024;
const PORT: u16 = 1883;
const PORT_TLS: u16 = 8883;

/// How to reach a broker and what to read there. `Debug` does not print the password.
#[derive(Clone, PartialEq, Eq)]
pub struct MqttSettings {
    /// Name or address of the broker.
    pub host: String,
    /// Its port; 1883 unless given, 8883 with TLS.
    pub port: u16,
    /// The topic filter.
    pub topic: String,
    /// The quality of service asked for; 1 unless given.
    pub qos: QoS,
    /// Names the session that the broker keeps.
    pub client_id: String,
    /// User name and password.
    pub credentials: Option<(String, String)>,
    /// Whether the connection is encrypted.
    pub is_tls: bool,
    /// PEM certificates to trust instead of the public authorities.
    pub ca_certificate: Option<String>,
}

/// As stored: `{"type": "mqtt", "mqtt": {…}}`.
#[derive(Deserialize)]
struct Stored {
    mqtt: Option<StoredMqtt>,
}

#[derive(Deserialize)]
struct StoredMqtt {
    host: Option<String>,
    port: Option<Port>,
    topic: Option<String>,
    qos: Option<u8>,
    client_id: Option<String>,
    auth: Option<StoredAuth>,
    username: Option<String>,
    password: Option<String>,
    tls: Option<bool>,
    ca_certificate: Option<String>,
}

/// Credentials in an object of their own, as the contract's other brokers have them; AMQP says `user`.
#[derive(Deserialize)]
struct StoredAuth {
    #[serde(alias = "user")]
    username: Option<String>,
    password: Option<String>,
}

/// The contract's AMQP port is a string; both spellings are understood here.
#[derive(Deserialize)]
#[serde(untagged)]
enum Port {
    Number(u16),
    Text(String),
}

impl MqttSettings {
    /// Reads a source's `pub_sub`.
    ///
    /// # Errors
    /// A setting is missing or out of its range.
    pub fn read(pub_sub: &Value, source_id: SourceId) -> Result<Self, SettingsError> {
        // serde's own text would quote the value, which may be a password.
        let stored = Stored::deserialize(pub_sub)
            .map_err(|_| SettingsError("pub_sub.mqtt has a value of the wrong type".into()))?;
        let stored = stored.mqtt.ok_or_else(|| SettingsError("pub_sub.mqtt is missing".into()))?;
        let is_tls = stored.tls.unwrap_or(false);
        let topic = text("topic", stored.topic)?.ok_or_else(|| missing("topic"))?;
        if !topic::is_filter(&topic) {
            return Err(SettingsError("pub_sub.mqtt.topic is not a topic filter".into()));
        }
        let host = text("host", stored.host)?.ok_or_else(|| missing("host"))?;
        if host.chars().any(|char| char.is_whitespace() || char == '/') {
            return Err(SettingsError("pub_sub.mqtt.host must be a name or an address".into()));
        }
        let (username, password) =
            stored.auth.map_or((stored.username, stored.password), |auth| (auth.username, auth.password));
        let (username, password) = (text("username", username)?, text("password", password)?);
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: port(stored.port, is_tls)?,
            topic,
            qos: qos(stored.qos)?,
            client_id: text("client_id", stored.client_id)?.unwrap_or_else(|| format!("posthouse-{source_id}")),
            // MQTT 3.1.1 knows no password without a user name.
            credentials: username.map(|username| (username, password.unwrap_or_default())),
            is_tls,
            ca_certificate: stored.ca_certificate.filter(|pem| !pem.is_empty()).map(ca_certificate).transpose()?,
        })
    }

    /// Whether the broker keeps one session for both.
    #[must_use]
    pub fn shares_session(&self, other: &Self) -> bool {
        (&self.host, self.port, &self.client_id) == (&other.host, other.port, &other.client_id)
    }
}

impl fmt::Debug for MqttSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MqttSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("topic", &self.topic)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

fn missing(field: &str) -> SettingsError {
    SettingsError(format!("pub_sub.mqtt.{field} is missing"))
}

/// A text setting; empty counts as absent.
fn text(field: &str, value: Option<String>) -> Result<Option<String>, SettingsError> {
    match value {
        Some(value) if value.len() > TEXT_BYTES_MAX || value.contains('\0') => {
            Err(SettingsError(format!("pub_sub.mqtt.{field} is too long or holds a NUL")))
        }
        value => Ok(value.filter(|value| !value.is_empty())),
    }
}

fn port(port: Option<Port>, is_tls: bool) -> Result<u16, SettingsError> {
    let port = match port {
        None => Some(if is_tls { PORT_TLS } else { PORT }),
        Some(Port::Number(port)) => Some(port),
        Some(Port::Text(text)) => text.parse().ok(),
    };
    port.filter(|port| *port != 0).ok_or_else(|| SettingsError("pub_sub.mqtt.port must be 1 to 65535".into()))
}

fn qos(qos: Option<u8>) -> Result<QoS, SettingsError> {
    match qos {
        Some(0) => Ok(QoS::AtMostOnce),
        None | Some(1) => Ok(QoS::AtLeastOnce),
        Some(2) => Ok(QoS::ExactlyOnce),
        Some(_) => Err(SettingsError("pub_sub.mqtt.qos must be 0, 1 or 2".into())),
    }
}

fn ca_certificate(pem: String) -> Result<String, SettingsError> {
    if pem.len() > CA_BYTES_MAX {
        return Err(SettingsError("pub_sub.mqtt.ca_certificate is too long".into()));
    }
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(mqtt: &Value) -> Result<MqttSettings, SettingsError> {
        MqttSettings::read(
            &json!({"type": "mqtt", "workers": 1, "mqtt": mqtt}),
            "01BX5ZZKBKACTAV9WEVGEMMVS0".parse().unwrap(),
        )
    }

    #[test]
    fn host_and_topic_are_enough() {
        let settings = read(&json!({"host": "broker.example", "topic": "orders/#"})).unwrap();
        assert_eq!(
            (settings.host.as_str(), settings.port, settings.topic.as_str()),
            ("broker.example", 1883, "orders/#")
        );
        assert_eq!(settings.client_id, "posthouse-01BX5ZZKBKACTAV9WEVGEMMVS0");
        assert_eq!((settings.qos, settings.credentials, settings.is_tls), (QoS::AtLeastOnce, None, false));
    }

    #[test]
    fn everything_given_is_used() {
        let settings =
            read(&json!({"host": "[::1]", "port": "1999", "topic": "$share/g/a/+", "qos": 2, "client_id": "c",
            "username": "u", "password": "p", "tls": true}))
            .unwrap();
        assert_eq!((settings.host.as_str(), settings.port, settings.client_id.as_str()), ("::1", 1999, "c"));
        assert_eq!((settings.qos, settings.credentials.clone()), (QoS::ExactlyOnce, Some(("u".into(), "p".into()))));
        assert!(settings.is_tls);
        assert!(!format!("{settings:?}").contains("\"p\""));
        assert_eq!(read(&json!({"host": "h", "topic": "t", "tls": true})).unwrap().port, 8883);
    }

    #[test]
    fn credentials_may_have_an_object_of_their_own() {
        for auth in [json!({"username": "u", "password": "p"}), json!({"user": "u", "password": "p"})] {
            let settings = read(&json!({"host": "h", "topic": "t", "auth": auth})).unwrap();
            assert_eq!(settings.credentials, Some(("u".into(), "p".into())));
        }
        let none = json!({"host": "h", "topic": "t", "auth": null, "client_id": "", "username": ""});
        assert_eq!(read(&none).unwrap().credentials, None);
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        for (settings, field) in [
            (json!({"topic": "t"}), "host"),
            (json!({"host": "h"}), "topic"),
            (json!({"host": "", "topic": "t"}), "host"),
            (json!({"host": "mqtt://h", "topic": "t"}), "host"),
            (json!({"host": "h", "topic": "a/#/b"}), "topic"),
            (json!({"host": "h", "topic": "t", "port": 0}), "port"),
            (json!({"host": "h", "topic": "t", "port": "x"}), "port"),
            (json!({"host": "h", "topic": "t", "qos": 3}), "qos"),
            (json!({"host": "h", "topic": "t", "client_id": "c".repeat(1025)}), "client_id"),
            (json!({"host": "h", "topic": "t", "password": 12_345}), "wrong type"),
            (Value::Null, "mqtt"),
        ] {
            let error = read(&settings).unwrap_err().to_string();
            assert!(error.contains(field) && !error.contains("12345"), "{settings}: {error}");
        }
    }
}
