//! The settings of an MQTT source, `pub_sub.mqtt` of the source. Whatever passes here cannot make the client library
//! panic: it asserts on what it is given.

use std::fmt;

use serde_json::Value;

use crate::{
    fields::{Fields, SettingsError},
    topic_filter::is_filter,
};

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
    pub qos: Qos,
    /// Names the session that the broker keeps.
    pub client_id: String,
    /// User name and password.
    pub credentials: Option<(String, String)>,
    /// Whether the connection is encrypted.
    pub is_tls: bool,
    /// The protocol's version.
    pub version: Version,
    /// How long an MQTT 5 broker keeps the session without a connection; [`u32::MAX`], which is the default: for ever.
    pub session_expiry_seconds: u32,
    /// PEM certificates to trust instead of the public authorities.
    pub ca_certificate: Option<String>,
    /// What becomes of retained messages.
    pub retained: Retained,
    /// Makes an event of whatever a message is, and its type of the topic.
    pub event_type: Option<String>,
}

/// What becomes of the state that a broker keeps of a topic and repeats to a new subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retained {
    /// It is no event.
    Skip,
    /// It is one, at every connection.
    Take,
}

/// A version of MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1.
    Three,
    /// 5.
    Five,
}

/// How sure the broker makes that a message arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qos {
    /// 0: once or never.
    AtMostOnce,
    /// 1: once or more.
    AtLeastOnce,
    /// 2: once.
    ExactlyOnce,
}

impl MqttSettings {
    /// Reads a source's `pub_sub`.
    ///
    /// # Errors
    /// A setting is missing or out of its range.
    pub fn read(pub_sub: &Value, own_name: &str) -> Result<Self, SettingsError> {
        let fields = Fields::of(pub_sub, "mqtt")?;
        let is_tls = fields.flag("tls")?;
        let topic = fields.required("topic", "a topic or a topic filter")?;
        if !is_filter(&topic) {
            return Err(fields.wrong("topic", "a topic filter such as orders/+/paid or orders/# is expected"));
        }
        let (mut username, mut password) = (fields.text("username")?, fields.text("password")?);
        // Credentials in an object of their own, as the contract's other brokers have them; AMQP says `user`.
        if let Some(auth) = fields.object("auth", "username and password are expected")? {
            let user = auth.text("user")?;
            (username, password) = (auth.text("username")?.or(user), auth.text("password")?);
        }
        Ok(Self {
            host: fields.host()?,
            port: fields.port(if is_tls { PORT_TLS } else { PORT })?,
            topic,
            qos: match fields.value("qos").map(Value::as_u64) {
                None | Some(Some(1)) => Qos::AtLeastOnce,
                Some(Some(0)) => Qos::AtMostOnce,
                Some(Some(2)) => Qos::ExactlyOnce,
                Some(_) => return Err(fields.wrong("qos", "0, 1 or 2 is expected")),
            },
            client_id: fields.text("client_id")?.unwrap_or_else(|| own_name.to_owned()),
            // MQTT 3.1.1 knows no password without a user name.
            credentials: username.map(|username| (username, password.unwrap_or_default())),
            is_tls,
            version: version(&fields)?,
            session_expiry_seconds: session_expiry_seconds(&fields)?,
            retained: match fields.word("retained", ["skip", "take"])?.as_deref() {
                Some("take") => Retained::Take,
                _ => Retained::Skip,
            },
            event_type: event_type(&fields)?,
            ca_certificate: fields.file("ca_certificate")?,
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

/// As a number or as text.
fn version(fields: &Fields<'_>) -> Result<Version, SettingsError> {
    let version =
        fields.value("version").map(|version| version.as_str().map_or_else(|| version.to_string(), str::to_owned));
    match version.as_deref() {
        None | Some("" | "3.1.1") => Ok(Version::Three),
        Some("5" | "5.0") => Ok(Version::Five),
        Some(_) => Err(fields.wrong("version", "3.1.1 or 5 is expected")),
    }
}

fn session_expiry_seconds(fields: &Fields<'_>) -> Result<u32, SettingsError> {
    let Some(seconds) = fields.value("session_expiry_seconds") else { return Ok(u32::MAX) };
    let seconds = seconds.as_u64().and_then(|seconds| u32::try_from(seconds).ok());
    seconds.ok_or_else(|| fields.wrong("session_expiry_seconds", "a number of seconds is expected"))
}

fn event_type(fields: &Fields<'_>) -> Result<Option<String>, SettingsError> {
    let template = fields.text("event_type")?;
    if template.as_deref().is_some_and(|template| !is_template(template)) {
        return Err(fields.wrong("event_type", "a text is expected with {topic}, or {1} for a level of the topic"));
    }
    Ok(template)
}

/// Whether what is in braces is `topic` or the number of a level.
fn is_template(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { return false };
        if name != "topic" && !name.parse::<usize>().is_ok_and(|level| level > 0) {
            return false;
        }
        rest = after;
    }
    !rest.contains('}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(mqtt: &Value) -> Result<MqttSettings, SettingsError> {
        MqttSettings::read(&json!({"type": "mqtt", "workers": 1, "mqtt": mqtt}), "posthouse-01BX5ZZKBKACTAV9WEVGEMMVS0")
    }

    #[test]
    fn host_and_topic_are_enough() {
        let settings = read(&json!({"host": "broker.example", "topic": "orders/#"})).unwrap();
        assert_eq!(
            (settings.host.as_str(), settings.port, settings.topic.as_str()),
            ("broker.example", 1883, "orders/#")
        );
        assert_eq!(settings.client_id, "posthouse-01BX5ZZKBKACTAV9WEVGEMMVS0");
        assert_eq!((settings.qos, settings.credentials, settings.is_tls), (Qos::AtLeastOnce, None, false));
    }

    #[test]
    fn everything_given_is_used() {
        let settings =
            read(&json!({"host": "[::1]", "port": "1999", "topic": "$share/g/a/+", "qos": 2, "client_id": "c",
            "username": "u", "password": "p", "tls": true}))
            .unwrap();
        assert_eq!((settings.host.as_str(), settings.port, settings.client_id.as_str()), ("::1", 1999, "c"));
        assert_eq!((settings.qos, settings.credentials.clone()), (Qos::ExactlyOnce, Some(("u".into(), "p".into()))));
        assert_eq!((settings.retained, &settings.event_type), (Retained::Skip, &None));
        assert!(settings.is_tls && settings.version == Version::Three && settings.session_expiry_seconds == u32::MAX);
        for version in [json!("5"), json!(5), json!("5.0"), json!(5.0)] {
            let settings = json!({"host": "h", "topic": "t", "version": version, "session_expiry_seconds": 60});
            let settings = read(&settings).unwrap();
            assert_eq!((settings.version, settings.session_expiry_seconds), (Version::Five, 60));
        }
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
            (json!({"host": "h", "topic": "t", "version": 4}), "version"),
            (json!({"host": "h", "topic": "t", "retained": "keep"}), "retained"),
            (json!({"host": "h", "topic": "t", "session_expiry_seconds": -1}), "session_expiry_seconds"),
            (json!({"host": "h", "topic": "t", "event_type": "{topics}"}), "event_type"),
            (json!({"host": "h", "topic": "t", "client_id": "c".repeat(1025)}), "client_id"),
            (json!({"host": "h", "topic": "t", "password": 12_345}), "password"),
            (Value::Null, "mqtt"),
        ] {
            let error = read(&settings).unwrap_err().to_string();
            assert!(error.contains(field) && !error.contains("12345"), "{settings}: {error}");
        }
    }
}
