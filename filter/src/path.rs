//! A dotted key as a way into an event. Each part is a name, which may itself hold dots, the number of an array's element,
//! or `$` for any element. Every value of the event is reached in one way at most, so that following a key costs no more
//! than the event has values, however the names and dots are chosen.

use std::ops::Range;

use serde_json::Value;

use crate::{
    effort::Effort,
    error::{EvaluationError, Reason},
};

/// Parts of a key.
const SEGMENTS_MAX: usize = 64;
const WILDCARDS_MAX: usize = 3;

#[derive(Debug, Clone)]
pub(crate) struct Path {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone)]
struct Segment {
    range: Range<usize>,
    is_wildcard: bool,
    /// The element of an array that it names.
    index: Option<usize>,
}

/// What is done with each value; true ends the search.
type Visit<'v, 'f> = dyn FnMut(&'v Value, &mut Effort) -> Result<bool, EvaluationError> + 'f;

impl Path {
    pub(crate) fn parse(key: &str) -> Result<Self, Reason> {
        let mut start = 0;
        let segments: Vec<Segment> = key
            .split('.')
            .map(|part| {
                let range = start..start + part.len();
                start = range.end + 1;
                Segment { range, is_wildcard: part == "$", index: index(part) }
            })
            .collect();
        let wildcards = segments.iter().filter(|segment| segment.is_wildcard).count();
        if segments.len() > SEGMENTS_MAX {
            return Err(Reason::TooMany { max: SEGMENTS_MAX, what: "parts of a dotted key" });
        }
        if wildcards > WILDCARDS_MAX {
            return Err(Reason::TooManyWildcards(wildcards));
        }
        if segments.last().is_some_and(|last| last.is_wildcard) {
            return Err(Reason::TrailingWildcard);
        }
        Ok(Self { text: key.into(), segments })
    }

    /// The key as it is written.
    pub(crate) fn key(&self) -> &str {
        &self.text
    }

    /// Bytes that it takes, about.
    pub(crate) const fn bytes(&self) -> usize {
        self.text.len() + self.segments.len() * size_of::<Segment>()
    }

    pub(crate) fn has_wildcards(&self) -> bool {
        self.segments.iter().any(|segment| segment.is_wildcard)
    }

    /// Shows `visit` the values that the key leads to, until it says true.
    pub(crate) fn any<'v>(
        &self,
        root: &'v Value,
        effort: &mut Effort,
        visit: &mut Visit<'v, '_>,
    ) -> Result<bool, EvaluationError> {
        // A single name is in one place; this is most keys, and looks at little memory.
        if let (1, Value::Object(fields)) = (self.segments.len(), root) {
            effort.spend(2)?;
            let Some(value) = fields.get(&self.text) else { return Ok(false) };
            effort.spend(1)?;
            return visit(value, effort);
        }
        self.follow(root, 0, effort, visit)
    }

    fn follow<'v>(
        &self,
        value: &'v Value,
        at: usize,
        effort: &mut Effort,
        visit: &mut Visit<'v, '_>,
    ) -> Result<bool, EvaluationError> {
        effort.spend(1)?;
        let Some(segment) = self.segments.get(at) else { return visit(value, effort) };
        match value {
            Value::Object(fields) => {
                // A name may hold dots, so it may be made of this part alone or together with those that follow.
                for (end, last) in self.segments.iter().enumerate().skip(at) {
                    if last.is_wildcard {
                        break;
                    }
                    effort.spend(1)?;
                    let name = self.text.get(segment.range.start..last.range.end).unwrap_or_default();
                    if let Some(value) = fields.get(name)
                        && self.follow(value, end + 1, effort, visit)?
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Value::Array(items) if segment.is_wildcard => {
                for item in items {
                    if self.follow(item, at + 1, effort, visit)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Value::Array(items) => match segment.index.and_then(|index| items.get(index)) {
                Some(item) => self.follow(item, at + 1, effort, visit),
                None => Ok(false),
            },
            _ => Ok(false),
        }
    }
}

/// A number as it is written, without leading zeros.
fn index(part: &str) -> Option<usize> {
    let is_canonical = part == "0" || !part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit());
    if is_canonical { part.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(key: &str, value: &Value) -> Vec<Value> {
        let mut found = Vec::new();
        let path = Path::parse(key).unwrap();
        path.any(value, &mut Effort::default(), &mut |value, _| {
            found.push(value.clone());
            Ok(false)
        })
        .unwrap();
        found
    }

    #[test]
    fn a_key_leads_to_values() {
        let event = json!({
            "a": {"b": 1, "c.d": 2, "": 3},
            "a.b": 4,
            "items": [{"id": 5, "tags": ["x", "y"]}, {"id": 6}, 7],
            "": {"z": 8},
            "01": [9],
        });
        for (key, expected) in [
            ("a.b", json!([1, 4])),
            ("a.c.d", json!([2])),
            ("a.", json!([3])),
            ("a.x", json!([])),
            ("a.b.c", json!([])),
            ("items.0.id", json!([5])),
            ("items.2", json!([7])),
            ("items.00.id", json!([])),
            ("items.9.id", json!([])),
            ("items.-1", json!([])),
            ("items.id", json!([])),
            ("items.$.id", json!([5, 6])),
            ("items.$.tags.1", json!(["y"])),
            ("items.$.tags", json!([["x", "y"]])),
            (".z", json!([8])),
            ("01.0", json!([9])),
            ("$.a", json!([])),
            ("items.99999999999999999999999", json!([])),
        ] {
            assert_eq!(json!(found(key, &event)), expected, "{key}");
        }
        assert_eq!(found("$.id", &json!([{"id": 1}, {"id": 2}])), [json!(1), json!(2)]);
        assert_eq!(found("1.id", &json!([{"id": 1}, {"id": 2}])), [json!(2)]);
    }

    #[test]
    fn wildcards_are_few_and_lead_on() {
        for (key, text) in [
            ("a.$", "invalid filter syntax, found trailing $"),
            ("$.$", "invalid filter syntax, found trailing $"),
            ("a.$.b.$.c.$.d.$.e", "too many segments, expected at most 3 but got 4"),
        ] {
            assert_eq!(Path::parse(key).unwrap_err().to_string(), text);
        }
        assert!(Path::parse(&".".repeat(64)).is_err());
        assert!(Path::parse(&".".repeat(63)).is_ok());
    }
}
