//! The dashboard's cookies. On https they are for this host alone and never sent without TLS.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use posthouse_pages::frame::Flash;

use crate::{app::App, cookie::Cookie};

/// Longest text that a flash carries.
const FLASH_CHARS_MAX: usize = 400;

/// Opens a session.
pub fn session(app: &App) -> Cookie {
    named("posthouse", app)
}

/// The reader's colours.
pub fn theme(app: &App) -> Cookie {
    named("posthouse-theme", app)
}

/// What was just done, for the next page.
pub fn flash(app: &App) -> Cookie {
    named("posthouse-flash", app)
}

/// Browsers come by https where the setting `--public-url` says so.
fn named(name: &'static str, app: &App) -> Cookie {
    Cookie { name, is_secure: app.settings.accounts.public_url.scheme() == "https" }
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
