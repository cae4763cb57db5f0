//! Signatures that cover the time at which they were made, so that a request that was overheard cannot be sent again later.

use chrono::{DateTime, Utc};
use posthouse_schema::project_config::SignatureHash;
use posthouse_signature::VerifyingKey;
use salvo::http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};

use super::mac;

/// How far a signature's time may be from ours, either way.
const TOLERANCE_SECONDS: u64 = 300;
/// Signatures in one header: several while a secret is being changed, and more only in an attempt to keep us busy.
const SIGNATURES_MAX: usize = 16;

/// `Stripe-Signature: t=<seconds>,v1=<hex>,…` over `<seconds>.<body>`.
pub fn stripe(headers: &HeaderMap, body: &[u8], secret: &SecretString, now: DateTime<Utc>) -> bool {
    let Some(header) = text(headers, "stripe-signature") else { return false };
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let Some(seconds) = parts().find_map(|(name, value)| (name == "t").then_some(value)) else { return false };
    let key = secret.expose_secret().as_bytes();
    is_recent(seconds, now)
        && parts().filter(|(name, _)| *name == "v1").take(SIGNATURES_MAX).any(|(_, digest)| {
            let signed: [&[u8]; 3] = [seconds.as_bytes(), b".", body];
            hex::decode(digest).is_ok_and(|given| mac::is_valid(SignatureHash::Sha256, key, &signed, &given))
        })
}

/// `X-Slack-Signature: v0=<hex>` over `v0:<seconds>:<body>`, the seconds in `X-Slack-Request-Timestamp`.
pub fn slack(headers: &HeaderMap, body: &[u8], secret: &SecretString, now: DateTime<Utc>) -> bool {
    let digest = text(headers, "x-slack-signature").and_then(|header| header.strip_prefix("v0="));
    let (Some(digest), Some(seconds)) = (digest, text(headers, "x-slack-request-timestamp")) else { return false };
    let key = secret.expose_secret().as_bytes();
    let signed: [&[u8]; 4] = [b"v0:", seconds.as_bytes(), b":", body];
    is_recent(seconds, now)
        && hex::decode(digest).is_ok_and(|given| mac::is_valid(SignatureHash::Sha256, key, &signed, &given))
}

/// `webhook-signature: v1,<base64> …`, or `v1a` for a public key, over `<id>.<seconds>.<body>`; all three headers may begin
/// with `svix-` instead.
pub fn standard_webhooks(headers: &HeaderMap, body: &[u8], key: &VerifyingKey, now: DateTime<Utc>) -> bool {
    ["webhook", "svix"].into_iter().any(|family| {
        let header = |name: &str| text(headers, &format!("{family}-{name}"));
        let (Some(id), Some(seconds), Some(signatures)) = (header("id"), header("timestamp"), header("signature"))
        else {
            return false;
        };
        is_recent(seconds, now) && key.verifies(signatures, SIGNATURES_MAX, id, seconds, body)
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn is_recent(seconds: &str, now: DateTime<Utc>) -> bool {
    // Only digits: what is signed must read as the same number everywhere.
    seconds.bytes().all(|byte| byte.is_ascii_digit())
        && seconds.parse::<i64>().is_ok_and(|seconds| seconds.abs_diff(now.timestamp()) <= TOLERANCE_SECONDS)
}
