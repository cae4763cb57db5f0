//! Credentials that stand in a URL, and how they are sent.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use url::{Url, form_urlencoded};

/// User and password of the URL, as they are meant; `None` where it names no user.
pub(super) fn credentials(url: &Url) -> Option<(String, String)> {
    let is_named = !url.username().is_empty() || url.password().is_some();
    is_named.then(|| (decoded(url.username()), decoded(url.password().unwrap_or_default())))
}

/// User and password as the value of `Authorization`.
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
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
        let of = |url: &str| credentials(&Url::parse(url).unwrap());
        assert_eq!(of("http://host/"), None);
        assert_eq!(of("http://u@host/"), Some(("u".into(), String::new())));
        assert_eq!(of("http://a%20b+c:p%40&=w@host/"), Some(("a b+c".into(), "p@&=w".into())));
    }
}
