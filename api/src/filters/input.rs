//! From what a caller wrote to what is stored: a filter is compiled here once to see that it is one.

use chrono::{DateTime, Utc};
use posthouse_filter::{Filter, Scope, Scopes};
use posthouse_schema::filter::{FilterRow, FilterValues};
use serde_json::{Map, Value};

use super::wire::{Enabling, FilterBody};
use crate::{body::bounded, error::ApiError};

/// The values of a new filter, whose event type is given.
///
/// # Errors
/// 400 naming the field or the scope.
pub fn new(body: FilterBody, event_type: &str, now: DateTime<Utc>) -> Result<(FilterValues, Scopes<bool>), ApiError> {
    bounded("event_type", event_type)?;
    let given = conditions([body.headers, body.body, body.query, body.path])?;
    let is_given = Scopes {
        headers: given.headers.is_some(),
        body: given.body.is_some(),
        query: given.query.is_some(),
        path: given.path.is_some(),
    };
    let nothing = || Value::Object(Map::new());
    let values = FilterValues {
        event_type: event_type.into(),
        enabled_at: match body.enabled_at {
            Enabling::Unsaid | Enabling::Now => Some(now),
            Enabling::Off => None,
            Enabling::Since(time) => Some(time),
        },
        headers: given.headers.unwrap_or_else(nothing),
        body: given.body.unwrap_or_else(nothing),
        query: given.query.unwrap_or_else(nothing),
        path: given.path.unwrap_or_else(nothing),
    };
    check("failed to create filter", &values)?;
    Ok((values, is_given))
}

/// The values of a changed filter: what is missing keeps its value.
///
/// # Errors
/// 400 naming the field or the scope.
pub fn changed(body: FilterBody, old: &FilterRow, now: DateTime<Utc>) -> Result<FilterValues, ApiError> {
    let event_type = body.event_type.filter(|name| !name.is_empty()).unwrap_or_else(|| old.event_type.clone());
    bounded("event_type", &event_type)?;
    let given = conditions([body.headers, body.body, body.query, body.path])?;
    let values = FilterValues {
        event_type,
        enabled_at: match body.enabled_at {
            Enabling::Unsaid => old.enabled_at,
            Enabling::Now => old.enabled_at.or(Some(now)),
            Enabling::Off => None,
            Enabling::Since(time) => Some(time),
        },
        headers: given.headers.unwrap_or_else(|| old.headers.clone()),
        body: given.body.unwrap_or_else(|| old.body.clone()),
        query: given.query.unwrap_or_else(|| old.query.clone()),
        path: given.path.unwrap_or_else(|| old.path.clone()),
    };
    check("failed to update filter", &values)?;
    Ok(values)
}

fn check(what: &str, values: &FilterValues) -> Result<(), ApiError> {
    let scopes = Scopes { headers: &values.headers, body: &values.body, query: &values.query, path: &values.path };
    Filter::compile(scopes).map(drop).map_err(|error| ApiError::invalid(format!("{what}: {error}")))
}

/// The scopes that were given, each an object that PostgreSQL can store; null is the same as missing.
///
/// # Errors
/// 400 naming the scope.
pub fn conditions([headers, body, query, path]: [Option<Value>; 4]) -> Result<Scopes<Option<Value>>, ApiError> {
    Scopes { headers, body, query, path }.try_map(|scope: Scope, conditions| match conditions {
        None | Some(Value::Null) => Ok(None),
        Some(conditions) if !conditions.is_object() => {
            Err(ApiError::invalid(format!("body contains incorrect JSON type for field \"{scope}\"")))
        }
        Some(conditions) if has_nul(&conditions) => {
            Err(ApiError::invalid(format!("{scope}: the NUL character is not accepted")))
        }
        Some(conditions) => Ok(Some(conditions)),
    })
}

/// PostgreSQL stores no NUL, neither in names nor in texts.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}
