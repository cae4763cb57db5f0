//! Headers that belong to one connection and end here, and those that only the proxy may write.

use hyper::header::{CONNECTION, HeaderMap, HeaderName};

use crate::{policy::is_project, rules::Code};

/// The header that carries the code of a refusal.
pub(super) const EGRESS_ERROR: HeaderName = HeaderName::from_static("x-egress-error");
/// The header that tells a worker where its connection leads, and what making it took.
pub(super) const EGRESS_CONNECTION: HeaderName = HeaderName::from_static("x-egress-connection");

/// The header by which a client says for which project it asks. It ends here.
pub(super) const EGRESS_PROJECT: HeaderName = HeaderName::from_static(crate::client::PROJECT);

/// RFC 9110, section 7.6.1. What begins with `proxy-` goes as well.
const HOP_BY_HOP: [&str; 6] = ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// The project for which a request asks, if it names one.
///
/// # Errors
/// It names several, or what cannot be one.
pub(super) fn project(headers: &HeaderMap) -> Result<Option<String>, Code> {
    let mut named = headers.get_all(EGRESS_PROJECT).iter();
    let Some(name) = named.next() else { return Ok(None) };
    let name = name.to_str().ok().filter(|name| is_project(name) && named.next().is_none());
    name.map(|name| Some(name.into())).ok_or(Code::BadTarget)
}

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
    ending.push(EGRESS_PROJECT);
    for name in ending {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_plain_project_is_read() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(EGRESS_PROJECT, value.parse().unwrap());
            }
            project(&headers)
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["p1"]), Ok(Some("p1".into())));
        for bad in [&["p1", "p1"][..], &[""], &["p 1"], &["p1, p2"]] {
            assert_eq!(of(bad), Err(Code::BadTarget), "{bad:?}");
        }
    }

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
            ("x-egress-project", "p1"),
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
