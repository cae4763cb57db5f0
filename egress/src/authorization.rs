//! Credentials that stand in a URL, as the value of `Proxy-Authorization`.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use url::{Url, form_urlencoded};

/// User and password of the URL, as they are meant; `None` where it names no user.
pub fn basic(url: &Url) -> Option<String> {
    let is_named = !url.username().is_empty() || url.password().is_some();
    is_named.then(|| {
        let pair = format!("{}:{}", decoded(url.username()), decoded(url.password().unwrap_or_default()));
        format!("Basic {}", BASE64_STANDARD.encode(pair))
    })
}

fn decoded(text: &str) -> String {
    // Only percent signs mean something here.
    let text = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_passwords_are_decoded() {
        let of = |url: &str| basic(&url.parse().unwrap());
        assert_eq!(of("http://host/"), None);
        assert_eq!(
            of("http://us%40er:p%3Aw+&=@host"),
            Some(format!("Basic {}", BASE64_STANDARD.encode("us@er:p:w+&=")))
        );
        assert_eq!(of("http://u@host"), Some(format!("Basic {}", BASE64_STANDARD.encode("u:"))));
    }
}
