//! What a search of events asks for, contract section 2.4: `query`, `body` and `headers`.

use posthouse_schema::event::EventSearch;
use salvo::Request;
use serde_json::{Map, Value};

use crate::{error::ApiError, query};

type Object = Map<String, Value>;

/// The search that the request asks for; `None` for a plain list.
///
/// # Errors
/// 400 for what cannot be read.
pub fn read(req: &Request) -> Result<Option<EventSearch>, ApiError> {
    let (text, of_query) = query::text(req, "query")?.map_or((None, None), |query| split(&query));
    let given = object(req, "body", "body must be a nonempty JSON object")?;
    let body = match (of_query, given) {
        (Some(one), Some(other)) => Some(both(one, other)?),
        (one, other) => one.or(other),
    };
    let headers = object(req, "headers", "headers must be a nonempty JSON object of names and values")?;
    if headers.iter().flat_map(Object::values).any(|value| !value.is_string()) {
        return Err(ApiError::invalid("headers must be a nonempty JSON object of names and values"));
    }
    let search = EventSearch { text, body, headers };
    Ok((search != EventSearch::default()).then_some(search))
}

/// A text, and the JSON object with which it ends.
fn split(query: &str) -> (Option<String>, Option<Object>) {
    let ends = query.char_indices().filter(|(_, c)| *c == '{').find_map(|(at, _)| {
        let (text, rest) = query.split_at_checked(at)?;
        let object: Object = serde_json::from_str(rest).ok().filter(|object: &Object| !object.is_empty())?;
        Some((text.trim().to_string(), object))
    });
    match ends {
        Some((text, object)) => ((!text.is_empty()).then_some(text), Some(object)),
        None => (Some(query.trim().to_string()), None),
    }
}

fn object(req: &Request, key: &'static str, complaint: &'static str) -> Result<Option<Object>, ApiError> {
    let Some(text) = query::list(req, key).into_iter().next() else {
        // Given, but blank.
        return if req.queries().contains_key(key) { Err(ApiError::invalid(complaint)) } else { Ok(None) };
    };
    let object: Option<Object> = serde_json::from_str(&text).ok();
    object.filter(|object| !object.is_empty()).map(Some).ok_or_else(|| ApiError::invalid(complaint))
}

/// One object that asks for what each of two does.
fn both(mut one: Object, other: Object) -> Result<Object, ApiError> {
    for (name, value) in other {
        let merged = match (one.remove(&name), value) {
            (Some(Value::Object(own)), Value::Object(value)) => Value::Object(both(own, value)?),
            (Some(own), value) if own != value => {
                return Err(ApiError::invalid("query and body ask for different values of one field"));
            }
            (_, value) => value,
        };
        one.insert(name, merged);
    }
    Ok(one)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_query_is_a_text_an_object_or_both() {
        for (query, text, object) in [
            ("invoice", Some("invoice"), None),
            (" a b ", Some("a b"), None),
            (r#"{"a": 1}"#, None, Some(json!({"a": 1}))),
            (r#"paid {"a": {"b": 1}}"#, Some("paid"), Some(json!({"a": {"b": 1}}))),
            (r#"{x} {"a": 1}"#, Some("{x}"), Some(json!({"a": 1}))),
            ("{}", Some("{}"), None),
            (r#"{"a": 1} x"#, Some(r#"{"a": 1} x"#), None),
        ] {
            let (own_text, own_object) = split(query);
            assert_eq!((own_text.as_deref(), own_object.map(Value::Object)), (text, object), "{query}");
        }
    }

    #[test]
    fn two_objects_are_asked_for_together() {
        let object = |value: Value| value.as_object().cloned().unwrap();
        let merged = both(object(json!({"a": {"b": 1}, "c": 2})), object(json!({"a": {"d": 3}, "c": 2}))).unwrap();
        assert_eq!(Value::Object(merged), json!({"a": {"b": 1, "d": 3}, "c": 2}));
        assert!(both(object(json!({"a": 1})), object(json!({"a": 2}))).is_err());
    }
}
