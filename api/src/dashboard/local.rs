//! Where to go next, when the request says it: only to a page of the dashboard itself.

use url::Url;

const HERE: &str = "https://dashboard.invalid";
const BYTES_MAX: usize = 2_048;

/// The path, where it is one of this host; `None` for everything else, however it is spelled.
#[must_use]
pub fn path(next: &str) -> Option<String> {
    let is_plain = next.starts_with('/')
        && next.len() <= BYTES_MAX
        && !next.contains(['\\', '\0'])
        && !next.contains(char::is_control);
    // Browsers read `//host` and `/\host` as another host; and so does the parser, which knows their rules.
    let url = Url::parse(HERE).ok()?.join(next).ok().filter(|_| is_plain)?;
    let is_here = url.origin().ascii_serialization() == HERE && url.username().is_empty() && url.password().is_none();
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_string(),
    };
    (is_here && !path.starts_with("//")).then_some(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_paths_of_this_host_are_followed() {
        for next in ["/", "/projects", "/projects/01?status=Failure&q=a%26b", "/a//b", "/?next=https://example.com"] {
            assert!(path(next).is_some(), "{next}");
        }
        for next in [
            "",
            "projects",
            "//example.com",
            "///example.com",
            "/\\example.com",
            "\\\\example.com",
            "https://example.com",
            "javascript:alert(1)",
            "/\t/example.com",
            "/\n/example.com",
            " //example.com",
            "/..//example.com",
            "/.//example.com",
            "https:example.com",
            "@example.com",
            "http:/\\example.com",
        ] {
            assert_eq!(path(next), None, "{next}");
        }
        assert_eq!(path("/a/../b?c=d#e").as_deref(), Some("/b?c=d"));
    }

    proptest! {
        #[test]
        fn what_is_followed_leads_here(next in "[/\\\\:@?#a-z. \t]{0,12}") {
            if let Some(path) = path(&next) {
                let url = Url::parse("https://own.example/x").unwrap().join(&path).unwrap();
                prop_assert_eq!(url.host_str(), Some("own.example"));
            }
        }
    }
}
