//! The idempotency key of an ingested request, from the values that its source selects.

use posthouse_schema::ids::SourceId;
use salvo::http::HeaderMap;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::location::Location;

/// 64 hexadecimal characters that are the same for the same values of one source; `None` where the request has none of
/// them, since requests that say nothing are not repeats of each other.
pub fn idempotency_key(
    source: SourceId,
    locations: &[Location],
    headers: &HeaderMap,
    query: &str,
    body: &RawValue,
) -> Option<String> {
    let values: Vec<Option<String>> = locations.iter().map(|location| location.read(headers, query, body)).collect();
    values.iter().any(Option::is_some).then(|| digest(source, &values))
}

/// Each value goes in with its length: `a` and `bc` are not `ab` and `c`.
fn digest(source: SourceId, values: &[Option<String>]) -> String {
    let mut hash = Sha256::new();
    hash.update(source.to_bits().to_be_bytes());
    for value in values {
        match value {
            Some(text) => {
                hash.update([1]);
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
            None => hash.update([0]),
        }
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_that_of_the_values_and_of_the_source() {
        let (source, other) = (SourceId::generate(), SourceId::generate());
        let key = |source, values: [Option<&str>; 2]| digest(source, &values.map(|value| value.map(String::from)));
        let first = key(source, [Some("a"), Some("bc")]);
        assert_eq!((first.len(), &first), (64, &key(source, [Some("a"), Some("bc")])));
        for different in [
            key(source, [Some("ab"), Some("c")]),
            key(source, [Some("abc"), None]),
            key(source, [None, Some("abc")]),
            key(source, [Some("abc"), Some("")]),
            key(other, [Some("a"), Some("bc")]),
        ] {
            assert_ne!(first, different);
        }
    }

    #[test]
    fn a_request_without_any_of_the_values_has_no_key() {
        let locations = ["request.body.id", "request.header.X-Id"].map(|text| Location::parse(text).unwrap());
        let key = |body: &str| {
            let body = RawValue::from_string(body.into()).unwrap();
            idempotency_key(SourceId::generate(), &locations, &HeaderMap::new(), "", &body)
        };
        assert_eq!(key(r#"{"x":1}"#), None);
        assert!(key(r#"{"id":1}"#).is_some());
    }
}
