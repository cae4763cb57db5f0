//! The settings of message brokers, checked as ingest reads them: what passes here starts there.

use serde_json::Value;

use super::wire::REDACTED;
use crate::error::ApiError;

const WORKERS_MAX: i64 = 16;
/// Bytes of a text in a broker's settings.
const MQTT_TEXT_BYTES_MAX: usize = 1_024;

/// The settings to store: those given, with the secrets of `stored` where they come back hidden, or else the stored ones.
///
/// # Errors
/// 400 naming the field.
pub fn checked(given: Option<Value>, stored: Option<&Value>) -> Result<Value, ApiError> {
    let mut given = given.filter(|value| value.as_object().is_some_and(|fields| !fields.is_empty()));
    if let (Some(new), Some(stored)) = (&mut given, stored) {
        keep_secrets(new, stored);
    }
    pub_sub(given.or_else(|| stored.cloned()))
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
