//! What functions of sources must return: a broker's message, contract section 3.9, or headers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    event_type: Option<String>,
    data: Option<Box<RawValue>>,
    #[serde(rename = "endpoint_id")]
    _endpoint_id: Option<String>,
    #[serde(rename = "owner_id")]
    _owner_id: Option<String>,
    #[serde(rename = "custom_headers")]
    _custom_headers: Option<BTreeMap<String, String>>,
    #[serde(rename = "idempotency_key")]
    _idempotency_key: Option<String>,
}

/// Whether a function's result is a message.
///
/// # Errors
/// What is wrong with it.
pub fn check_body(payload: &str) -> Result<(), String> {
    let message: Message =
        serde_json::from_str(payload).map_err(|error| format!("the function must return a message: {error}"))?;
    if message.event_type.is_none_or(|name| name.is_empty()) {
        return Err("the function must return a message: the event type is required".into());
    }
    if message.data.is_none_or(|data| data.get() == "null") {
        return Err("the function must return a message: data is required".into());
    }
    Ok(())
}

/// Whether a function's result is headers.
///
/// # Errors
/// What is wrong with it.
pub fn check_headers(payload: &str) -> Result<(), String> {
    let headers: Result<BTreeMap<String, String>, _> = serde_json::from_str(payload);
    headers.map(drop).map_err(|error| format!("the function must return an object of texts: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_headers_are_told_from_anything_else() {
        for (payload, part) in [
            (r#"{"event_type":"a","data":{},"owner_id":"o","custom_headers":{"a":"b"}}"#, None),
            (r#"{"event_type":"a","data":[1],"endpoint_id":"e","idempotency_key":"k"}"#, None),
            (r#"{"data":{}}"#, Some("event type is required")),
            (r#"{"event_type":"","data":{}}"#, Some("event type is required")),
            (r#"{"event_type":"a"}"#, Some("data is required")),
            (r#"{"event_type":"a","data":null}"#, Some("data is required")),
            (r#"{"event_type":"a","data":1,"other":2}"#, Some("unknown field `other`")),
            (r#"{"event_type":1,"data":1}"#, Some("invalid type")),
            ("1", Some("invalid type")),
        ] {
            let error = check_body(payload).err();
            assert_eq!(error.is_some(), part.is_some(), "{payload}: {error:?}");
            assert!(part.is_none_or(|part| error.unwrap().contains(part)), "{payload}");
        }
        assert!(check_headers(r#"{"a":"b"}"#).is_ok());
        assert!(check_headers(r#"{"a":1}"#).is_err() && check_headers("[]").is_err());
    }
}
