//! Checks `X-Convoy-Signature` as a customer's server would: HMAC-SHA-256 in lower-case hexadecimal, simple or advanced
//! (contract section 3.5). A signature over other bytes than those received is never good.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Seconds that an advanced signature's time may lie from now.
const TOLERANCE_SECONDS: u64 = 300;

/// What a request's signature is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Made with our secret over these bytes, and fresh where it says when.
    Good,
    /// Made otherwise, or too old.
    Bad,
    /// The request has none.
    Missing,
    /// We know no secret for the path.
    NoSecret,
}

/// Judges a header against the secret, at a time in Unix seconds.
pub(super) fn judge(header: Option<&str>, body: &[u8], secret: Option<&str>, now: u64) -> Verdict {
    match (header, secret) {
        (_, None) => Verdict::NoSecret,
        (None, Some(_)) => Verdict::Missing,
        (Some(header), Some(secret)) => {
            let good = match header.split_once(',') {
                Some((time, signatures)) => is_advanced_good(time, signatures, body, secret, now),
                None => is_mac(header, secret, &[body]),
            };
            if good { Verdict::Good } else { Verdict::Bad }
        }
    }
}

/// `t=<seconds>,v1=<hex>[,v1=<hex>…][,v2=…]`, signed over `<seconds>,<body>`. One good entry is enough.
fn is_advanced_good(time: &str, signatures: &str, body: &[u8], secret: &str, now: u64) -> bool {
    let Some(time) = time.strip_prefix("t=") else {
        return false;
    };
    let is_fresh = time.parse::<u64>().is_ok_and(|signed_at| now.abs_diff(signed_at) <= TOLERANCE_SECONDS);
    let mut entries = signatures.split(',').filter_map(|entry| entry.trim().strip_prefix('v')?.split_once('='));
    is_fresh && entries.any(|(_, signature)| is_mac(signature, secret, &[time.as_bytes(), b",", body]))
}

fn is_mac(signature: &str, secret: &str, parts: &[&[u8]]) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    hex::decode(signature).is_ok_and(|bytes| mac.verify_slice(&bytes).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"amount":10}"#;
    // printf '%s' '{"amount":10}' | openssl dgst -sha256 -hmac s3cret
    const SIMPLE: &str = "934dfe0969bf4256efccf17939eb883fedccfa05bf22bd825fd218272219b4b6";
    // printf '%s' '1700000000,{"amount":10}' | openssl dgst -sha256 -hmac s3cret
    const ADVANCED: &str = "dc78e48f2ed6ee34da22c6e902922ceccd34d1dcffd9a4aad987e96b83ae2eac";

    #[test]
    fn simple_and_advanced_signatures_are_told_from_forged_and_old_ones() {
        let advanced = format!("t=1700000000,v1=00,v1={ADVANCED}");
        for (header, secret, now, verdict) in [
            (Some(SIMPLE), Some("s3cret"), 0, Verdict::Good),
            (Some(SIMPLE), Some("other"), 0, Verdict::Bad),
            (Some(advanced.as_str()), Some("s3cret"), 1_700_000_300, Verdict::Good),
            (Some(advanced.as_str()), Some("s3cret"), 1_700_000_301, Verdict::Bad),
            (Some(advanced.as_str()), Some("other"), 1_700_000_000, Verdict::Bad),
            (Some("v1=00,t=1700000000"), Some("s3cret"), 1_700_000_000, Verdict::Bad),
            (Some(ADVANCED), Some("s3cret"), 1_700_000_000, Verdict::Bad),
            (None, Some("s3cret"), 0, Verdict::Missing),
            (Some(SIMPLE), None, 0, Verdict::NoSecret),
        ] {
            assert_eq!(judge(header, BODY, secret, now), verdict, "{header:?} {secret:?} {now}");
        }
        assert_eq!(judge(Some(SIMPLE), b"{ \"amount\":10}", Some("s3cret"), 0), Verdict::Bad);
    }
}
