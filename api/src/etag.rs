//! Reads of one resource carry a weak hash of the answer, so that a client that has it already need not be sent it again.

use bytes::Bytes;
use posthouse_boxed::boxed;
use salvo::{
    http::{
        Method, ResBody,
        header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH},
    },
    prelude::*,
};
use sha2::{Digest as _, Sha256};

/// Bytes of the hash that are shown.
const HASH_BYTES: usize = 16;

/// Adds `ETag` to the answer, or answers 304 to a request that names it.
#[handler]
#[boxed]
pub async fn etag(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    ctrl.call_next(req, depot, res).await;
    // Lists change with every row, and their hash would cost more than it saves.
    let is_one = [Method::GET, Method::HEAD].contains(req.method()) && req.matched_path().ends_with('}');
    if !is_one || res.status_code.is_some_and(|code| code != StatusCode::OK) {
        return;
    }
    let ResBody::Once(body) = &res.body else { return };
    let tag = weak_tag(body);
    let is_known = names(req.headers(), &tag);
    if let Ok(value) = HeaderValue::from_str(&tag) {
        res.headers_mut().insert(ETAG, value);
    }
    if is_known {
        res.status_code(StatusCode::NOT_MODIFIED);
        res.replace_body(ResBody::None);
        res.headers_mut().remove(CONTENT_TYPE);
        res.headers_mut().remove(CONTENT_LENGTH);
    }
}

fn weak_tag(body: &Bytes) -> String {
    let hash = Sha256::digest(body);
    format!("W/\"{}\"", hex::encode(hash.get(..HASH_BYTES).unwrap_or_default()))
}

/// Whether `If-None-Match` names this tag, weakly compared.
fn names(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_string();
    let own = opaque(tag);
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|given| given.trim() == "*" || opaque(given) == own)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (IF_NONE_MATCH, value.parse().unwrap())).collect()
    }

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        let tag = weak_tag(&Bytes::from_static(b"{}"));
        let strong = tag.trim_start_matches("W/").to_string();
        for given in [&tag, &strong, "*", &format!("\"other\", {tag}"), &format!("\"other\",{strong}")] {
            assert!(names(&asked(&[given]), &tag), "{given}");
        }
        assert!(names(&asked(&["\"other\"", &tag]), &tag), "the header may be repeated");
        for given in ["\"other\"", "", "W/", strong.trim_matches('"')] {
            assert!(!names(&asked(&[given]), &tag), "{given}");
        }
        assert_ne!(tag, weak_tag(&Bytes::from_static(b"[]")));
    }

    proptest! {
        #[test]
        fn no_header_is_too_odd(value in "[ -~]{0,60}") {
            names(&asked(&[&value]), "W/\"a\"");
        }
    }
}
