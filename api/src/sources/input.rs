//! From what a caller wrote to what is stored: every field is checked, and the message names it.

use posthouse_schema::{
    source::{Source, SourceValues},
    text_array::TextArray,
    words::SourceKind,
};
use serde_json::Value;

use super::wire::{REDACTED, SourceBody};
use crate::{
    body::{bounded, required},
    error::ApiError,
};

const LIST_MAX: usize = 50;
const WORKERS_MAX: i64 = 16;
/// Bytes of a text in a broker's settings.
const MQTT_TEXT_BYTES_MAX: usize = 1_024;

/// The values of a new source, or of a changed one where `old` is given.
///
/// # Errors
/// 400 naming the field.
pub fn values(body: SourceBody, old: Option<&Source>) -> Result<SourceValues, ApiError> {
    for (field, function) in [("body_function", &body.body_function), ("header_function", &body.header_function)] {
        if function.as_deref().is_some_and(|text| !text.trim().is_empty()) {
            return Err(ApiError::invalid(format!("{field}: this version does not run functions")));
        }
    }
    let name = required("name", body.name, "please provide a source name")?;
    let kind = required("type", body.kind, "please provide a type")?;
    let kind = SourceKind::parse(&kind).ok_or_else(|| ApiError::invalid("type:unsupported source type"))?;
    let provider = body.provider.or_else(|| old.map(|old| old.provider.clone())).unwrap_or_default();
    if !["", "github", "twitter", "shopify"].contains(&provider.as_str()) {
        return Err(ApiError::invalid("provider: one of github, twitter, shopify is expected"));
    }
    let mut broker = body.pub_sub.filter(|value| value.as_object().is_some_and(|fields| !fields.is_empty()));
    if let (Some(new), Some(stored)) = (&mut broker, old.and_then(|old| old.pub_sub.as_ref())) {
        keep_secrets(new, stored);
    }
    let broker = broker.or_else(|| old.and_then(|old| old.pub_sub.clone()));
    let event_type_location = body.event_type_location.unwrap_or_default();
    bounded("event_type_location", &event_type_location)?;
    Ok(SourceValues {
        name,
        kind,
        provider,
        is_disabled: body.is_disabled.unwrap_or(old.is_some_and(|old| old.is_disabled)),
        verifier: json("verifier", body.verifier)?,
        custom_response: json("custom_response", body.custom_response)?,
        forward_headers: list("forward_headers", body.forward_headers)?,
        pub_sub: if kind == SourceKind::PubSub { Some(pub_sub(broker)?) } else { None },
        idempotency_keys: list("idempotency_keys", body.idempotency_keys)?,
        event_type_location,
    })
}

/// A hidden secret that comes back means the stored one.
fn keep_secrets(new: &mut Value, stored: &Value) {
    if let Value::Object(fields) = new {
        for (name, field) in fields {
            match stored.get(name) {
                Some(stored) if field.as_str() == Some(REDACTED) => *field = stored.clone(),
                Some(stored) => keep_secrets(field, stored),
                None => {}
            }
        }
    }
}

fn pub_sub(given: Option<Value>) -> Result<Value, ApiError> {
    let value = given.ok_or_else(|| ApiError::invalid("pub_sub: a source of type pub_sub needs its broker"))?;
    match value.get("type").and_then(Value::as_str) {
        Some("mqtt") => {}
        Some("sqs" | "google" | "kafka" | "amqp") => {
            return Err(ApiError::invalid("pub_sub.type: this version reads mqtt alone"));
        }
        _ => return Err(ApiError::invalid("pub_sub.type: mqtt is expected")),
    }
    let workers = value.get("workers").and_then(Value::as_i64).unwrap_or(1);
    if !(1..=WORKERS_MAX).contains(&workers) {
        return Err(ApiError::invalid(format!("pub_sub.workers: a number between 1 and {WORKERS_MAX} is expected")));
    }
    mqtt(value.get("mqtt").ok_or_else(|| ApiError::invalid("pub_sub.mqtt: the broker's settings are required"))?)?;
    if value.to_string().contains("\\u0000") {
        return Err(ApiError::invalid("pub_sub: the NUL character is not accepted"));
    }
    Ok(value)
}

/// As ingest reads it: what passes here starts there.
fn mqtt(settings: &Value) -> Result<(), ApiError> {
    let text = |field: &str| match settings.get(field) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) if text.len() <= MQTT_TEXT_BYTES_MAX && !text.contains('\0') => Ok(text.as_str()),
        Some(_) => Err(ApiError::invalid(format!(
            "pub_sub.mqtt.{field}: a text of at most {MQTT_TEXT_BYTES_MAX} bytes is expected"
        ))),
    };
    let host = text("host")?;
    if host.trim().is_empty() || host.chars().any(|char| char.is_whitespace() || char == '/') {
        return Err(ApiError::invalid("pub_sub.mqtt.host: the broker's name or address is required"));
    }
    let port = |port: &Value| port.as_u64().or_else(|| port.as_str()?.parse().ok());
    let is_port = |value: &Value| value.is_null() || port(value).is_some_and(|port| (1..=65_535).contains(&port));
    if !settings.get("port").is_none_or(is_port) {
        return Err(ApiError::invalid("pub_sub.mqtt.port: a number between 1 and 65535 is expected"));
    }
    if text("topic")?.is_empty() {
        return Err(ApiError::invalid("pub_sub.mqtt.topic: a topic or a topic filter is required"));
    }
    if settings.get("qos").is_some_and(|qos| !qos.is_null() && qos.as_u64().is_none_or(|qos| qos > 2)) {
        return Err(ApiError::invalid("pub_sub.mqtt.qos: 0, 1 or 2 is expected"));
    }
    if !settings.get("tls").is_none_or(|tls| tls.is_boolean() || tls.is_null()) {
        return Err(ApiError::invalid("pub_sub.mqtt.tls: true or false is expected"));
    }
    for field in ["client_id", "username", "password"] {
        text(field)?;
    }
    if settings.get("ca_certificate").is_some_and(|pem| !pem.is_null() && !pem.is_string()) {
        return Err(ApiError::invalid("pub_sub.mqtt.ca_certificate: PEM text is expected"));
    }
    let is_credentials = |auth: &Value| {
        let is_text = |field: &str| auth.get(field).is_none_or(Value::is_string);
        auth.is_null() || auth.is_object() && ["username", "user", "password"].into_iter().all(is_text)
    };
    if !settings.get("auth").is_none_or(is_credentials) {
        return Err(ApiError::invalid("pub_sub.mqtt.auth: username and password are expected"));
    }
    Ok(())
}

fn list(field: &'static str, given: Option<Vec<String>>) -> Result<TextArray, ApiError> {
    let values = given.unwrap_or_default();
    if values.len() > LIST_MAX {
        return Err(ApiError::invalid(format!("{field}: at most {LIST_MAX} entries are accepted")));
    }
    values.iter().try_for_each(|value| bounded(field, value))?;
    Ok(TextArray(values))
}

fn json(field: &'static str, given: Option<Value>) -> Result<Option<Value>, ApiError> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(value) if value.is_object() && !value.to_string().contains("\\u0000") => Ok(Some(value)),
        Some(_) => Err(ApiError::invalid(format!("{field}: an object is expected"))),
    }
}
