//! Which headers of an ingested request stay with its event, and go on to the endpoints: all but those of the connection,
//! and those that carry a secret, unless the source asks for them by name.

use std::collections::BTreeMap;

use posthouse_jobs::{STORED_PARENT, STORED_STATE};
use salvo::http::{HeaderMap, HeaderName};

use crate::{error::ApiError, events::accept::trace};

/// Bytes of all names and values together.
const BYTES_MAX: usize = 32 * 1024;
/// Of the connection or of a proxy: they mean nothing behind it.
const OF_CONNECTION: [&str; 8] =
    ["connection", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];
/// They speak for the sender, not about the event.
const SENSITIVE: [&str; 2] = ["authorization", "cookie"];
/// Names the source on every delivery.
const SOURCE_ID: &str = "X-Convoy-Source-Id";

/// The headers as they are stored, each name as it is usually written: `X-Request-Id`.
///
/// # Errors
/// 400 for too many bytes.
pub fn forwarded(
    headers: &HeaderMap,
    secret_header: Option<&HeaderName>,
    wanted: &[String],
    mask: &str,
) -> Result<BTreeMap<String, Vec<String>>, ApiError> {
    let named_by_connection: Vec<String> = headers
        .get_all("connection")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|name| name.trim().to_ascii_lowercase()))
        .collect();
    let is_kept = |name: &HeaderName| {
        let text = name.as_str();
        let is_of_connection = OF_CONNECTION.contains(&text)
            || text.starts_with("proxy-")
            || named_by_connection.iter().any(|named| named == text);
        let is_secret = SENSITIVE.contains(&text) || secret_header == Some(name);
        !is_of_connection && (!is_secret || wanted.iter().any(|wanted| wanted.trim().eq_ignore_ascii_case(text)))
    };
    let mut kept: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut bytes = 0;
    for (name, value) in headers.iter().filter(|(name, _)| is_kept(name)) {
        let Ok(text) = std::str::from_utf8(value.as_bytes()) else { continue };
        bytes += name.as_str().len() + text.len();
        kept.entry(canonical(name.as_str())).or_default().push(text.to_string());
    }
    if bytes > BYTES_MAX {
        return Err(ApiError::invalid(format!("the headers are too large: at most {BYTES_MAX} bytes are accepted")));
    }
    kept.insert(SOURCE_ID.into(), vec![mask.into()]);
    // A delivery is a span of its own in the trace.
    for name in ["Traceparent", "Tracestate", STORED_PARENT, STORED_STATE] {
        kept.remove(name);
    }
    if let Some(trace) = trace(headers) {
        trace.store(&mut kept);
    }
    Ok(kept)
}

fn canonical(name: &str) -> String {
    let mut is_first = true;
    let write = |char: char| {
        let written = if is_first { char.to_ascii_uppercase() } else { char };
        is_first = char == '-';
        written
    };
    name.chars().map(write).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn secrets_and_the_connection_s_own_stay_here() {
        let given = headers(&[
            ("authorization", "Basic x"),
            ("cookie", "a=b"),
            ("proxy-authorization", "x"),
            ("proxy-anything", "x"),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("host", "h"),
            ("x-key", "secret"),
            ("content-length", "2"),
            ("x-request-id", "1"),
            ("x-many", "1"),
            ("x-many", "2"),
            ("x-convoy-source-id", "forged"),
        ]);
        let key = HeaderName::from_static("x-key");
        let kept = forwarded(&given, Some(&key), &[], "mask").unwrap();
        let names: Vec<&str> = kept.keys().map(String::as_str).collect();
        assert_eq!(names, ["Content-Length", SOURCE_ID, "X-Many", "X-Request-Id"]);
        assert_eq!(
            (&kept["X-Many"], &kept[SOURCE_ID]),
            (&vec!["1".to_string(), "2".into()], &vec!["mask".to_string()])
        );
        let wanted = ["X-KEY".to_string(), "cookie".into(), "Proxy-Authorization".into(), "host".into()];
        let kept = forwarded(&given, Some(&key), &wanted, "mask").unwrap();
        assert_eq!((&kept["X-Key"], &kept["Cookie"]), (&vec!["secret".to_string()], &vec!["a=b".to_string()]));
        assert!(!kept.contains_key("Authorization") && !kept.contains_key("Proxy-Authorization"));
    }

    #[test]
    fn a_trace_is_kept_for_deliveries_to_continue() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let given = headers(&[
            ("traceparent", parent),
            ("tracestate", "a=1"),
            ("tracestate", "b=2"),
            ("posthouse-tracestate", "x=1"),
        ]);
        let kept = forwarded(&given, None, &[], "m").unwrap();
        assert_eq!(
            (&kept[STORED_PARENT], &kept[STORED_STATE]),
            (&vec![parent.to_string()], &vec!["a=1,b=2".to_string()])
        );
        assert_eq!(kept.len(), 3, "{kept:?}");
        let kept = forwarded(&headers(&[("traceparent", "nonsense"), ("tracestate", "a=1")]), None, &[], "m").unwrap();
        assert_eq!(kept.len(), 1, "an invalid one is ignored: {kept:?}");
    }

    #[test]
    fn too_many_bytes_are_refused() {
        let large = "x".repeat(BYTES_MAX);
        assert!(forwarded(&headers(&[("x-a", &large)]), None, &[], "m").is_err());
    }

    proptest! {
        #[test]
        fn no_header_is_too_odd(pairs in prop::collection::vec(("[!#-'*+.0-9A-Z^-z|~-]{1,20}", prop::collection::vec(any::<u8>(), 0..20)), 0..10)) {
            let mut given = HeaderMap::new();
            for (name, value) in &pairs {
                if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), salvo::http::HeaderValue::from_bytes(value)) {
                    given.append(name, value);
                }
            }
            let kept = forwarded(&given, None, &[], "m").unwrap();
            prop_assert!(kept.keys().all(|name| HeaderName::from_bytes(name.as_bytes()).is_ok()));
            prop_assert!(!kept.contains_key("Authorization") && !kept.contains_key("Cookie"));
        }
    }
}
