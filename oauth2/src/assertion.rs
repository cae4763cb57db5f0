//! The signed assertion by which a client proves itself, RFC 7523.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::key::{Key, SigningFailed};

/// Seconds for which an assertion may be used.
const LIFE_SECONDS: i64 = 300;

/// What an assertion claims.
pub(crate) struct Claims<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) audience: &'a str,
    /// Unique, so that it can be used once.
    pub(crate) id: &'a str,
}

/// The assertion as it is sent.
///
/// # Errors
/// The key cannot sign.
pub(crate) fn signed(
    key: &Key,
    key_id: &str,
    claims: &Claims<'_>,
    now: DateTime<Utc>,
) -> Result<String, SigningFailed> {
    let mut header = json!({"alg": key.algorithm(), "typ": "JWT"});
    if let (Some(fields), false) = (header.as_object_mut(), key_id.is_empty()) {
        fields.insert("kid".into(), key_id.into());
    }
    let seconds = now.timestamp();
    let body = json!({"iss": claims.issuer, "sub": claims.subject, "aud": claims.audience, "iat": seconds,
        "exp": seconds + LIFE_SECONDS, "jti": claims.id});
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(&header), encode(&body));
    let signature = key.sign(message.as_bytes())?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
