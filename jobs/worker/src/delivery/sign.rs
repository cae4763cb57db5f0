//! Signatures over the exact bytes that are sent: Convoy's simple and advanced forms, contract section 3.5.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use posthouse_schema::project_config::{SignatureConfig, SignatureEncoding, SignatureHash, SignatureVersion};
use sha2::{Sha256, Sha512};

/// How an endpoint wants its deliveries signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureForm {
    /// The bare digest by the project's last version and the newest secret.
    Simple,
    /// `t=<seconds>,v1=…`: a timestamp, and one digest per version and live secret, the oldest secret first.
    Advanced,
}

/// The value of the signature header, or `None` where there is nothing to sign with.
///
/// `secrets` are the endpoint's live ones, the oldest first; each is used as the bytes of its text.
#[must_use]
pub fn signature(
    config: &SignatureConfig,
    form: SignatureForm,
    secrets: &[&str],
    body: &[u8],
    now: DateTime<Utc>,
) -> Option<String> {
    match form {
        SignatureForm::Simple => Some(digest(config.versions.last()?, secrets.last()?, &[body])),
        SignatureForm::Advanced => {
            if config.versions.is_empty() || secrets.is_empty() {
                return None;
            }
            let seconds = now.timestamp().to_string();
            let mut value = format!("t={seconds}");
            for (index, version) in config.versions.iter().enumerate() {
                for secret in secrets {
                    let mac = digest(version, secret, &[seconds.as_bytes(), b",", body]);
                    value.push_str(&format!(",v{}={mac}", index + 1));
                }
            }
            Some(value)
        }
    }
}

fn digest(version: &SignatureVersion, secret: &str, parts: &[&[u8]]) -> String {
    let mac = match version.hash {
        SignatureHash::Sha256 => mac_sha256(secret, parts),
        SignatureHash::Sha512 => mac_sha512(secret, parts),
    };
    match version.encoding {
        SignatureEncoding::Hex => hex::encode(mac),
        SignatureEncoding::Base64 => STANDARD.encode(mac),
    }
}

fn mac_sha256(secret: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn mac_sha512(secret: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha512>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"event":"invoice.paid","amount":2500,"currency":"EUR"}"#;

    fn config(versions: &[(SignatureHash, SignatureEncoding)]) -> SignatureConfig {
        let version = |(hash, encoding): &(SignatureHash, SignatureEncoding)| SignatureVersion {
            uid: String::new(),
            hash: *hash,
            encoding: *encoding,
            created_at: DateTime::UNIX_EPOCH,
        };
        SignatureConfig {
            header: "X-Convoy-Signature".into(),
            versions: versions.iter().map(version).collect(),
            ..SignatureConfig::default()
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn simple_is_the_bare_digest() {
        let sha512_hex =
            config(&[(SignatureHash::Sha256, SignatureEncoding::Hex), (SignatureHash::Sha512, SignatureEncoding::Hex)]);
        let value = signature(&sha512_hex, SignatureForm::Simple, &["old", "sk_kit_current"], BODY, at(0));
        assert_eq!(
            value.as_deref(),
            Some(
                "b72e30502c929ee752b9907558c2d76ea5fde8434fe3bc9ffae988c1c35bc0fee13cd7e7abf5ba02b53da0f88e528f64084e2da069d72b2cf61970a3e2fc73d0"
            )
        );
        let sha256_base64 = config(&[(SignatureHash::Sha256, SignatureEncoding::Base64)]);
        let value = signature(&sha256_base64, SignatureForm::Simple, &["sk_kit_current"], BODY, at(0));
        assert_eq!(value.as_deref(), Some("jm8uhwyNDKaIEWbjDWBGsRRPAeNYmQhFMoww8l09g14="));
    }

    #[test]
    fn advanced_signs_the_time_with_every_version_and_secret() {
        let one = config(&[(SignatureHash::Sha256, SignatureEncoding::Hex)]);
        let value = signature(&one, SignatureForm::Advanced, &["sk_kit_current"], BODY, at(1_754_000_000)).unwrap();
        assert_eq!(value, "t=1754000000,v1=521a03bea75342749df0c0dd603fa7705a1f29dca95b00aeab2d1fb53312e505");
        let two =
            config(&[(SignatureHash::Sha512, SignatureEncoding::Hex), (SignatureHash::Sha256, SignatureEncoding::Hex)]);
        let value =
            signature(&two, SignatureForm::Advanced, &["sk_kit_old", "sk_kit_current"], BODY, at(1_754_000_000))
                .unwrap();
        let names: Vec<&str> = value.split(',').map(|part| part.split('=').next().unwrap()).collect();
        assert_eq!(names, ["t", "v1", "v1", "v2", "v2"]);
        assert!(value.contains("v1=ee0cc4ebcd4a109bb7a85fb15cd769a57d02d0fb79cf41f0b97d9097c84192aeef6b19026664077affed2dbfe28b3bb84b4964d767bfbf4bc91906f40ec39a4b"));
        assert!(
            value.ends_with("v2=521a03bea75342749df0c0dd603fa7705a1f29dca95b00aeab2d1fb53312e505"),
            "the newest secret signs last"
        );
    }

    #[test]
    fn without_a_secret_nothing_is_signed() {
        let one = config(&[(SignatureHash::Sha256, SignatureEncoding::Hex)]);
        assert_eq!(signature(&one, SignatureForm::Simple, &[], BODY, at(0)), None);
        assert_eq!(signature(&one, SignatureForm::Advanced, &[], BODY, at(0)), None);
    }
}
