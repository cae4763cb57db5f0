//! The settings of message brokers, checked as ingest reads them: what passes here starts there.

mod amqp;
mod fields;
mod kafka;
mod mqtt;
mod nats;
mod redis;

pub use amqp::shown as shown_amqp;
use serde_json::Value;

use super::wire::REDACTED;
use crate::error::ApiError;

const WORKERS_MAX: i64 = 16;
/// The kinds of broker that ingest reads.
const KINDS: [(&str, Check); 5] = [
    ("mqtt", mqtt::check),
    ("amqp", amqp::check),
    ("kafka", kafka::check),
    ("nats", nats::check),
    ("redis", redis::check),
];

/// Checks the settings of one kind of broker.
type Check = fn(&Value) -> Result<(), ApiError>;

/// The settings to store: those given, with the secrets of `stored` where they come back hidden, or else the stored ones.
///
/// # Errors
/// 400 naming the field.
pub fn checked(given: Option<Value>, stored: Option<&Value>) -> Result<Value, ApiError> {
    let mut given = given.filter(|value| value.as_object().is_some_and(|fields| !fields.is_empty()));
    if let Some(new) = given.as_mut().and_then(|new| new.get_mut("amqp")) {
        amqp::as_stored(new);
    }
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
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
    let Some((kind, check)) = KINDS.into_iter().find(|(name, _)| *name == kind) else {
        let kinds = KINDS.map(|(name, _)| name).join(", ");
        return Err(ApiError::invalid(match kind {
            "sqs" | "google" => format!("pub_sub.type: this version reads {kinds}, and not {kind}"),
            _ => format!("pub_sub.type: one of {kinds} is expected"),
        }));
    };
    let workers = value.get("workers").and_then(Value::as_i64).unwrap_or(1);
    if !(1..=WORKERS_MAX).contains(&workers) {
        return Err(ApiError::invalid(format!("pub_sub.workers: a number between 1 and {WORKERS_MAX} is expected")));
    }
    let missing = || ApiError::invalid(format!("pub_sub.{kind}: the broker's settings are required"));
    check(value.get(kind).filter(|settings| !settings.is_null()).ok_or_else(missing)?)?;
    if value.to_string().contains("\\u0000") {
        return Err(ApiError::invalid("pub_sub: the NUL character is not accepted"));
    }
    Ok(value)
}
