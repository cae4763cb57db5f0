//! A JSON object as `application/x-www-form-urlencoded`, for endpoints that want forms. Strings as they are, numbers and
//! booleans as JSON writes them, null empty, whatever is nested as JSON text; contract section 3.6.

use serde_json::{Map, Value};

/// The form, keys in the payload's order of names. `None`: the payload is not an object, and no form can be made of it.
#[must_use]
pub fn encode(payload: &[u8]) -> Option<String> {
    let fields: Map<String, Value> = serde_json::from_slice(payload).ok()?;
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in &fields {
        form.append_pair(name, &text(value));
    }
    Some(form.finish())
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_has_its_text() {
        let form = encode(r#"{"a":"x y&z","b":1.50,"c":true,"d":null,"e":{"f":[1]},"ä":"ö"}"#.as_bytes()).unwrap();
        assert_eq!(form, "a=x+y%26z&b=1.5&c=true&d=&e=%7B%22f%22%3A%5B1%5D%7D&%C3%A4=%C3%B6");
    }

    #[test]
    fn what_is_no_object_has_no_form() {
        for payload in ["[1]", "1", "null", "\"a\"", "", "{"] {
            assert_eq!(encode(payload.as_bytes()), None, "{payload}");
        }
    }
}
