//! The tokens of a session: JSON Web Tokens signed with HMAC-SHA256. Only that algorithm is read, whatever a token's header
//! says; access and refresh tokens have secrets of their own, and say which they are.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use posthouse_schema::ids::{SessionId, UserId};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// `{"alg":"HS256","typ":"JWT"}`, and the only header that we write.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
/// Ours have some 300 bytes.
const TOKEN_BYTES_MAX: usize = 2_048;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// Opens the API for a while.
    Access,
    /// Gets the next pair of tokens, once.
    Refresh,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed in.
    pub sub: UserId,
    /// In which session.
    pub sid: SessionId,
    /// The session's generation, of which there is one refresh token.
    #[serde(rename = "gen")]
    pub generation: i32,
    /// What it is for.
    #[serde(rename = "use")]
    pub purpose: Use,
    /// When it was made, in seconds.
    pub iat: i64,
    /// When it ends, in seconds.
    pub exp: i64,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

/// A secret that signs. Its `Debug` does not show it.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(***)")
    }
}

impl SigningKey {
    /// A key of any length.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of every length"))
    }

    /// The token that says this.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims).unwrap_or_default());
        let signed = format!("{HEADER}.{payload}");
        let mac = self.0.clone().chain_update(signed.as_bytes()).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    /// What a token for this purpose says, if this key signed it; whether it has ended is for [`Claims::is_live`] to say.
    #[must_use]
    pub fn read(&self, token: &str, purpose: Use) -> Option<Claims> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, mac) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        self.0.clone().chain_update(signed.as_bytes()).verify_slice(&mac).ok()?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        (header.alg == "HS256" && claims.purpose == purpose).then_some(claims)
    }
}

impl Claims {
    /// Whether the token has not ended at `now`.
    #[must_use]
    pub const fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.exp > now.timestamp()
    }
}

/// Whether a credential has the form of a session's token, and not that of a key.
#[must_use]
pub fn has_form(credential: &str) -> bool {
    !credential.starts_with("CO.") && !credential.starts_with("PRT.") && credential.split('.').count() == 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(purpose: Use) -> Claims {
        Claims { sub: UserId::generate(), sid: SessionId::generate(), generation: 1, purpose, iat: 1_000, exp: 2_800 }
    }

    #[test]
    fn a_token_is_read_by_its_key_for_its_purpose_alone() {
        let (key, other) = (SigningKey::new(b"one"), SigningKey::new(b"two"));
        let claims = claims(Use::Access);
        let token = key.sign(&claims);
        assert!(has_form(&token) && !has_form("CO.a.b") && !has_form("a.b") && !has_form("a.b.c.d"));
        assert_eq!(key.read(&token, Use::Access), Some(claims.clone()));
        assert_eq!(key.read(&token, Use::Refresh), None);
        assert_eq!(other.read(&token, Use::Access), None);
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        assert!(claims.is_live(at(2_799)) && !claims.is_live(at(2_800)));
        assert_eq!(format!("{key:?}"), "SigningKey(***)");
    }

    #[test]
    fn a_token_that_was_changed_is_not_read() {
        let key = SigningKey::new(b"one");
        let token = key.sign(&claims(Use::Access));
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(key.read(&changed, Use::Access), None, "{changed}");
        }
        for text in ["", "a.b.c", "..", "eyJhbGciOiJub25lIn0.e30.", &format!("{token}."), &"x".repeat(3_000)] {
            assert_eq!(key.read(text, Use::Access), None, "{text}");
        }
    }

    #[test]
    fn no_other_algorithm_is_read_even_with_the_right_signature() {
        let key = SigningKey::new(b"one");
        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims(Use::Access)).unwrap());
        for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS512"}"#, r#"{"alg":"RS256"}"#, "{}", "x"] {
            let signed = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header));
            let mac = key.0.clone().chain_update(signed.as_bytes()).finalize().into_bytes();
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac));
            assert_eq!(key.read(&token, Use::Access), None, "{header}");
        }
    }
}
