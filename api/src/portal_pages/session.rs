//! What says that somebody came in by a portal link: a signed text, kept in a cookie of that portal, or carried in addresses
//! and forms where a browser keeps no cookie for us, as in most frames (decision 0027). Nothing is stored; a link that is
//! revoked, or has another token, ends it.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use posthouse_pages::portal::strings::Language;
use salvo::{
    http::header::{HeaderValue, SET_COOKIE},
    prelude::*,
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{app::App, auth::PortalHolder, cookie};

/// Who came in by a link's own token comes in again after this. A key's holder does when the key ends.
const WHOLE: Duration = Duration::from_secs(12 * 60 * 60);
/// How long an address opens the portal. Every page hands out new ones.
const IN_ADDRESS: Duration = Duration::from_secs(30 * 60);
const MASK_BYTES: usize = 16;

/// How a session travels. What is made for one way is refused on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// In a cookie of this portal's path.
    Cookie,
    /// In addresses and forms.
    Address,
}

impl Carrier {
    const fn word(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Address => "address",
        }
    }
}

/// Somebody who came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalSession {
    /// By which link.
    pub holder: PortalHolder,
    /// [`posthouse_schema::portal_link::PortalLink::mark`] of that link then.
    pub mark: String,
    /// When it ends, however it travels.
    pub ends: DateTime<Utc>,
    /// The language that was asked for; empty for what the browser likes.
    pub language: String,
}

impl PortalSession {
    /// One that begins now, with a credential that ends by itself at `end`.
    pub fn begin(holder: PortalHolder, mark: String, end: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let ends = end.map_or(now + WHOLE, |end| end.min(now + WHOLE));
        Self { holder, mark, ends, language: String::new() }
    }

    /// The same in this language, where there is such a one.
    #[must_use]
    pub fn speaking(self, code: &str) -> Self {
        match Language::find(code) {
            Some(language) => Self { language: language.code.into(), ..self },
            None => self,
        }
    }

    /// As it travels. Each is another text, so that the size of a compressed page tells nothing of it.
    pub fn sign(&self, key: &[u8], carrier: Carrier, now: DateTime<Utc>) -> String {
        let expires = if carrier == Carrier::Address { self.ends.min(now + IN_ADDRESS) } else { self.ends };
        let nonce: [u8; 8] = rand::random();
        let said = format!(
            "{}.{}.{}.{}.{}.{}.{}",
            self.holder.project,
            self.holder.link,
            self.mark,
            self.ends.timestamp(),
            expires.timestamp(),
            self.language,
            hex::encode(nonce)
        );
        let mac = mac(key, carrier, &said).map(|mac| URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
        format!("{said}.{}", mac.unwrap_or_default())
    }

    /// Reads one. `None`: it is not ours. One that has ended is read as well, since its project says who may frame the page
    /// that says so.
    pub fn read(text: &str, key: &[u8], carrier: Carrier) -> Option<(Self, DateTime<Utc>)> {
        let (said, given) = text.rsplit_once('.')?;
        mac(key, carrier, said)?.verify_slice(&URL_SAFE_NO_PAD.decode(given).ok()?).ok()?;
        let parts: Vec<&str> = said.split('.').collect();
        let [project, link, mark, ends, expires, language, _nonce] = parts.as_slice() else { return None };
        let time = |text: &str| DateTime::from_timestamp(text.parse().ok()?, 0);
        let session = Self {
            holder: PortalHolder { project: project.parse().ok()?, link: link.parse().ok()? },
            mark: (*mark).to_string(),
            ends: time(ends)?,
            language: (*language).to_string(),
        };
        Some((session, time(expires)?))
    }
}

fn mac(key: &[u8], carrier: Carrier, said: &str) -> Option<Hmac<Sha256>> {
    let mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    Some(mac.chain_update(carrier.word()).chain_update("\0").chain_update(said))
}

/// What forms show, of the text by which their page was opened; masked anew for every page.
pub fn form_token(credential: &str) -> String {
    let mask: [u8; MASK_BYTES] = rand::random();
    let masked: Vec<u8> = form_secret(credential).iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    format!("{}{}", hex::encode(mask), hex::encode(masked))
}

/// Whether a form's token is of this text.
pub fn is_form_token(credential: &str, given: &str) -> bool {
    let Ok(bytes) = hex::decode(given) else { return false };
    let Some((mask, masked)) = bytes.split_at_checked(MASK_BYTES) else { return false };
    if masked.len() != MASK_BYTES {
        return false;
    }
    let secret: Vec<u8> = masked.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    secret.ct_eq(&form_secret(credential)).into()
}

fn form_secret(credential: &str) -> [u8; MASK_BYTES] {
    let digest = Sha256::new().chain_update(b"portal form\0").chain_update(credential).finalize();
    std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default())
}

/// Whether browsers come by https, as the setting `--public-url` says.
fn is_https(app: &App) -> bool {
    app.settings.accounts.public_url.scheme() == "https"
}

const fn cookie_name(is_https: bool) -> &'static str {
    if is_https { "__Secure-posthouse-portal" } else { "posthouse-portal" }
}

/// The cookie of this portal in a request. Browsers send the one of its path alone.
pub fn cookie(req: &Request, app: &App) -> Option<String> {
    cookie::read(req, cookie_name(is_https(app)))
}

/// Gives this portal its cookie, until the browser is closed. On https it is for frames too, each site's apart from the
/// others'; a browser that keeps none for frames is served all the same.
pub fn set_cookie(res: &mut Response, app: &App, holder: PortalHolder, value: &str) {
    let is_https = is_https(app);
    let way = if is_https { "SameSite=None; Secure; Partitioned" } else { "SameSite=Lax" };
    let cookie = format!("{}={value}; Path=/portal/{}; HttpOnly; {way}", cookie_name(is_https), holder.link);
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        res.headers_mut().append(SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use posthouse_schema::ids::{PortalLinkId, ProjectId};

    use super::*;

    fn session() -> PortalSession {
        let holder = PortalHolder { project: ProjectId::generate(), link: PortalLinkId::generate() };
        PortalSession::begin(holder, "0123456789abcdef".into(), None, Utc::now()).speaking("de-AT")
    }

    #[test]
    fn a_session_is_read_by_its_key_on_its_way_alone() {
        let (session, now) = (session(), Utc::now());
        let text = session.sign(b"key", Carrier::Cookie, now);
        let (read, expires) = PortalSession::read(&text, b"key", Carrier::Cookie).unwrap();
        assert_eq!((read.holder, read.language.as_str(), expires), (session.holder, "de", read.ends));
        assert_eq!(PortalSession::read(&text, b"other", Carrier::Cookie), None);
        assert_eq!(PortalSession::read(&text, b"key", Carrier::Address), None);
        assert_ne!(text, session.sign(b"key", Carrier::Cookie, now), "each is another text");
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{text}");
    }

    #[test]
    fn a_session_that_was_changed_is_not_read() {
        let text = session().sign(b"key", Carrier::Address, Utc::now());
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(changed).unwrap();
            // The last character of the code may have bits that say nothing; then it is not read either.
            assert_eq!(PortalSession::read(&changed, b"key", Carrier::Address), None, "{changed}");
        }
        for text in ["", ".", "a.b.c", "......", &"x".repeat(5_000)] {
            assert_eq!(PortalSession::read(text, b"key", Carrier::Address), None, "{text}");
        }
    }

    #[test]
    fn an_address_opens_for_a_while_and_a_key_for_its_time() {
        let now = Utc::now();
        let whole = session();
        let (_, expires) =
            PortalSession::read(&whole.sign(b"k", Carrier::Address, now), b"k", Carrier::Address).unwrap();
        assert_eq!(expires.timestamp(), (now + IN_ADDRESS).timestamp());
        let soon = now + TimeDelta::minutes(5);
        let keyed = PortalSession::begin(whole.holder, String::new(), Some(soon), now);
        let (read, expires) =
            PortalSession::read(&keyed.sign(b"k", Carrier::Address, now), b"k", Carrier::Address).unwrap();
        assert_eq!((read.ends.timestamp(), expires.timestamp()), (soon.timestamp(), soon.timestamp()));
        let long = PortalSession::begin(whole.holder, String::new(), Some(now + TimeDelta::days(9)), now);
        assert_eq!(long.ends, now + WHOLE);
    }

    #[test]
    fn a_form_is_of_the_page_that_it_came_with() {
        let token = form_token("one");
        assert!(
            is_form_token("one", &token) && is_form_token("one", &form_token("one")) && !is_form_token("two", &token)
        );
        assert_ne!(token, form_token("one"));
        for wrong in ["", "00", "zz", &"0".repeat(64), &format!("{token}00")] {
            assert!(!is_form_token("one", wrong), "{wrong}");
        }
    }
}
