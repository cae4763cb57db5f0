//! NATS JetStream, `pub_sub.nats`.

use serde_json::Value;
use url::Url;

use super::fields::{Fields, TEXT_BYTES_MAX};
use crate::error::ApiError;

const SERVERS_MAX: usize = 16;

/// As ingest reads them.
pub(super) fn check(settings: &Value) -> Result<(), ApiError> {
    let fields = Fields::of(settings, "pub_sub.nats")?;
    let servers = fields.value("servers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if servers.is_empty() || servers.len() > SERVERS_MAX {
        return Err(fields.wrong("servers", "a list of 1 to 16 URLs is expected"));
    }
    if !servers.iter().all(|server| server.as_str().is_some_and(is_server)) {
        return Err(fields.wrong("servers", "URLs such as nats://host:4222 are expected, without credentials"));
    }
    let stream = fields.required("stream", "the stream's name")?;
    for (field, name) in [("stream", stream), ("durable", fields.text("durable")?)] {
        if name.contains(['.', '*', '>', '/', '\\']) || has_space(name) {
            return Err(fields.wrong(field, "a name without spaces and without . * > / and \\ is expected"));
        }
    }
    let subject = fields.text("subject")?;
    if !subject.is_empty() && (has_space(subject) || subject.split('.').any(str::is_empty)) {
        return Err(fields.wrong("subject", "a subject such as orders.*.paid is expected"));
    }
    if let Some(auth) = fields.object("auth", "username and password, a token, or credentials are expected")? {
        auth.texts(["username", "password", "token"])?;
        auth.file("credentials")?;
    }
    fields.consumption()?;
    fields.encryption()
}

fn is_server(url: &str) -> bool {
    let is_named = |url: Url| url.has_host() && url.username().is_empty() && url.password().is_none();
    url.len() <= TEXT_BYTES_MAX
        && !url.contains('@')
        && (url.starts_with("nats://") || url.starts_with("tls://"))
        && url.parse().is_ok_and(is_named)
}

fn has_space(text: &str) -> bool {
    text.chars().any(|char| char.is_whitespace() || char.is_control())
}
