//! What a browser may do with the portal's pages, and above all who may show them in a frame. Nobody may unless the project
//! or the instance names them; pages run nothing inline and fetch nothing from elsewhere but the project's picture.

use posthouse_boxed::boxed;
use salvo::{
    http::header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
    prelude::*,
};
use url::Url;

use crate::app::app;

/// Sites that a project or the instance can name.
pub const SOURCES_MAX: usize = 50;
const NOBODY: &str = "'none'";
const SAME: &str = "'self'";

/// Reads one that may frame: `none`, `self`, or an origin, whose host may begin with `*.`; as it stands in the policy.
///
/// # Errors
/// A sentence for whoever set it.
pub fn source(text: &str) -> Result<String, String> {
    let expected = || "an origin such as https://app.example.com, or self, is expected".to_string();
    let text = text.trim().to_ascii_lowercase();
    match text.trim_matches('\'') {
        "none" => return Ok(NOBODY.into()),
        "self" => return Ok(SAME.into()),
        _ => {}
    }
    let (scheme, rest) = text.trim_end_matches('/').split_once("://").ok_or_else(expected)?;
    let (any, host) = rest.strip_prefix("*.").map_or(("", rest), |host| ("*.", host));
    let plain = format!("{scheme}://{host}");
    let origin = Url::parse(&plain).map_err(|_| expected())?.origin();
    // Written as the parser would write it, nothing else can be in it: no path, no white space, no second directive.
    let is_whole = origin.is_tuple() && origin.ascii_serialization() == plain && matches!(scheme, "http" | "https");
    let is_narrow = any.is_empty() || host.contains('.');
    if is_whole && is_narrow && is_plain(host) { Ok(format!("{scheme}://{any}{host}")) } else { Err(expected()) }
}

/// Whether a host, with its port, means nothing else in a policy. URLs may hold `;`, `,` and `*` there.
pub fn is_plain(host: &str) -> bool {
    host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
}

/// Who may frame a page, and where its picture comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Framing {
    /// As [`source`] gives them.
    pub ancestors: Vec<String>,
    /// The origin of a picture.
    pub picture: Option<String>,
}

impl Framing {
    fn ancestors(&self) -> String {
        if self.ancestors.is_empty() || self.ancestors.iter().any(|source| source == NOBODY) {
            return NOBODY.into();
        }
        self.ancestors.join(" ")
    }

    /// The policy of content.
    #[must_use]
    pub fn policy(&self) -> String {
        let picture = self.picture.as_deref().map(|origin| format!(" {origin}")).unwrap_or_default();
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{picture}; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors {}",
            self.ancestors()
        )
    }

    /// The same for browsers that know only the older header, which cannot name other sites.
    #[must_use]
    pub fn frame_options(&self) -> Option<&'static str> {
        match self.ancestors().as_str() {
            NOBODY => Some("DENY"),
            SAME => Some("SAMEORIGIN"),
            _ => None,
        }
    }

    /// Writes both into an answer, in place of what was there.
    pub fn apply(&self, headers: &mut HeaderMap) {
        // What cannot be written lets nobody in.
        let policy = HeaderValue::from_str(&self.policy())
            .or_else(|_| HeaderValue::from_str(&Self::default().policy()))
            .unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        match self.frame_options() {
            Some(word) => drop(headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static(word))),
            None => drop(headers.remove(X_FRAME_OPTIONS)),
        }
    }
}

/// Adds what every page has. Who may frame it is the instance's to say until its project is known.
#[handler]
#[boxed]
pub async fn protect(depot: &mut Depot, res: &mut Response) {
    let ancestors = app(depot).map(|app| app.settings.portal_frame_ancestors.clone()).unwrap_or_default();
    let headers = res.headers_mut();
    Framing { ancestors, picture: None }.apply(headers);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Addresses may hold what opens the portal: no other site hears them.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_origins_can_be_named() {
        for (text, expected) in [
            ("none", "'none'"),
            ("'self'", "'self'"),
            ("https://app.example.com", "https://app.example.com"),
            (" HTTPS://App.Example.com/ ", "https://app.example.com"),
            ("https://*.example.com", "https://*.example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://*.example.com:8443", "https://*.example.com:8443"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            assert_eq!(source(text).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "*",
            "https:",
            "https://",
            "https://*",
            "https://*.com",
            "app.example.com",
            "https://app.example.com/path",
            "https://app.example.com?a",
            "https://app.example.com; script-src *",
            "https://a.example https://b.example",
            "https://u@app.example.com",
            "data:",
            "javascript://x",
            "ftp://example.com",
            "'unsafe-inline'",
            "https://app.example.com:443",
            "https://a.*.example.com",
        ] {
            assert!(source(text).is_err(), "{text}");
        }
    }

    #[test]
    fn both_headers_say_the_same() {
        let framing = |sources: &[&str]| Framing {
            ancestors: sources.iter().map(|source| (*source).to_string()).collect(),
            picture: None,
        };
        for (sources, ancestors, options) in [
            (&[][..], "frame-ancestors 'none'", Some("DENY")),
            (&["'none'", "https://a.example"], "frame-ancestors 'none'", Some("DENY")),
            (&["'self'"], "frame-ancestors 'self'", Some("SAMEORIGIN")),
            (&["'self'", "https://a.example"], "frame-ancestors 'self' https://a.example", None),
        ] {
            let framing = framing(sources);
            assert!(framing.policy().ends_with(ancestors), "{}", framing.policy());
            assert_eq!(framing.frame_options(), options);
        }
        let pictured = Framing { picture: Some("https://cdn.example".into()), ..Framing::default() };
        assert!(pictured.policy().contains("img-src 'self' https://cdn.example;"), "{}", pictured.policy());
    }

    proptest! {
        #[test]
        fn what_is_named_never_ends_a_directive(text in "(https?://)?[a-z*.:;/'@ \\[\\]]{0,20}") {
            if let Ok(source) = source(&text) {
                prop_assert!(!source.contains([';', ',', ' ', '\n']) && HeaderValue::from_str(&source).is_ok(), "{source}");
            }
        }
    }
}
