//! The value of the header `webhook-signature`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::Key;

/// One signature for each of the secrets, the newest first, of which receivers need only one to be right. `secrets` are
/// the live ones, the oldest first; one that is no key does not sign. `None` where nothing signs.
#[must_use]
pub fn signatures(secrets: &[&str], id: &str, seconds: i64, body: &[u8]) -> Option<String> {
    let time = seconds.to_string();
    let parts = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    let mut value = String::new();
    for key in secrets.iter().rev().filter_map(|secret| Key::parse(secret).ok()) {
        if !value.is_empty() {
            value.push(' ');
        }
        match key {
            Key::Shared(bytes) => {
                let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&bytes) else { continue };
                parts.iter().for_each(|part| mac.update(part));
                value.push_str("v1,");
                STANDARD.encode_string(mac.finalize().into_bytes(), &mut value);
            }
            Key::Private(pair) => {
                value.push_str("v1a,");
                STANDARD.encode_string(pair.sign(&parts.concat()), &mut value);
            }
        }
    }
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SECONDS: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SHARED: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const PRIVATE: &str =
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";

    #[test]
    fn as_published() {
        let shared = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let private = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
        assert_eq!(signatures(&[SHARED], ID, SECONDS, BODY).as_deref(), Some(shared));
        assert_eq!(signatures(&[PRIVATE], ID, SECONDS, BODY).as_deref(), Some(private));
        let both = signatures(&[PRIVATE, SHARED], ID, SECONDS, BODY).unwrap();
        assert_eq!(both, format!("{shared} {private}"), "the newest first");
        let public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
        assert_eq!(Key::parse(PRIVATE).unwrap().public().as_deref(), Some(public));
    }

    #[test]
    fn the_public_library_verifies_it() {
        let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let signed = |secrets: &[&str]| {
            let signature = signatures(secrets, ID, i64::try_from(seconds).unwrap(), BODY).unwrap();
            let mut headers = http::HeaderMap::new();
            headers.insert("webhook-id", ID.parse().unwrap());
            headers.insert("webhook-timestamp", seconds.to_string().parse().unwrap());
            headers.insert("webhook-signature", signature.parse().unwrap());
            headers
        };
        let verifier = standardwebhooks::Webhook::new(SHARED).unwrap();
        for secrets in [&[SHARED][..], &["an older one", SHARED], &[SHARED, "a newer one"], &[PRIVATE, SHARED]] {
            assert!(verifier.verify(BODY, &signed(secrets)).is_ok(), "{secrets:?}");
        }
        assert!(verifier.verify(BODY, &signed(&["another"])).is_err());
        assert!(verifier.verify(b"another body", &signed(&[SHARED])).is_err());
        let plain = standardwebhooks::Webhook::from_bytes(b"a secret in words".to_vec()).unwrap();
        assert!(plain.verify(BODY, &signed(&["a secret in words"])).is_ok());
    }

    #[test]
    fn what_is_no_key_does_not_sign() {
        assert_eq!(signatures(&[], ID, SECONDS, BODY), None);
        assert_eq!(signatures(&["whsk_x"], ID, SECONDS, BODY), None);
        let alone = signatures(&[SHARED], ID, SECONDS, BODY);
        assert_eq!(signatures(&["whsk_x", SHARED], ID, SECONDS, BODY), alone);
    }
}
