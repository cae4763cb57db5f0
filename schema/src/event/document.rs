//! What is stored of an event for searches: one JSON document, so that one index answers for all that can be asked, within a
//! project. Pure.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{ids::ProjectId, json::Headers};

/// Characters of the pieces into which searchable texts are cut. A shorter search cannot use them.
const GRAM_CHARS: usize = 3;

/// What is searched for; every part has to match.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventSearch {
    /// The beginning of the id, or a part of the idempotency key, the event type or the source's name, in any case.
    pub text: Option<String>,
    /// Fields that the payload has, however deep.
    pub body: Option<Map<String, Value>>,
    /// Headers that the event has, by their exact names.
    pub headers: Option<Map<String, Value>>,
}

impl EventSearch {
    /// What a document of the project has to contain.
    #[must_use]
    pub(super) fn wanted(&self, project: ProjectId) -> Value {
        let mut wanted = self.parts();
        wanted.insert("project".into(), json!(project));
        Value::Object(wanted)
    }

    /// The same in two: what makes it the project's, and the rest.
    #[must_use]
    pub(super) fn wanted_apart(&self, project: ProjectId) -> (Value, Value) {
        (json!({"project": project}), Value::Object(self.parts()))
    }

    fn parts(&self) -> Map<String, Value> {
        let mut wanted = Map::new();
        if let Some(body) = &self.body {
            wanted.insert("body".into(), without_nul(Value::Object(body.clone())));
        }
        if let Some(headers) = &self.headers {
            let values = |(name, value): (&String, &Value)| (name.clone(), json!([value]));
            wanted.insert("headers".into(), without_nul(Value::Object(headers.iter().map(values).collect())));
        }
        if let Some(text) = &self.text {
            wanted.insert("grams".into(), json!(covering_grams(text)));
        }
        wanted
    }
}

/// The document of an event. A payload that is no JSON, or too large, is left out: the rest can be found.
#[must_use]
pub(super) fn document(
    project: ProjectId,
    (event_type, idempotency_key): (&str, &str),
    headers: &Headers,
    payload: Option<&[u8]>,
) -> Value {
    let mut names = grams(event_type);
    names.extend(grams(idempotency_key));
    let body: Value = payload.and_then(|payload| serde_json::from_slice(payload).ok()).unwrap_or_default();
    json!({
        "project": project,
        "body": without_nul(body),
        "headers": without_nul(json!(headers)),
        "grams": names,
    })
}

/// Every piece of three characters, in lower case. A text contains another only if its pieces contain the other's.
fn grams(text: &str) -> BTreeSet<String> {
    folded(text).windows(GRAM_CHARS).map(|gram| gram.iter().collect()).collect()
}

/// As few pieces as together hold every character. The index takes time for each piece, most of all for those that many
/// texts have, and what it names is compared with the whole text anyway.
fn covering_grams(text: &str) -> BTreeSet<String> {
    let chars = folded(text);
    let last = chars.rchunks(GRAM_CHARS).next();
    let pieces = chars.chunks(GRAM_CHARS).chain(last).filter(|gram| gram.len() == GRAM_CHARS);
    pieces.map(|gram| gram.iter().collect()).collect()
}

fn folded(text: &str) -> Vec<char> {
    text.to_ascii_lowercase().chars().filter(|c| *c != '\0').collect()
}

/// Whether the text is cut into any piece.
#[must_use]
pub(super) fn has_grams(text: &str) -> bool {
    text.chars().count() >= GRAM_CHARS
}

/// PostgreSQL's JSON has no NUL character; what is searched loses it as what is stored did.
fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\0') => Value::String(text.replace('\0', "")),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name.replace('\0', ""), without_nul(value))).collect()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(whole: &Value, part: &Value) -> bool {
        match (whole, part) {
            (Value::Object(whole), Value::Object(part)) => {
                part.iter().all(|(name, value)| whole.get(name).is_some_and(|own| contains(own, value)))
            }
            (Value::Array(whole), Value::Array(part)) => {
                part.iter().all(|value| whole.iter().any(|own| contains(own, value)))
            }
            (whole, part) => whole == part,
        }
    }

    #[test]
    fn a_document_contains_what_a_matching_search_wants() {
        let project = ProjectId::generate();
        let headers = Headers([("X-A".to_string(), vec!["1".to_string(), "2".to_string()])].into());
        let payload = br#"{"a": {"b": [1, {"c": "x\u0000y"}]}, "n": 12345678901234567890123}"#;
        let document = document(project, ("Invoice.Paid", "order-77"), &headers, Some(payload));
        let object = |value: Value| value.as_object().cloned();
        let search = |text: Option<&str>, body: Value, headers: Value| EventSearch {
            text: text.map(String::from),
            body: object(body),
            headers: object(headers),
        };
        for (search, is_match) in [
            (search(Some("VOICE.pa"), Value::Null, Value::Null), true),
            (search(Some("er-7"), Value::Null, Value::Null), true),
            (search(Some("er-8"), Value::Null, Value::Null), false),
            (search(None, json!({"a": {"b": [{"c": "xy"}]}}), Value::Null), true),
            (search(None, json!({"n": 12_345_678_901_234_567_890_123_f64}), Value::Null), true),
            (search(None, json!({"b": [1]}), Value::Null), false),
            (search(None, Value::Null, json!({"X-A": "2"})), true),
            (search(None, Value::Null, json!({"X-A": "3"})), false),
            (search(Some("paid"), json!({"a": {}}), json!({"X-A": "1"})), true),
        ] {
            assert_eq!(contains(&document, &search.wanted(project)), is_match, "{search:?}");
            let (of_project, rest) = search.wanted_apart(project);
            assert!(contains(&document, &of_project) && contains(&document, &rest) == is_match, "{search:?}");
            assert!(!contains(&document, &search.wanted(ProjectId::generate())), "another project's");
        }
    }

    #[test]
    fn few_pieces_hold_every_character() {
        for (text, pieces) in [
            ("", vec![]),
            ("ab", vec![]),
            ("abc", vec!["abc"]),
            ("abcd", vec!["abc", "bcd"]),
            ("ABCDE", vec!["abc", "cde"]),
            ("abcdef", vec!["abc", "def"]),
            ("rare.type", vec!["e.t", "rar", "ype"]),
        ] {
            assert_eq!(covering_grams(text).into_iter().collect::<Vec<_>>(), pieces, "{text}");
            assert!(covering_grams(text).is_subset(&grams(text)), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_leaves_the_rest() {
        let document = document(ProjectId::generate(), ("abc", ""), &Headers::default(), Some(b"{\"a\":"));
        assert_eq!((&document["body"], &document["grams"]), (&Value::Null, &json!(["abc"])));
        assert!(has_grams("äöü") && !has_grams("ab"));
    }
}
