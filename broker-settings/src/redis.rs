//! The settings of a stream in Redis, `pub_sub.redis` of the source.

use std::{fmt, time::Duration};

use serde_json::Value;

use crate::fields::{Fields, SettingsError, Start};

const PORT: u16 = 6379;

/// How to reach a Redis and which stream to read there. `Debug` does not print the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// Name or address of the server.
    pub host: String,
    /// Its port; 6379 unless given.
    pub port: u16,
    /// The number of the database.
    pub database: u16,
    /// The user, where the server has more than one.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The stream's key.
    pub stream: String,
    /// The consumer group; the source's own unless given.
    pub group: String,
    /// Whether the group is the source's own, to be removed with it.
    pub is_own: bool,
    /// The field of an entry that holds the message; the others are its headers.
    pub body_field: String,
    /// Where a new group begins.
    pub start: Start,
    /// After so long without an answer a message is given to another.
    pub redeliver_after: Duration,
    /// Whether the connection is encrypted.
    pub is_tls: bool,
    /// PEM certificates to trust instead of the public authorities.
    pub ca_certificate: Option<String>,
}

impl RedisSettings {
    /// Reads a source's `pub_sub`.
    ///
    /// # Errors
    /// A setting is missing or out of its range.
    pub fn read(pub_sub: &Value, own_name: &str) -> Result<Self, SettingsError> {
        let fields = Fields::of(pub_sub, "redis")?;
        let (username, password) = match fields.object("auth", "username and password are expected")? {
            Some(auth) => (auth.text("username")?, auth.text("password")?),
            None => (None, None),
        };
        let group = fields.text("group")?;
        Ok(Self {
            host: fields.host()?,
            port: fields.port(PORT)?,
            database: fields.number("database", 0..=u16::MAX, 0)?,
            username,
            password,
            stream: fields.required("stream", "the stream's key")?,
            is_own: group.is_none(),
            group: group.unwrap_or_else(|| own_name.to_owned()),
            body_field: fields.text("body_field")?.unwrap_or_else(|| "body".into()),
            start: Start::read(&fields)?,
            redeliver_after: fields.redeliver_after(2..=3_600)?,
            is_tls: fields.flag("tls")?,
            ca_certificate: fields.file("ca_certificate")?,
        })
    }

    /// Whether both may read by the same group. Another host may be the same server by another name, and a group that is
    /// removed by mistake would read everything again.
    #[must_use]
    pub fn shares_group(&self, other: &Self) -> bool {
        (self.database, &self.stream, &self.group) == (other.database, &other.stream, &other.group)
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("stream", &self.stream)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(redis: &Value) -> Result<RedisSettings, SettingsError> {
        RedisSettings::read(&json!({"type": "redis", "redis": redis}), "posthouse-01BX5ZZKBKACTAV9WEVGEMMVS0")
    }

    #[test]
    fn host_and_stream_are_enough() {
        let settings = read(&json!({"host": "r.example", "stream": "orders"})).unwrap();
        assert_eq!((settings.port, settings.database, settings.stream.as_str()), (6379, 0, "orders"));
        assert_eq!((settings.group.as_str(), settings.is_own), ("posthouse-01BX5ZZKBKACTAV9WEVGEMMVS0", true));
        assert_eq!((settings.body_field.as_str(), settings.redeliver_after), ("body", Duration::from_secs(30)));
        assert!(settings.start == Start::First && !settings.is_tls && settings.password.is_none());
    }

    #[test]
    fn everything_given_is_used() {
        let settings = read(&json!({"host": "h", "port": 6380, "database": 3, "stream": "s", "group": "g",
            "auth": {"username": "u", "password": "secret"}, "body_field": "event", "start": "new",
            "redeliver_after_seconds": 5, "tls": true, "ca_certificate": "pem"}))
        .unwrap();
        assert_eq!((settings.port, settings.database, settings.group.as_str()), (6380, 3, "g"));
        assert_eq!((settings.username.as_deref(), settings.password.as_deref()), (Some("u"), Some("secret")));
        assert_eq!((settings.body_field.as_str(), settings.redeliver_after), ("event", Duration::from_secs(5)));
        assert!(settings.start == Start::New && settings.is_tls && !settings.is_own);
        assert!(!format!("{settings:?}").contains("secret"));
        let of = |host: &str, stream: &str| read(&json!({"host": host, "stream": stream})).unwrap();
        assert!(of("a", "s").shares_group(&of("b", "s")) && !of("a", "s").shares_group(&of("a", "t")));
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        for (settings, field) in [
            (json!({"stream": "s"}), "host"),
            (json!({"host": "h"}), "stream"),
            (json!({"host": "redis://h", "stream": "s"}), "host"),
            (json!({"host": "h", "stream": "s", "database": -1}), "database"),
            (json!({"host": "h", "stream": "s", "redeliver_after_seconds": 1}), "redeliver_after_seconds"),
            (json!({"host": "h", "stream": "s", "auth": {"password": 12_345}}), "redis.auth.password"),
            (json!({"host": "h", "stream": "s", "auth": "x"}), "redis.auth"),
            (json!([]), "pub_sub.redis"),
        ] {
            let error = read(&settings).unwrap_err().to_string();
            assert!(error.contains(field) && !error.contains("12345"), "{settings}: {error}");
        }
    }
}
