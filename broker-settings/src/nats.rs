//! The settings of a JetStream source, `pub_sub.nats` of the source.

use std::{fmt, time::Duration};

use serde_json::Value;
use url::Url;

use crate::fields::{Fields, SettingsError, Start};

/// Most servers of one cluster that are named.
const SERVERS_MAX: usize = 16;
const URLS: &str = "URLs such as nats://host:4222 are expected, without credentials";
const NAME: &str = "a name without spaces and without . * > / and \\ is expected";

/// How to reach a cluster and what to read there. `Debug` does not print credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsSettings {
    /// URLs of the cluster's servers, `nats://` or `tls://`.
    pub servers: Vec<String>,
    /// The stream.
    pub stream: String,
    /// Only messages of this subject, which may have wildcards.
    pub subject: Option<String>,
    /// The durable consumer's name; the source's own unless given.
    pub durable: String,
    /// Whether the consumer is the source's own, to be changed and removed with it.
    pub is_own: bool,
    /// Where a new consumer begins.
    pub start: Start,
    /// After so long without an answer the server gives a message to another.
    pub redeliver_after: Duration,
    /// How to sign in.
    pub credentials: Option<NatsCredentials>,
    /// Whether the connection must be encrypted, also where the URL says `nats://`.
    pub is_tls: bool,
    /// PEM certificates to trust instead of the public authorities.
    pub ca_certificate: Option<String>,
}

/// What a client proves itself with.
#[derive(Clone, PartialEq, Eq)]
pub enum NatsCredentials {
    /// A user's name and password.
    Password(String, String),
    /// A token.
    Token(String),
    /// The text of a `.creds` file: a JWT and the seed of its key.
    File(String),
}

impl NatsSettings {
    /// Reads a source's `pub_sub`.
    ///
    /// # Errors
    /// A setting is missing or out of its range.
    pub fn read(pub_sub: &Value, own_name: &str) -> Result<Self, SettingsError> {
        let fields = Fields::of(pub_sub, "nats")?;
        let servers = fields.texts("servers", URLS)?;
        if servers.is_empty() || servers.len() > SERVERS_MAX {
            return Err(fields.wrong("servers", "a list of 1 to 16 URLs is expected"));
        }
        if !servers.iter().all(|server| is_server(server)) {
            return Err(fields.wrong("servers", URLS));
        }
        let stream = fields.required("stream", "the stream's name")?;
        if !is_name(&stream) {
            return Err(fields.wrong("stream", NAME));
        }
        let durable = fields.text("durable")?;
        if durable.as_deref().is_some_and(|name| !is_name(name)) {
            return Err(fields.wrong("durable", NAME));
        }
        let subject = fields.text("subject")?;
        if subject.as_deref().is_some_and(|subject| subject.split('.').any(str::is_empty) || has_space(subject)) {
            return Err(fields.wrong("subject", "a subject such as orders.*.paid is expected"));
        }
        Ok(Self {
            servers,
            stream,
            subject,
            is_own: durable.is_none(),
            durable: durable.unwrap_or_else(|| own_name.to_owned()),
            start: Start::read(&fields)?,
            redeliver_after: fields.redeliver_after(2..=3_600)?,
            credentials: credentials(&fields)?,
            is_tls: fields.flag("tls")?,
            ca_certificate: fields.file("ca_certificate")?,
        })
    }

    /// Whether both may read by the same consumer. Other servers may be the same cluster by other names, and a consumer
    /// that is removed by mistake would read everything again.
    #[must_use]
    pub fn shares_consumer(&self, other: &Self) -> bool {
        (&self.stream, &self.durable) == (&other.stream, &other.durable)
    }
}

fn credentials(fields: &Fields<'_>) -> Result<Option<NatsCredentials>, SettingsError> {
    let what = "username and password, a token, or credentials are expected";
    let Some(auth) = fields.object("auth", what)? else { return Ok(None) };
    let (file, token) = (auth.file("credentials")?, auth.text("token")?);
    let (username, password) = (auth.text("username")?, auth.text("password")?.unwrap_or_default());
    let named = username.map(|username| NatsCredentials::Password(username, password));
    Ok(file.map(NatsCredentials::File).or(token.map(NatsCredentials::Token)).or(named))
}

fn is_server(url: &str) -> bool {
    let is_named = |url: Url| url.has_host() && url.username().is_empty() && url.password().is_none();
    (url.starts_with("nats://") || url.starts_with("tls://")) && !url.contains('@') && url.parse().is_ok_and(is_named)
}

/// The server puts names into subjects and files.
fn is_name(name: &str) -> bool {
    !name.contains(['.', '*', '>', '/', '\\']) && !has_space(name)
}

fn has_space(text: &str) -> bool {
    text.chars().any(|char| char.is_whitespace() || char.is_control())
}

impl fmt::Debug for NatsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSettings")
            .field("servers", &self.servers)
            .field("stream", &self.stream)
            .field("subject", &self.subject)
            .field("durable", &self.durable)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(nats: &Value) -> Result<NatsSettings, SettingsError> {
        NatsSettings::read(&json!({"type": "nats", "nats": nats}), "posthouse-01BX5ZZKBKACTAV9WEVGEMMVS0")
    }

    #[test]
    fn servers_and_stream_are_enough() {
        let settings = read(&json!({"servers": ["nats://n1.example"], "stream": "ORDERS"})).unwrap();
        assert_eq!((settings.stream.as_str(), settings.subject), ("ORDERS", None));
        assert_eq!((settings.durable.as_str(), settings.is_own), ("posthouse-01BX5ZZKBKACTAV9WEVGEMMVS0", true));
        assert!(settings.credentials.is_none() && !settings.is_tls && settings.start == Start::First);
    }

    #[test]
    fn everything_given_is_used() {
        let with = |auth: Value| {
            read(&json!({"servers": ["nats://a:4222", "tls://b"], "stream": "S", "subject": "orders.*.paid",
                "durable": "d", "start": "new", "tls": true, "ca_certificate": "pem", "auth": auth}))
            .unwrap()
        };
        let settings = with(json!({"username": "u", "password": "secret"}));
        assert_eq!((settings.subject.as_deref(), settings.durable.as_str()), (Some("orders.*.paid"), "d"));
        assert!(!settings.is_own && settings.is_tls && settings.start == Start::New);
        assert!(settings.credentials == Some(NatsCredentials::Password("u".into(), "secret".into())));
        assert!(!format!("{settings:?}").contains("secret"));
        assert!(with(json!({"token": "t"})).credentials == Some(NatsCredentials::Token("t".into())));
        assert!(with(json!({"credentials": "-----"})).credentials == Some(NatsCredentials::File("-----".into())));
        assert!(with(json!({"username": "", "token": ""})).credentials.is_none());
        let of = |server: &str, stream: &str| read(&json!({"servers": [server], "stream": stream})).unwrap();
        assert!(of("nats://a", "S").shares_consumer(&of("nats://b", "S")));
        assert!(!of("nats://a", "S").shares_consumer(&of("nats://a", "T")));
        assert!(!settings.shares_consumer(&of("nats://a:4222", "S")));
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        let servers = json!(["nats://h"]);
        for (settings, field) in [
            (json!({"stream": "S"}), "servers"),
            (json!({"servers": [], "stream": "S"}), "servers"),
            (json!({"servers": "nats://h", "stream": "S"}), "servers"),
            (json!({"servers": ["http://h"], "stream": "S"}), "servers"),
            (json!({"servers": ["nats://u:12345@h"], "stream": "S"}), "servers"),
            (json!({"servers": servers}), "stream: the stream's name is required"),
            (json!({"servers": servers, "stream": "a.b"}), "stream"),
            (json!({"servers": servers, "stream": "S", "subject": "a..b"}), "subject"),
            (json!({"servers": servers, "stream": "S", "durable": "a b"}), "durable"),
            (json!({"servers": servers, "stream": "S", "start": "middle"}), "start"),
            (json!({"servers": servers, "stream": "S", "tls": "yes"}), "tls"),
            (json!({"servers": servers, "stream": "S", "auth": {"token": 12_345}}), "auth.token"),
        ] {
            let error = read(&settings).unwrap_err().to_string();
            assert!(error.contains(field) && !error.contains("12345"), "{settings}: {error}");
        }
    }
}
