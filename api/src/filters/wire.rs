//! Filters on the wire, contract section 2.8.

use chrono::{DateTime, Utc};
use posthouse_filter::{Filter, Scopes};
use posthouse_schema::filter::FilterRow;
use salvo::oapi::ToSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

/// What a filter is made or changed with.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct FilterBody {
    /// The filter to change, in a change of several.
    pub uid: Option<String>,
    /// The exact event type, or `*` for every type without a filter of its own; required for a new filter.
    pub event_type: Option<String>,
    /// Since when it is enabled, now where it is missing; null disables it.
    #[serde(default)]
    #[salvo(schema(value_type = Option<String>))]
    pub enabled_at: Enabling,
    /// Conditions on the event's headers, an object.
    pub headers: Option<Value>,
    /// Conditions on the event's data, an object.
    pub body: Option<Value>,
    /// Conditions on the query parameters with which the event came in, an object.
    pub query: Option<Value>,
    /// Conditions on the path at which the event came in, an object: `{"path": …}`.
    pub path: Option<Value>,
}

/// What a caller says about when a filter is enabled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Enabling {
    /// Nothing.
    #[default]
    Unsaid,
    /// It is not.
    Off,
    /// It is from now on.
    Now,
    /// It is since this instant.
    Since(DateTime<Utc>),
}

/// Some clients write `{"set": …, "time": …}` where the contract has a time or null.
#[derive(Deserialize)]
#[serde(untagged)]
enum EnablingForm {
    Time(DateTime<Utc>),
    Parts { set: Option<bool>, time: Option<DateTime<Utc>> },
}

impl<'de> Deserialize<'de> for Enabling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = Option::<EnablingForm>::deserialize(deserializer)
            .map_err(|_| de::Error::custom("enabled_at: a time such as 2026-01-02T03:04:05Z, or null, is expected"))?;
        // Year 1 is how some clients say that they mean none.
        let since = |time: DateTime<Utc>| if chrono::Datelike::year(&time) > 1 { Self::Since(time) } else { Self::Off };
        Ok(match form {
            None
            | Some(EnablingForm::Parts { set: Some(false), .. } | EnablingForm::Parts { set: None, time: None }) => {
                Self::Off
            }
            Some(EnablingForm::Time(time) | EnablingForm::Parts { time: Some(time), .. }) => since(time),
            Some(EnablingForm::Parts { set: Some(true), time: None }) => Self::Now,
        })
    }
}

/// A filter of a subscription for one event type, or for all.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilterWire {
    /// The filter.
    pub uid: String,
    /// Its subscription.
    pub subscription_id: String,
    /// The exact event type, or `*`.
    pub event_type: String,
    /// Since when it is enabled; null for a filter that is not.
    pub enabled_at: Option<DateTime<Utc>>,
    /// Conditions on headers, with dotted keys.
    pub headers: Value,
    /// Conditions on the data, with dotted keys.
    pub body: Value,
    /// Conditions on query parameters, with dotted keys.
    pub query: Value,
    /// Conditions on the path, with dotted keys.
    pub path: Value,
    /// Conditions on headers as they were given.
    pub raw_headers: Value,
    /// Conditions on the data as they were given.
    pub raw_body: Value,
    /// Conditions on query parameters as they were given.
    pub raw_query: Value,
    /// Conditions on the path as they were given.
    pub raw_path: Value,
}

impl From<FilterRow> for FilterWire {
    fn from(row: FilterRow) -> Self {
        let raw = Scopes { headers: row.headers, body: row.body, query: row.query, path: row.path };
        let flat = flat(&raw);
        Self {
            uid: row.id.to_string(),
            subscription_id: row.subscription_id.to_string(),
            event_type: row.event_type,
            enabled_at: row.enabled_at,
            headers: flat.headers,
            body: flat.body,
            query: flat.query,
            path: flat.path,
            raw_headers: raw.headers,
            raw_body: raw.body,
            raw_query: raw.query,
            raw_path: raw.path,
        }
    }
}

impl FilterWire {
    /// A filter as the answer to its making shows it: what was not given is null.
    #[must_use]
    pub fn made(row: FilterRow, given: &Scopes<bool>) -> Self {
        let shown = Self::from(row);
        let raw = |is_given: bool, value: Value| if is_given { value } else { Value::Null };
        Self {
            raw_headers: raw(given.headers, shown.raw_headers),
            raw_body: raw(given.body, shown.raw_body),
            raw_query: raw(given.query, shown.raw_query),
            raw_path: raw(given.path, shown.raw_path),
            ..shown
        }
    }
}

/// The conditions with dotted keys. What no longer is a filter is shown as it is.
#[must_use]
pub fn flat(raw: &Scopes<Value>) -> Scopes<Value> {
    match Filter::flatten(raw.as_ref()) {
        Ok(Scopes { headers, body, query, path }) => Scopes {
            headers: Value::Object(headers),
            body: Value::Object(body),
            query: Value::Object(query),
            path: Value::Object(path),
        },
        Err(_) => raw.clone(),
    }
}

/// An event to try a filter on.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct SampleBody {
    /// Its headers.
    pub headers: Option<Value>,
    /// Another name of `headers`.
    pub header: Option<Value>,
    /// Its data.
    pub body: Option<Value>,
    /// Its query parameters.
    pub query: Option<Value>,
    /// Its path: `{"path": …}`.
    pub path: Option<Value>,
}

impl SampleBody {
    /// The same, where what is missing is empty.
    #[must_use]
    pub fn scopes(self) -> Scopes<Value> {
        let or_empty = |value: Option<Value>| value.unwrap_or_else(|| Value::Object(Map::new()));
        Scopes {
            headers: or_empty(self.headers.or(self.header)),
            body: or_empty(self.body),
            query: or_empty(self.query),
            path: or_empty(self.path),
        }
    }
}

/// What a stored filter is tried on: `payload` alone, or a whole `request`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct FilterTestBody {
    /// The event's data.
    pub payload: Option<Value>,
    /// The event with its headers, query and path.
    pub request: Option<SampleBody>,
}

/// Whether a filter lets an event through.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilterTestWire {
    /// Whether it does.
    pub is_match: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enabling_is_said_in_many_ways() {
        let time = || Enabling::Since("2026-01-02T03:04:05Z".parse().unwrap());
        for (text, expected) in [
            ("{}", Enabling::Unsaid),
            (r#"{"enabled_at":null}"#, Enabling::Off),
            (r#"{"enabled_at":"2026-01-02T03:04:05Z"}"#, time()),
            (r#"{"enabled_at":"2026-01-02T04:04:05+01:00"}"#, time()),
            (r#"{"enabled_at":"0001-01-01T00:00:00Z"}"#, Enabling::Off),
            (r#"{"enabled_at":{"set":true,"time":"2026-01-02T03:04:05Z"}}"#, time()),
            (r#"{"enabled_at":{"set":true}}"#, Enabling::Now),
            (r#"{"enabled_at":{"set":false,"time":"2026-01-02T03:04:05Z"}}"#, Enabling::Off),
            (r#"{"enabled_at":{}}"#, Enabling::Off),
        ] {
            assert_eq!(serde_json::from_str::<FilterBody>(text).unwrap().enabled_at, expected, "{text}");
        }
        for text in [r#"{"enabled_at":"soon"}"#, r#"{"enabled_at":1}"#, r#"{"enabled_at":{"time":"x"}}"#] {
            let error = serde_json::from_str::<FilterBody>(text).unwrap_err();
            assert!(error.to_string().starts_with("enabled_at: a time"), "{error}");
        }
    }
}
