//! What a secret means: `whsec_` and base64 for a shared key, `whsk_` and base64 for a private one; any other text is a
//! shared key as it stands.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

pub(crate) const SHARED: &str = "whsec_";
const PRIVATE: &str = "whsk_";
pub(crate) const PUBLIC: &str = "whpk_";
/// Bytes of an Ed25519 seed, and of a public key.
pub(crate) const SEED: usize = 32;

/// A key that signs. Its `Debug` shows nothing of it.
pub enum Key {
    /// HMAC-SHA256 with these bytes.
    Shared(Vec<u8>),
    /// Ed25519.
    Private(Box<Ed25519KeyPair>),
}

/// Why a secret is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A private key is 32 bytes, or these and its public key.
    #[error("after whsk_, the base64 of an Ed25519 private key is expected")]
    Private,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Shared(_) => "Shared(…)",
            Self::Private(_) => "Private(…)",
        })
    }
}

impl Key {
    /// The key of an endpoint's secret.
    ///
    /// # Errors
    /// The secret begins as a private key and is none.
    pub fn parse(secret: &str) -> Result<Self, KeyError> {
        if let Some(encoded) = secret.strip_prefix(PRIVATE) {
            let bytes = STANDARD.decode(encoded).map_err(|_| KeyError::Private)?;
            let pair = match bytes.split_at_checked(SEED) {
                Some((seed, [])) => Ed25519KeyPair::from_seed_unchecked(seed),
                Some((seed, public)) => Ed25519KeyPair::from_seed_and_public_key(seed, public),
                None => return Err(KeyError::Private),
            };
            return pair.map(|pair| Self::Private(Box::new(pair))).map_err(|_| KeyError::Private);
        }
        let shared = secret.strip_prefix(SHARED).and_then(|encoded| STANDARD.decode(encoded).ok());
        Ok(Self::Shared(shared.unwrap_or_else(|| secret.as_bytes().to_vec())))
    }

    /// What receivers verify with: `whpk_` and base64; `None` for a shared key.
    #[must_use]
    pub fn public(&self) -> Option<String> {
        match self {
            Self::Shared(_) => None,
            Self::Private(pair) => Some(format!("{PUBLIC}{}", STANDARD.encode(pair.public_key()))),
        }
    }

    /// Whether the secret is a private key, which must not be shown to receivers or sign as a shared one.
    #[must_use]
    pub fn is_private(secret: &str) -> bool {
        secret.starts_with(PRIVATE)
    }
}

/// A new private key as a secret.
#[must_use]
pub fn new_ed25519_secret() -> String {
    let seed: [u8; SEED] = rand::random();
    let mut bytes = seed.to_vec();
    if let Ok(pair) = Ed25519KeyPair::from_seed_unchecked(&seed) {
        bytes.extend_from_slice(pair.public_key().as_ref());
    }
    format!("{PRIVATE}{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_by_their_prefix() {
        for (secret, bytes) in [
            ("whsec_YWJj", &b"abc"[..]),
            ("plain text", b"plain text"),
            ("whsec_not base64", b"whsec_not base64"),
            ("", b""),
        ] {
            assert!(matches!(Key::parse(secret), Ok(Key::Shared(key)) if key == bytes), "{secret}");
        }
        for secret in ["whsk_", "whsk_YWJj", "whsk_!", &format!("whsk_{}", STANDARD.encode([7; 64]))] {
            assert!(matches!(Key::parse(secret), Err(KeyError::Private)), "{secret}");
        }
    }

    #[test]
    fn a_new_private_key_is_one_and_differs_from_the_last() {
        let (one, other) = (new_ed25519_secret(), new_ed25519_secret());
        let public = |secret: &str| Key::parse(secret).unwrap().public().unwrap();
        assert!(public(&one).starts_with("whpk_") && public(&one) != public(&other));
        let seed = STANDARD.decode(one.strip_prefix("whsk_").unwrap()).unwrap();
        assert_eq!(public(&format!("whsk_{}", STANDARD.encode(&seed[..32]))), public(&one), "the seed alone will do");
        let encoded = one.strip_prefix("whsk_").unwrap();
        assert!(!format!("{:?}", Key::parse(&one)).contains(encoded));
    }
}
