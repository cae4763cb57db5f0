//! The settings of an AMQP source, `pub_sub.amqp` of the source, in the contract's names (section 2.10).

use std::fmt;

use serde_json::Value;

use crate::fields::{Fields, SettingsError};

/// Longest name of a queue, exchange, routing key or virtual host: the protocol's short string.
const NAME_BYTES_MAX: usize = 255;
const PORT: u16 = 5672;
const PORT_TLS: u16 = 5671;
const PREFETCH: u16 = 200;
const PREFETCH_MAX: u16 = 5_000;

/// How to reach a broker and which queue to read. `Debug` does not print the password.
#[derive(Clone, PartialEq, Eq)]
pub struct AmqpSettings {
    /// Whether the connection is encrypted: the scheme `amqps`.
    pub is_tls: bool,
    /// Name or address of the broker.
    pub host: String,
    /// Its port; 5672 unless given, 5671 with TLS.
    pub port: u16,
    /// The virtual host; `/` unless given.
    pub vhost: String,
    /// User name and password; RabbitMQ's `guest` unless given.
    pub credentials: (String, String),
    /// The queue.
    pub queue: String,
    /// What the queue is bound to.
    pub binding: Option<Binding>,
    /// Where the queue sends what is refused.
    pub dead_letter_exchange: Option<String>,
    /// Most messages that the broker sends without an answer, for each connection.
    pub prefetch: u16,
    /// PEM certificates to trust instead of the public authorities.
    pub ca_certificate: Option<String>,
}

/// The exchange and the routing key that bring messages to the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The exchange, which must be there.
    pub exchange: String,
    /// The routing key; may be empty.
    pub routing_key: String,
}

impl AmqpSettings {
    /// Reads a source's `pub_sub`.
    ///
    /// # Errors
    /// A setting is missing or out of its range.
    pub fn read(pub_sub: &Value) -> Result<Self, SettingsError> {
        let fields = Fields::of(pub_sub, "amqp")?;
        let is_tls = fields.word("schema", ["amqp", "amqps"])?.as_deref() == Some("amqps");
        let credentials = match fields.object("auth", "user and password are expected")? {
            None => None,
            Some(auth) => {
                let password = auth.text("password")?.unwrap_or_default();
                auth.text("user")?.map(|user| (user, password))
            }
        };
        let binding = match fields.object("bindExchange", "exchange and routingKey are expected")? {
            None => None,
            Some(bind) => {
                let routing_key = name(&bind, "routingKey")?.unwrap_or_default();
                name(&bind, "exchange")?.map(|exchange| Binding { exchange, routing_key })
            }
        };
        Ok(Self {
            is_tls,
            host: fields.host()?,
            port: fields.port(if is_tls { PORT_TLS } else { PORT })?,
            vhost: name(&fields, "vhost")?.unwrap_or_else(|| "/".into()),
            credentials: credentials.unwrap_or_else(|| ("guest".into(), "guest".into())),
            queue: name(&fields, "queue")?.ok_or_else(|| fields.wrong("queue", "the queue's name is required"))?,
            binding,
            dead_letter_exchange: name(&fields, "deadLetterExchange")?,
            prefetch: fields.number("prefetch", 1..=PREFETCH_MAX, PREFETCH)?,
            ca_certificate: fields.file("ca_certificate")?,
        })
    }
}

/// A name that fits the protocol; the client library panics over a longer one.
fn name(fields: &Fields<'_>, field: &str) -> Result<Option<String>, SettingsError> {
    match fields.text(field)? {
        Some(name) if name.len() > NAME_BYTES_MAX => Err(fields.wrong(field, "at most 255 bytes are expected")),
        name => Ok(name),
    }
}

impl fmt::Debug for AmqpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("vhost", &self.vhost)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(amqp: &Value) -> Result<AmqpSettings, SettingsError> {
        AmqpSettings::read(&json!({"type": "amqp", "amqp": amqp}))
    }

    #[test]
    fn host_and_queue_are_enough() {
        let settings = read(&json!({"host": "mq.example", "queue": "orders"})).unwrap();
        assert_eq!((settings.host.as_str(), settings.port, settings.vhost.as_str()), ("mq.example", 5672, "/"));
        assert_eq!((settings.credentials, settings.prefetch), (("guest".into(), "guest".into()), 200));
        assert_eq!((settings.binding, settings.dead_letter_exchange, settings.is_tls), (None, None, false));
    }

    #[test]
    fn everything_given_is_used() {
        let settings = read(&json!({"schema": "amqps", "host": "h", "port": "5673", "queue": "q", "vhost": "v",
            "auth": {"user": "u", "password": "secret"}, "bindExchange": {"exchange": "x", "routingKey": "k"},
            "deadLetterExchange": "dlx", "prefetch": 7, "ca_certificate": "pem"}))
        .unwrap();
        assert_eq!((settings.is_tls, settings.port, settings.vhost.as_str()), (true, 5673, "v"));
        assert_eq!(settings.binding, Some(Binding { exchange: "x".into(), routing_key: "k".into() }));
        assert_eq!((settings.dead_letter_exchange.as_deref(), settings.prefetch), (Some("dlx"), 7));
        assert_eq!(settings.credentials, ("u".into(), "secret".into()));
        assert!(!format!("{settings:?}").contains("secret"));
        assert_eq!(read(&json!({"schema": "amqps", "host": "h", "queue": "q"})).unwrap().port, 5671);
        let empty = json!({"host": "h", "queue": "q", "bindExchange": {"exchange": ""}, "deadLetterExchange": "",
            "vhost": "", "auth": {"user": "", "password": ""}});
        let settings = read(&empty).unwrap();
        assert_eq!((settings.binding, settings.dead_letter_exchange, settings.vhost), (None, None, "/".into()));
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        let long = "n".repeat(256);
        for (settings, field) in [
            (json!({"queue": "q"}), "host: the broker's name or address is required"),
            (json!({"host": "amqp://h", "queue": "q"}), "host: a name"),
            (json!({"host": "h"}), "queue: the queue's name"),
            (json!({"host": "h", "queue": long}), "queue: at most 255"),
            (json!({"host": "h", "queue": "q", "schema": "http"}), "schema"),
            (json!({"host": "h", "queue": "q", "port": "no"}), "port"),
            (json!({"host": "h", "queue": "q", "prefetch": 0}), "prefetch"),
            (json!({"host": "h", "queue": "q", "auth": {"user": "u", "password": 12_345}}), "amqp.auth.password"),
            (json!({"host": "h", "queue": "q", "bindExchange": {"exchange": 1}}), "amqp.bindExchange.exchange"),
            (Value::Null, "pub_sub.amqp"),
        ] {
            let error = read(&settings).unwrap_err().to_string();
            assert!(error.contains(field) && !error.contains("12345"), "{settings}: {error}");
        }
    }
}
