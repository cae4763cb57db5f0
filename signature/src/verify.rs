//! What verifies signatures that others made: a shared key their HMAC, a public one their Ed25519.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::Sha256;

use crate::key::{PUBLIC, SEED, SHARED};

/// A key that verifies. Its `Debug` shows nothing of it.
pub enum VerifyingKey {
    /// Of `v1`: HMAC-SHA256 with these bytes.
    Shared(Vec<u8>),
    /// Of `v1a`: Ed25519.
    Public(Vec<u8>),
}

impl VerifyingKey {
    /// The key of a text: `whpk_` and the base64 of a public key, or the base64 of a shared one, after `whsec_` or alone.
    /// `None` for any other, and for an empty key.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(encoded) = text.strip_prefix(PUBLIC) {
            return STANDARD.decode(encoded).ok().filter(|key| key.len() == SEED).map(Self::Public);
        }
        let key = STANDARD.decode(text.strip_prefix(SHARED).unwrap_or(text)).ok()?;
        (!key.is_empty()).then_some(Self::Shared(key))
    }

    /// Whether one of the signatures of a header, of which it looks at `most`, is right for the message. `seconds` is the
    /// time as its header has it; whether that is recent is for the caller to judge.
    #[must_use]
    pub fn verifies(&self, signatures: &str, most: usize, id: &str, seconds: &str, body: &[u8]) -> bool {
        let parts = [id.as_bytes(), b".", seconds.as_bytes(), b".", body];
        let version = match self {
            Self::Shared(_) => "v1",
            Self::Public(_) => "v1a",
        };
        let ours = signatures.split(' ').filter_map(|signature| signature.split_once(','));
        ours.filter(|(name, _)| *name == version).take(most).any(|(_, encoded)| {
            let Ok(given) = STANDARD.decode(encoded) else { return false };
            match self {
                Self::Shared(key) => Hmac::<Sha256>::new_from_slice(key).is_ok_and(|mut mac| {
                    parts.iter().for_each(|part| mac.update(part));
                    mac.verify_slice(&given).is_ok()
                }),
                Self::Public(key) => UnparsedPublicKey::new(&ED25519, key).verify(&parts.concat(), &given).is_ok(),
            }
        })
    }
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Shared(_) => "Shared(…)",
            Self::Public(_) => "Public(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, signatures};

    const SHARED_KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const PUBLIC_KEY: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    const PRIVATE_KEY: &str =
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";

    #[test]
    fn what_is_signed_verifies_and_nothing_else_does() {
        assert_eq!(Key::parse(PRIVATE_KEY).unwrap().public().as_deref(), Some(PUBLIC_KEY));
        for (private, public) in [(SHARED_KEY, SHARED_KEY), (PRIVATE_KEY, PUBLIC_KEY)] {
            let key = VerifyingKey::parse(public).unwrap();
            let right = signatures(&[private], "msg_1", 1_614_265_330, b"body").unwrap();
            let verifies = |signatures: &str| key.verifies(signatures, 4, "msg_1", "1614265330", b"body");
            assert!(verifies(&right), "{public}");
            assert!(verifies(&format!("v9,AAAA v1,AAAA v1a,AAAA {right}")), "others beside it");
            assert!(!verifies(&format!("{}{right}", "v1,AAAA v1a,AAAA ".repeat(4))), "beyond so many");
            let (version, digest) = right.split_once(',').unwrap();
            let other = if version == "v1" { "v1a" } else { "v1" };
            let cut = digest.get(4..).unwrap();
            for wrong in
                ["", digest, &format!("{other},{digest}"), &format!("{version},{cut}"), &format!("{version},!")]
            {
                assert!(!verifies(wrong), "{wrong}");
            }
            for (id, seconds, body) in [
                ("msg_2", "1614265330", &b"body"[..]),
                ("msg_1", "1614265331", b"body"),
                ("msg_1", "1614265330", b"body "),
                ("msg_1.1614265330", "1614265330", b"body"),
            ] {
                assert!(!key.verifies(&right, 4, id, seconds, body), "{id} {seconds}");
            }
        }
    }

    #[test]
    fn keys_are_read_by_their_prefix_and_not_shown() {
        for (text, is_key) in [
            (SHARED_KEY, true),
            ("YWJj", true),
            (PUBLIC_KEY, true),
            ("", false),
            ("whsec_", false),
            ("whsec_!", false),
            ("whpk_YWJj", false),
            ("whpk_", false),
            (PRIVATE_KEY, false),
        ] {
            assert_eq!(VerifyingKey::parse(text).is_some(), is_key, "{text}");
        }
        assert_eq!(format!("{:?}", VerifyingKey::parse("YWJj").unwrap()), "Shared(…)");
    }
}
