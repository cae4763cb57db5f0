//! Headers that belong to one connection and end here, and those that only the proxy may write.

use hyper::header::{CONNECTION, HeaderMap, HeaderName};

/// The header that carries the code of a refusal.
pub(super) const EGRESS_ERROR: HeaderName = HeaderName::from_static("x-egress-error");
/// The header that tells a worker where its connection leads, and what making it took.
pub(super) const EGRESS_CONNECTION: HeaderName = HeaderName::from_static("x-egress-connection");

/// RFC 9110, section 7.6.1. What begins with `proxy-` goes as well.
const HOP_BY_HOP: [&str; 6] = ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// Removes what is meant for the next hop only, and what `Connection` names.
pub(super) fn strip(headers: &mut HeaderMap) {
    let mut ending: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    ending.extend(headers.keys().filter(|name| name.as_str().starts_with("proxy-")).cloned());
    ending.extend(HOP_BY_HOP.map(HeaderName::from_static));
    for name in ending {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_one_connection_ends_here() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "X-Named, keep-alive"),
            ("connection", "x-also-named"),
            ("x-named", "1"),
            ("x-also-named", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic c2VjcmV0"),
            ("proxy-connection", "keep-alive"),
            ("proxy-anything", "1"),
            ("authorization", "Bearer kept"),
            ("x-kept", "1"),
            ("x-kept", "2"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        strip(&mut headers);
        let left: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(left, [("authorization", "Bearer kept"), ("x-kept", "1"), ("x-kept", "2")]);
    }
}
