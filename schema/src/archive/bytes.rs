//! Bytes in JSON: text as a string, so that people and their tools can read it, everything else as `{"hex": "…"}`. And
//! fractions that come back as they were.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeMap as _,
};
use serde_json::value::RawValue;

const HEX: &str = "hex";

/// For `#[serde(with)]` of bytes that are always there.
pub mod whole {
    use super::{AnyBytes, Deserialize as _, Deserializer, Serialize as _, Serializer, Written};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        Written(bytes).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        AnyBytes::deserialize(deserializer).map(|bytes| bytes.0)
    }
}

/// For `#[serde(with)]` of bytes that may be missing.
pub mod maybe {
    use super::{AnyBytes, Deserialize as _, Deserializer, Serialize as _, Serializer, Written};

    #[expect(clippy::ref_option, reason = "serde passes the field as it is")]
    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        bytes.as_deref().map(Written).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<AnyBytes>::deserialize(deserializer)?.map(|bytes| bytes.0))
    }
}

/// A number, parsed by the standard library: the quick way of `serde_json` may be off in the last digit.
pub fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let Some(raw) = Option::<Box<RawValue>>::deserialize(deserializer)? else { return Ok(None) };
    raw.get().parse().map(Some).map_err(|_| de::Error::custom("a number was expected"))
}

struct Written<'b>(&'b [u8]);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(self.0) {
            return serializer.serialize_str(text);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(HEX, &hex::encode(self.0))?;
        map.end()
    }
}

struct AnyBytes(Vec<u8>);

impl<'de> Deserialize<'de> for AnyBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = AnyBytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or an object with a string of hexadecimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<AnyBytes, E> {
        Ok(AnyBytes(text.as_bytes().to_vec()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<AnyBytes, E> {
        Ok(AnyBytes(text.into_bytes()))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<AnyBytes, M::Error> {
        match map.next_entry::<String, String>()? {
            Some((name, digits)) if name == HEX => hex::decode(digits).map(AnyBytes).map_err(de::Error::custom),
            _ => Err(de::Error::missing_field(HEX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        #[serde(with = "whole")]
        payload: Vec<u8>,
        #[serde(with = "maybe")]
        answer: Option<Vec<u8>>,
        #[serde(deserialize_with = "exact")]
        seconds: Option<f64>,
    }

    #[test]
    fn text_stays_readable_and_the_rest_is_hexadecimal() {
        let row = Row { payload: b"{\"id\": 1}".to_vec(), answer: Some(vec![0xff, 0]), seconds: Some(0.1) };
        let written = r#"{"payload":"{\"id\": 1}","answer":{"hex":"ff00"},"seconds":0.1}"#;
        assert_eq!(serde_json::to_string(&row).unwrap(), written);
        assert_eq!(serde_json::from_str::<Row>(written).unwrap(), row);
        for wrong in [r#"{"hex":"f"}"#, r#"{"hax":"ff"}"#, "{}", "1", "null"] {
            let text = format!(r#"{{"payload":{wrong},"answer":null,"seconds":null}}"#);
            assert!(serde_json::from_str::<Row>(&text).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn everything_comes_back_as_it_was(
            payload in proptest::collection::vec(any::<u8>(), 0..40),
            text in any::<Option<String>>(),
            seconds in proptest::option::of(-1e9..1e9_f64),
        ) {
            let row = Row { payload, answer: text.map(String::into_bytes), seconds };
            let written = serde_json::to_string(&row).unwrap();
            prop_assert_eq!(serde_json::from_str::<Row>(&written).unwrap(), row);
        }
    }
}
