//! The headers that a message carries on to its receivers. Only what HTTP allows passes, so that no delivery can fail
//! over a name or value that was accepted here.

use std::collections::BTreeMap;

use posthouse_jobs::{STORED_PARENT, STORED_STATE, TraceContext};
use serde_json::{Map, Value, value::RawValue};

use super::Rejection;

/// Says whom a message is for. SDKs put it among the custom headers.
const MESSAGE_TYPE: &str = "x-convoy-message-type";
const TRACE_PARENT: &str = "traceparent";
const TRACE_STATE: &str = "tracestate";
/// Most headers of one message.
const HEADERS_MAX: usize = 100;
/// Longest header name, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// Longest header value, in bytes.
const VALUE_BYTES_MAX: usize = 8 * 1024;

/// Checked headers under their own names and in lower case as well, as the contract's section 3.9 asks.
#[derive(Debug, Default)]
pub(super) struct MessageHeaders(BTreeMap<String, Vec<String>>);

impl MessageHeaders {
    pub(super) fn read(value: Option<&RawValue>) -> Result<Self, Rejection> {
        let Some(value) = value else {
            return Ok(Self::default());
        };
        let given: BTreeMap<String, String> = serde_json::from_str(value.get()).map_err(|_| Rejection::Headers)?;
        if given.len() > HEADERS_MAX || !given.iter().all(|(name, value)| is_name(name) && is_value(value)) {
            return Err(Rejection::Headers);
        }
        let lowered: Vec<(String, String)> =
            given.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        let mut headers: BTreeMap<String, Vec<String>> =
            given.into_iter().map(|(name, value)| (name, vec![value])).collect();
        for (name, value) in lowered {
            headers.entry(name).or_insert_with(|| vec![value]);
        }
        Ok(Self(headers))
    }

    /// With headers from beside the body, which replace those of the same name in any spelling. A name or value that
    /// HTTP does not allow is left out: brokers put headers of their own there.
    pub(super) fn with(mut self, beside: Vec<(String, String)>) -> Result<Self, Rejection> {
        for (name, value) in beside.into_iter().filter(|(name, value)| is_name(name) && is_value(value)) {
            self.0.retain(|other, _| !other.eq_ignore_ascii_case(&name));
            self.0.insert(name.to_ascii_lowercase(), vec![value.clone()]);
            self.0.insert(name, vec![value]);
        }
        // Each may be there in two spellings.
        if self.0.len() > 2 * HEADERS_MAX { Err(Rejection::Headers) } else { Ok(self) }
    }

    pub(super) fn message_type(&self) -> Option<&str> {
        self.0.get(MESSAGE_TYPE).and_then(|values| values.first()).map(String::as_str)
    }

    /// As they are kept with the event: the trace that it belongs to is for its deliveries to continue, and is not passed on.
    pub(super) fn into_map(self) -> BTreeMap<String, Vec<String>> {
        let mut headers = self.0;
        let values = |name| headers.get(name).into_iter().flatten().map(String::as_str);
        let trace = TraceContext::read(values(TRACE_PARENT), values(TRACE_STATE));
        headers.retain(|name, _| !is_of_trace(name));
        if let Some(trace) = trace {
            trace.store(&mut headers);
        }
        headers
    }
}

/// The headers in the body with those from beside it, which win, as a JSON object.
pub(super) fn merged(value: Option<&RawValue>, beside: &[(String, String)]) -> Result<String, Rejection> {
    let mut headers: Map<String, Value> = match value {
        Some(value) => serde_json::from_str(value.get()).map_err(|_| Rejection::Headers)?,
        None => Map::new(),
    };
    for (name, value) in beside {
        headers.retain(|other, _| !other.eq_ignore_ascii_case(name));
        headers.insert(name.clone(), Value::String(value.clone()));
    }
    Ok(Value::Object(headers).to_string())
}

/// Whether a header is of a trace, as it came or as it is kept.
fn is_of_trace(name: &str) -> bool {
    [TRACE_PARENT, TRACE_STATE, STORED_PARENT, STORED_STATE].iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// A token of RFC 9110, section 5.6.2.
fn is_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_token)
}

/// A field value of RFC 9110, section 5.5: no control character but the tab, so no line break either.
fn is_value(value: &str) -> bool {
    value.len() <= VALUE_BYTES_MAX && !value.chars().any(|char| char.is_control() && char != '\t')
}
