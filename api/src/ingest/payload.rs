//! What an ingested body becomes as the data of an event. Whatever is taken in can be delivered:
//!
//! - JSON stays as it is, byte for byte; an empty body is `{}`;
//! - a form becomes a flat object of the first value of each field;
//! - any other text becomes a JSON string, and bytes that are no text `{"raw_base64": "…"}`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value, json, value::RawValue};

use super::form;
use crate::error::ApiError;

/// The data of an event, and what it was made from.
pub struct Payload {
    /// As it is stored and delivered.
    pub data: Box<RawValue>,
    /// Bytes as the sender counts them: those of the JSON, or of what was wrapped.
    pub length: usize,
}

impl Payload {
    /// Reads a body of this content type.
    ///
    /// # Errors
    /// 400 for a body that is not what its content type says.
    pub async fn read(content_type: &str, body: &Bytes) -> Result<Self, ApiError> {
        if body.is_empty() {
            return Self::of_json(RawValue::from_string("{}".into()), 2);
        }
        if let Some(fields) = form::read(content_type, body).await? {
            return Self::of_fields(fields);
        }
        if let Some(json) = std::str::from_utf8(body).ok().and_then(|text| serde_json::from_str::<&RawValue>(text).ok())
        {
            return Ok(Self { data: json.to_owned(), length: body.len() });
        }
        if says_json(content_type) {
            return Err(ApiError::invalid(
                "Invalid request format: the body is not the JSON that its Content-Type says",
            ));
        }
        let wrapped = match std::str::from_utf8(body) {
            Ok(text) => Value::from(text),
            Err(_) => json!({"raw_base64": STANDARD.encode(body)}),
        };
        Self::of_json(RawValue::from_string(wrapped.to_string()), body.len())
    }

    fn of_fields(fields: Map<String, Value>) -> Result<Self, ApiError> {
        let text = Value::Object(fields).to_string();
        let length = text.len();
        Self::of_json(RawValue::from_string(text), length)
    }

    /// What we wrote ourselves is JSON.
    fn of_json(data: serde_json::Result<Box<RawValue>>, length: usize) -> Result<Self, ApiError> {
        Ok(Self { data: data.map_err(|error| ApiError::Internal(error.into()))?, length })
    }
}

fn says_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(content_type: &str, body: impl Into<Vec<u8>>) -> Result<(String, usize), String> {
        let body = Bytes::from(body.into());
        let read = futures::executor::block_on(Payload::read(content_type, &body));
        read.map(|payload| (payload.data.get().to_string(), payload.length)).map_err(|error| error.to_string())
    }

    fn is_read(content_type: &str, body: &str, data: &str, length: usize) {
        assert_eq!(read(content_type, body), Ok((data.to_string(), length)), "{content_type} {body}");
    }

    #[test]
    fn json_is_kept_byte_for_byte_whatever_it_is_called() {
        let json = r#"{ "b": 1.00,  "a" : "ä" }"#;
        for content_type in
            ["application/json", "application/json; charset=utf-8", "", "text/plain", "application/x+json"]
        {
            is_read(content_type, json, json, json.len());
        }
        for json in ["[1,2]", "1", "null", "\"x\""] {
            is_read("application/json", json, json, json.len());
        }
        is_read("application/json", "", "{}", 2);
    }

    #[test]
    fn forms_become_flat_objects_of_first_values() {
        let form = "application/x-www-form-urlencoded";
        is_read(form, "a=1&b=two&b=three", r#"{"a":"1","b":"two"}"#, 19);
        is_read(form, "x=%C3%A4+b&empty", r#"{"empty":"","x":"ä b"}"#, 23);
        let part =
            |name: &str, value: &str| format!("--bnd\r\nContent-Disposition: form-data; {name}\r\n\r\n{value}\r\n");
        let multipart = "multipart/form-data; boundary=bnd";
        let one = part("name=\"a\"", "1");
        is_read(multipart, &format!("{one}--bnd--\r\n"), r#"{"a":"1"}"#, 9);
        let more =
            format!("{one}{}{}--bnd--\r\n", part("name=\"a\"", "2"), part("name=\"f\"; filename=\"f.txt\"", "x"));
        is_read(multipart, &more, r#"{"a":"1","f":"x"}"#, 17);
    }

    #[test]
    fn all_else_is_wrapped() {
        is_read("text/plain", "plain words", r#""plain words""#, 11);
        is_read("application/xml", "<a>\"b\"</a>", r#""<a>\"b\"</a>""#, 10);
        assert_eq!(read("image/png", [0xff, 0xfe]), Ok((r#"{"raw_base64":"//4="}"#.into(), 2)));
    }

    #[test]
    fn a_body_that_is_not_what_it_says_is_refused() {
        for (content_type, body) in [
            ("application/json", "{"),
            ("application/json; charset=utf-8", "plain words"),
            ("application/cloudevents+json", "{}{}"),
            ("multipart/form-data", "--bnd--"),
            ("multipart/form-data; boundary=bnd", "nothing of the kind"),
            ("multipart/form-data; boundary=bnd", "--bnd\r\nContent-Disposition: form-data\r\n\r\n1\r\n--bnd--\r\n"),
        ] {
            let error = read(content_type, body).unwrap_err();
            assert!(error.starts_with("Invalid request format"), "{content_type} {body}: {error}");
        }
        let many = (0..1_001).map(|n| format!("f{n}=")).collect::<Vec<_>>().join("&");
        assert!(read("application/x-www-form-urlencoded", many).unwrap_err().contains("at most 1000 fields"));
    }

    #[test]
    fn json_that_is_nested_without_end_is_no_danger() {
        let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
        is_read("application/json", &deep, &deep, deep.len());
    }

    proptest! {
        /// Whatever comes in is refused, or becomes JSON.
        #[test]
        fn no_body_is_too_odd(
            content_type in prop_oneof![
                Just("application/json".to_string()), Just("application/x-www-form-urlencoded".into()),
                Just("multipart/form-data; boundary=b".into()), "multipart/form-data; ?boundary=\\PC{0,10}", "\\PC{0,30}",
            ],
            body in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                "\\PC{0,80}".prop_map(String::into_bytes),
                "(--b\r\n|--b--|Content-Disposition: form-data; |name=\"a\"|; filename=\"x\"|\r\n|\r\n\r\n|\\PC{0,4}){0,12}".prop_map(String::into_bytes),
                "[a-z%&=+0-9]{0,80}".prop_map(String::into_bytes),
            ],
        ) {
            if let Ok((data, _)) = read(&content_type, body) {
                prop_assert!(serde_json::from_str::<Value>(&data).is_ok(), "{}", data);
            }
        }
    }
}
