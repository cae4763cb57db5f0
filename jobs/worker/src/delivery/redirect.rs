//! Where an answer of 3xx leads, for endpoints that may be led elsewhere. Pure. The method and the body stay; credentials
//! stay with the origin that they were given for.

use hyper::header::{HeaderMap, HeaderName, LOCATION};
use posthouse_schema::json::Redirect;
use url::Url;

/// Requests that follow the first.
const FOLLOWED_MAX: usize = 3;
/// A `Location` may be no longer.
const LOCATION_BYTES_MAX: usize = 8_192;
/// An event's header whose name holds one of these may be somebody's credential.
const CREDENTIAL_WORDS: [&str; 8] = ["auth", "cookie", "token", "secret", "password", "credential", "session", "key"];

/// Whether redirects are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirects {
    /// They are answers like others.
    Kept,
    /// They are followed. These headers go to no other origin, and nor does any value that is marked as sensitive.
    Followed {
        /// Headers that the event brought.
        confined: Vec<HeaderName>,
    },
}

/// Why a redirect leads nowhere; for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// The URL is none that could be requested.
    #[error("the answer {0} led to no usable URL")]
    Location(u16),
    /// What was sent encrypted would be sent in the clear.
    #[error("the answer {0} led from https to http")]
    Downgrade(u16),
    /// It leads to where the request has been.
    #[error("the answer {0} led in a circle")]
    Circle(u16),
    /// It has been followed often enough.
    #[error("the answer {0} led further than {FOLLOWED_MAX} redirects")]
    TooMany(u16),
}

/// Whether the header of an event may be a credential.
pub fn is_credential(name: &HeaderName) -> bool {
    let name = name.as_str();
    !name.ends_with("idempotency-key") && CREDENTIAL_WORDS.iter().any(|word| name.contains(word))
}

/// Where the answer to `from` leads; `None` for an answer that leads nowhere. The request began at `first` and has been led
/// along `course`.
///
/// # Errors
/// See [`RedirectError`].
pub fn next(
    (status, headers): (u16, &HeaderMap),
    (first, from): (&Url, &Url),
    course: &[Redirect],
) -> Result<Option<Url>, RedirectError> {
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = headers.get(LOCATION) else { return Ok(None) };
    let text = location.to_str().ok().filter(|text| text.len() <= LOCATION_BYTES_MAX);
    let mut url =
        text.and_then(|text| from.join(text).ok()).filter(is_usable).ok_or(RedirectError::Location(status))?;
    url.set_fragment(None);
    if from.scheme() == "https" && url.scheme() == "http" {
        return Err(RedirectError::Downgrade(status));
    }
    let mut been = course.iter().map(|redirect| redirect.url.as_str());
    if without_fragment(first) == url.as_str() || been.any(|been| been == url.as_str()) {
        return Err(RedirectError::Circle(status));
    }
    if course.len() >= FOLLOWED_MAX {
        return Err(RedirectError::TooMany(status));
    }
    Ok(Some(url))
}

/// Takes out of the headers what belongs to the origin that they were made for.
pub fn without_credentials(headers: &mut HeaderMap, confined: &[HeaderName]) {
    let sensitive = headers.iter().filter(|(_, value)| value.is_sensitive()).map(|(name, _)| name);
    let leaving: Vec<HeaderName> = sensitive.chain(confined).cloned().collect();
    for name in leaving {
        headers.remove(name);
    }
}

fn is_usable(url: &Url) -> bool {
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    matches!(url.scheme(), "http" | "https") && has_host && url.username().is_empty() && url.password().is_none()
}

fn without_fragment(url: &Url) -> &str {
    url.as_str().split('#').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn led(status: u16, location: &str, from: &str, course: &[&str]) -> Result<Option<String>, RedirectError> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_bytes(location.as_bytes()).unwrap());
        let first = Url::parse("https://shop.example/hook#part").unwrap();
        let course: Vec<Redirect> = course.iter().map(|url| Redirect { status: 307, url: (*url).into() }).collect();
        next((status, &headers), (&first, &Url::parse(from).unwrap()), &course).map(|url| url.map(String::from))
    }

    #[test]
    fn an_answer_leads_to_its_location() {
        let from = "https://shop.example/a/hook?x=1";
        for status in [301, 302, 303, 307, 308] {
            assert_eq!(led(status, "/b?y=2#z", from, &[]), Ok(Some("https://shop.example/b?y=2".into())), "{status}");
        }
        for (location, expected) in [
            ("c", "https://shop.example/a/c"),
            ("//other.example/d", "https://other.example/d"),
            ("https://other.example:8443", "https://other.example:8443/"),
        ] {
            assert_eq!(led(308, location, from, &[]), Ok(Some(expected.into())));
        }
        assert_eq!(led(302, "https://a.example/", "http://a.example/", &[]), Ok(Some("https://a.example/".into())));
        for status in [200, 300, 304, 305, 404] {
            assert_eq!(led(status, "/b", from, &[]), Ok(None), "{status}");
        }
        let url = Url::parse(from).unwrap();
        assert_eq!(next((302, &HeaderMap::new()), (&url, &url), &[]), Ok(None), "without a Location it is an answer");
    }

    #[test]
    fn what_leads_nowhere_says_why() {
        let from = "https://shop.example/a";
        let (long, course) = ("/".repeat(9_000), ["https://b.example/", "https://c.example/", "https://d.example/"]);
        for location in
            ["ftp://shop.example/", "https://", "https://u:p@shop.example/", "mailto:a@b.example", "\u{fc}", &long]
        {
            assert_eq!(led(301, location, from, &[]), Err(RedirectError::Location(301)), "{location:.40}");
        }
        assert_eq!(led(307, "http://shop.example/a", from, &[]), Err(RedirectError::Downgrade(307)));
        assert_eq!(led(302, "/hook#other", from, &[]), Err(RedirectError::Circle(302)));
        assert_eq!(led(302, "https://b.example/", "https://c.example/", &course[..2]), Err(RedirectError::Circle(302)));
        assert_eq!(led(303, "/next", "https://c.example/", &course[..2]), Ok(Some("https://c.example/next".into())));
        assert_eq!(led(303, "/next", "https://d.example/", &course), Err(RedirectError::TooMany(303)));
        assert_eq!(RedirectError::TooMany(303).to_string(), "the answer 303 led further than 3 redirects");
    }

    #[test]
    fn credentials_stay_where_they_were_given() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("x-shop", "secret"), ("webhook-signature", "v1,x"), ("x-hub-token", "t"), ("x-kept", "1")]
        {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.get_mut("x-shop").unwrap().set_sensitive(true);
        without_credentials(&mut headers, &[HeaderName::from_static("x-hub-token")]);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["webhook-signature", "x-kept"]);
        for (name, expected) in [
            ("authorization", true),
            ("x-api-key", true),
            ("cookie", true),
            ("x-convoy-idempotency-key", false),
            ("content-type", false),
            ("x-request-id", false),
        ] {
            assert_eq!(is_credential(&HeaderName::from_static(name)), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_redirect_never_leaves_http_nor_lowers_it(status in 300_u16..310, location in "\\PC{0,40}") {
            if let Ok(Some(url)) = led(status, &location, "https://shop.example/a", &[]) {
                prop_assert!(url.starts_with("https://"), "{}", url);
            }
        }
    }
}
