//! MQTT, `pub_sub.mqtt`.

use serde_json::Value;

use super::fields::TEXT_BYTES_MAX;
use crate::error::ApiError;

/// As ingest reads them.
pub(super) fn check(settings: &Value) -> Result<(), ApiError> {
    let text = |field: &str| match settings.get(field) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) if text.len() <= TEXT_BYTES_MAX && !text.contains('\0') => Ok(text.as_str()),
        Some(_) => Err(ApiError::invalid(format!(
            "pub_sub.mqtt.{field}: a text of at most {TEXT_BYTES_MAX} bytes is expected"
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
