//! Tokens that travel in a mail's link. Only a hash is stored; the token is random and needs no stretching.

use rand::RngExt as _;
use sha2::{Digest as _, Sha256};

const CHARS: usize = 43;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A token in the clear: shown to its one reader, then forgotten. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainToken(String);

impl std::fmt::Debug for PlainToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlainToken(***)")
    }
}

impl PlainToken {
    /// A new random token of 43 letters and digits: 256 bits.
    #[must_use]
    pub fn generate() -> Self {
        let mut random = rand::rng();
        let mut char = || char::from(ALPHABET.get(random.random_range(0..ALPHABET.len())).copied().unwrap_or(b'0'));
        Self((0..CHARS).map(|_| char()).collect())
    }

    /// Reads a token as presented. `None`: it has not the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_sound = text.len() == CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_sound.then(|| Self(text.to_string()))
    }

    /// The token itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0.as_bytes()).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_their_form_and_are_not_printed() {
        let token = PlainToken::generate();
        assert_eq!(PlainToken::parse(token.expose()), Some(token.clone()));
        assert_eq!((format!("{token:?}").as_str(), token.hash().len()), ("PlainToken(***)", 32));
        assert_ne!(PlainToken::generate(), token);
        for text in ["", "x", &format!("{}x", token.expose()), &token.expose().replacen(char::is_alphanumeric, "-", 1)]
        {
            assert_eq!(PlainToken::parse(text), None, "{text}");
        }
    }
}
