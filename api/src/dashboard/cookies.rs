//! The dashboard's cookies. On https they are for this host alone and never sent without TLS.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use posthouse_pages::frame::Flash;
use salvo::{http::header::SET_COOKIE, prelude::*};

use crate::{app::App, cookie};

/// What each is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// Opens a session.
    Session,
    /// The reader's colours.
    Theme,
    /// What was just done, for the next page.
    Flash,
}

/// Longest text that a flash carries.
const FLASH_CHARS_MAX: usize = 400;

impl Cookie {
    const fn name(self, is_https: bool) -> &'static str {
        match (self, is_https) {
            (Self::Session, true) => "__Host-posthouse",
            (Self::Session, false) => "posthouse",
            (Self::Theme, true) => "__Host-posthouse-theme",
            (Self::Theme, false) => "posthouse-theme",
            (Self::Flash, true) => "__Host-posthouse-flash",
            (Self::Flash, false) => "posthouse-flash",
        }
    }

    /// Its value in this request.
    pub fn read(self, req: &Request, app: &App) -> Option<String> {
        cookie::read(req, self.name(is_https(app)))
    }

    /// Gives it a value for so many seconds; `None`: until the browser is closed.
    pub fn set(self, res: &mut Response, app: &App, value: &str, seconds: Option<u64>) {
        let is_https = is_https(app);
        cookie::set(res, (self.name(is_https), value), is_https, seconds);
    }

    /// Takes it away.
    pub fn clear(self, res: &mut Response, app: &App) {
        self.set(res, app, "", Some(0));
    }

    /// Whether the answer gives it a value, or takes it away.
    pub fn is_set(self, res: &Response, app: &App) -> bool {
        let begin = format!("{}=", self.name(is_https(app)));
        res.headers().get_all(SET_COOKIE).iter().any(|value| value.as_bytes().starts_with(begin.as_bytes()))
    }
}

/// Whether browsers come by https, as the setting `--public-url` says.
fn is_https(app: &App) -> bool {
    app.settings.accounts.public_url.scheme() == "https"
}

/// A flash as a cookie's value.
pub fn encode(flash: &Flash) -> String {
    let text: String = flash.text.chars().take(FLASH_CHARS_MAX).collect();
    format!("{}{}", if flash.is_good { '1' } else { '0' }, URL_SAFE_NO_PAD.encode(text))
}

/// A flash of a cookie's value.
pub fn decode(value: &str) -> Option<Flash> {
    let (kind, text) = value.split_at_checked(1)?;
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    Some(Flash { is_good: kind == "1", text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flash_comes_back_as_it_was() {
        let flash = Flash { is_good: true, text: "It's; done=\"<b>\" ä".into() };
        let value = encode(&flash);
        assert!(value.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{value}");
        assert_eq!(decode(&value), Some(flash));
        for nonsense in ["", "1", "1!", "ä", "x%%"] {
            assert!(decode(nonsense).is_none_or(|flash| flash.text.is_empty()), "{nonsense}");
        }
    }
}
