//! Text fields of a message. What passes here can be stored: no NUL, no control character, no oversize index key.

use serde_json::value::RawValue;

use super::Rejection;

/// Longest event type, owner id or idempotency key, in bytes; keys are indexed, and an index entry is limited.
const TEXT_BYTES_MAX: usize = 512;

/// The text of a field that must be there and must not be blank.
pub(super) fn required(field: &'static str, value: Option<&RawValue>) -> Result<String, Rejection> {
    match optional(field, value)? {
        Some(text) if !text.trim().is_empty() => Ok(text),
        Some(_) | None => Err(Rejection::Missing(field)),
    }
}

/// The text of a field that may be absent.
pub(super) fn optional(field: &'static str, value: Option<&RawValue>) -> Result<Option<String>, Rejection> {
    let Some(value) = value else { return Ok(None) };
    let text: String = serde_json::from_str(value.get()).map_err(|_| Rejection::Invalid(field))?;
    if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(Rejection::Invalid(field));
    }
    Ok(Some(text))
}
