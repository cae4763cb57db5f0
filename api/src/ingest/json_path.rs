//! A path into JSON: names and numbers with dots between them, `\.` for a dot in a name. It is followed through the text
//! itself, so that a number comes out with all its digits.

use std::collections::HashMap;

use serde_json::value::RawValue;

/// Steps of one path.
const STEPS_MAX: usize = 32;

/// A path into JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath(Vec<String>);

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// Nothing between two dots.
    #[error("has an empty step")]
    EmptyStep,
    /// Too long.
    #[error("has more than {STEPS_MAX} steps")]
    TooLong,
    /// What elsewhere would be a pattern.
    #[error("has the pattern {0:?}, which is not evaluated; a backslash before it makes it part of a name")]
    Pattern(char),
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// See [`PathFault`].
    pub fn parse(text: &str) -> Result<Self, PathFault> {
        let (mut steps, mut step, mut chars) = (Vec::new(), String::new(), text.chars());
        while let Some(char) = chars.next() {
            match char {
                '\\' => step.push(chars.next().unwrap_or('\\')),
                '.' => steps.push(std::mem::take(&mut step)),
                '*' | '?' | '#' | '|' => return Err(PathFault::Pattern(char)),
                char => step.push(char),
            }
        }
        steps.push(step);
        if steps.len() > STEPS_MAX {
            return Err(PathFault::TooLong);
        }
        if steps.iter().any(String::is_empty) { Err(PathFault::EmptyStep) } else { Ok(Self(steps)) }
    }

    /// What the path leads to.
    pub fn find<'a>(&self, json: &'a RawValue) -> Option<&'a RawValue> {
        let mut found = json;
        for step in &self.0 {
            found = match found.get().as_bytes().first()? {
                b'{' => serde_json::from_str::<HashMap<String, &RawValue>>(found.get()).ok()?.remove(step)?,
                b'[' => {
                    let index: usize = step.parse().ok()?;
                    serde_json::from_str::<Vec<&RawValue>>(found.get()).ok()?.get(index).copied()?
                }
                _ => return None,
            };
        }
        Some(found)
    }

    /// What the path leads to as a text: a string's own, and of all else the JSON; `None` for null.
    pub fn text(&self, json: &RawValue) -> Option<String> {
        match self.find(json)?.get() {
            "null" => None,
            string if string.starts_with('"') => serde_json::from_str(string).ok(),
            other => Some(other.to_string()),
        }
    }

    /// The same where it is a string, a number or a boolean.
    pub fn scalar(&self, json: &RawValue) -> Option<String> {
        let is_nested = self.find(json)?.get().starts_with(['{', '[']);
        if is_nested { None } else { self.text(json) }
    }
}

impl std::fmt::Display for JsonPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_no_path_is_refused() {
        for (text, fault) in [
            ("a..b", PathFault::EmptyStep),
            ("", PathFault::EmptyStep),
            ("a.", PathFault::EmptyStep),
            ("a.*", PathFault::Pattern('*')),
            ("items.#.id", PathFault::Pattern('#')),
            ("a|b", PathFault::Pattern('|')),
            (&"a.".repeat(STEPS_MAX + 1), PathFault::TooLong),
        ] {
            assert_eq!(JsonPath::parse(text), Err(fault), "{text}");
        }
        assert_eq!(JsonPath::parse(r"a\.b.\*.c\\"), Ok(JsonPath(vec!["a.b".into(), "*".into(), r"c\".into()])));
    }

    #[test]
    fn only_scalars_are_scalars() {
        let json = RawValue::from_string(r#"{"a": {"b": 1}, "s": "x", "n": null}"#.into()).unwrap();
        for (path, text, scalar) in [
            ("a", Some(r#"{"b": 1}"#), None),
            ("a.b", Some("1"), Some("1")),
            ("s", Some("x"), Some("x")),
            ("n", None, None),
        ] {
            let path = JsonPath::parse(path).unwrap();
            assert_eq!((path.text(&json).as_deref(), path.scalar(&json).as_deref()), (text, scalar), "{path}");
        }
    }

    fn arbitrary_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map("[a-c.*\\\\]{0,2}", inner, 0..5).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        /// As looking each step up in the parsed value would do.
        #[test]
        fn a_path_leads_where_its_steps_lead(json in arbitrary_json(), steps in prop::collection::vec("[a-c.*\\\\]{1,2}|[0-4]", 1..4)) {
            let escape = |step: &String| step.chars().map(|c| if ".*\\".contains(c) { format!("\\{c}") } else { c.into() }).collect::<String>();
            let path = JsonPath::parse(&steps.iter().map(escape).collect::<Vec<_>>().join(".")).unwrap();
            let expected = steps.iter().try_fold(&json, |at, step| match at {
                Value::Array(items) => items.get(step.parse::<usize>().ok()?),
                other => other.get(step),
            });
            let raw = RawValue::from_string(json.to_string()).unwrap();
            let found = path.find(&raw).map(|found| serde_json::from_str::<Value>(found.get()).unwrap());
            prop_assert_eq!(found.as_ref(), expected);
        }

        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,60}", body in "\\PC{0,60}") {
            if let (Ok(path), Ok(json)) = (JsonPath::parse(&text), RawValue::from_string(body)) {
                let (text, scalar) = (path.text(&json), path.scalar(&json));
                prop_assert!(scalar.is_none() || scalar == text);
            }
        }
    }
}
