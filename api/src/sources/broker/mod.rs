//! The settings of message brokers: read as ingest reads them, and stored as they were given.

mod amqp;

pub use amqp::shown as shown_amqp;
use posthouse_broker_settings::{Settings, SettingsError};
use serde_json::Value;

use super::wire::REDACTED;
use crate::error::ApiError;

/// Stands for what ingest names after the source.
const OWN_NAME: &str = "posthouse";

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
    posthouse_broker_settings::workers(&value).map_err(refused)?;
    Settings::read(&value, OWN_NAME).map_err(refused)?;
    if value.to_string().contains("\\u0000") {
        return Err(ApiError::invalid("pub_sub: the NUL character is not accepted"));
    }
    Ok(value)
}

fn refused(error: SettingsError) -> ApiError {
    ApiError::invalid(error.to_string())
}
