//! A document in JSON or YAML, read as JSON within a bound: YAML's aliases can make much of little.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Values in one document, nested ones included.
const VALUES_MAX: usize = 100_000;

/// Reads the document.
///
/// # Errors
/// What is wrong with it, in one line.
pub fn read(text: &str) -> Result<Value, String> {
    let mut room = VALUES_MAX;
    let mut json = serde_json::Deserializer::from_str(text);
    if let Ok(value) = Bounded(&mut room).deserialize(&mut json).and_then(|value| json.end().map(|()| value)) {
        return Ok(value);
    }
    let mut room = VALUES_MAX;
    let yaml = Bounded(&mut room).deserialize(serde_norway::Deserializer::from_str(text));
    yaml.map_err(|error| error.to_string())
}

/// Builds a value, and takes from the room that is left.
struct Bounded<'r>(&'r mut usize);

impl Bounded<'_> {
    fn take<E: Error>(&mut self) -> Result<(), E> {
        *self.0 = self.0.checked_sub(1).ok_or_else(|| E::custom(format_args!("more than {VALUES_MAX} values")))?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Value, D::Error> {
        self.take()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Bounded(&mut *self.0))? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        // Keys of YAML need not be texts: a status code such as 200 is read as one.
        while let Some(key) = fields.next_key::<Key>()? {
            let value = fields.next_value_seed(Bounded(&mut *self.0))?;
            map.insert(key.0, value);
        }
        Ok(Value::Object(map))
    }
}

/// A key, as text.
struct Key(String);

impl<'de> serde::Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_yaml_are_read_alike() {
        let expected = json!({"openapi": "3.1.0", "a": [1, -2, 1.5, true, null, "x"], "200": {}});
        assert_eq!(read(&expected.to_string()).unwrap(), expected);
        assert_eq!(read("openapi: 3.1.0\na: [1, -2, 1.5, true, null, x]\n200: {}\n").unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_read_is_refused_in_words() {
        for text in ["not a spec: [", "a: 1\n---\nb: 2\n", "\u{0}", "{\"a\":", "x: .inf", "? [a, b]\n: c\n"] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn neither_aliases_nor_depth_make_much_of_little() {
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for n in 1..9 {
            let before = n - 1;
            let list = vec![format!("*a{before}"); 10].join(",");
            bomb.push_str(&format!("a{n}: &a{n} [{list}]\n"));
        }
        assert!(read(&bomb).is_err());
        assert!(read(&"[".repeat(100_000)).is_err());
        assert!(read(&format!("{}1", "- ".repeat(5_000))).is_err());
        assert!(read(&format!("[{}1]", "1,".repeat(VALUES_MAX))).unwrap_err().contains("more than"));
    }
}
