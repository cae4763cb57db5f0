//! Whether a request proves that it comes from the source's provider: judged on the bytes as they came, before anything
//! reads them, and in a time that says nothing of the secret.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use posthouse_schema::project_config::{SignatureEncoding, SignatureHash};
use posthouse_signature::VerifyingKey;
use salvo::http::{HeaderMap, HeaderName, header::AUTHORIZATION};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::{mac, timed};

/// How a source's requests prove themselves.
pub enum Verifier {
    /// They need not.
    Noop,
    /// By an HMAC of the body in a header.
    Signature(SignatureRule),
    /// By a user name and a password, `name:password`.
    Basic(SecretString),
    /// By a fixed value in a header; `None` for the second word of `Authorization`.
    ApiKey(Option<HeaderName>, SecretString),
    /// By `Stripe-Signature`.
    Stripe(SecretString),
    /// By `X-Slack-Signature`.
    Slack(SecretString),
    /// By `webhook-signature`, or `svix-signature`.
    StandardWebhooks(VerifyingKey),
}

/// Where an HMAC of the body is, and how it is made.
pub struct SignatureRule {
    header: HeaderName,
    prefix: &'static str,
    hash: SignatureHash,
    encoding: SignatureEncoding,
    secret: SecretString,
}

/// Why no verifier can be made of what is stored.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifierFault {
    /// A part is missing or of the wrong kind.
    #[error("{0} is missing or not valid")]
    Missing(&'static str),
    /// A name that is no header's.
    #[error("{0} is not a header name")]
    Header(&'static str),
    /// The secret cannot be read.
    #[error("the secret of standard_webhooks is base64, after whsec_ where it has that, or a public key after whpk_")]
    Secret,
}

impl Verifier {
    /// The verifier of a stored source.
    ///
    /// # Errors
    /// See [`VerifierFault`].
    pub fn of(provider: &str, stored: Option<&Value>) -> Result<Self, VerifierFault> {
        let field = |object: &str, name: &str| stored?.get(object)?.get(name)?.as_str();
        let secret = |object: &str, name: &'static str| {
            field(object, name).filter(|text| !text.is_empty()).ok_or(VerifierFault::Missing(name))
        };
        if let Some((header, prefix, encoding)) = provider_rule(provider) {
            let secret = secret("hmac", "secret")?.into();
            let hash = SignatureHash::Sha256;
            return Ok(Self::Signature(SignatureRule { header, prefix, hash, encoding, secret }));
        }
        match stored.and_then(|stored| stored.get("type")).and_then(Value::as_str) {
            None | Some("noop" | "") => Ok(Self::Noop),
            Some("hmac") => Ok(Self::Signature(SignatureRule {
                header: header_name(secret("hmac", "header")?).ok_or(VerifierFault::Header("header"))?,
                prefix: "",
                hash: word(secret("hmac", "hash")?).ok_or(VerifierFault::Missing("hash"))?,
                encoding: word(secret("hmac", "encoding")?).ok_or(VerifierFault::Missing("encoding"))?,
                secret: secret("hmac", "secret")?.into(),
            })),
            Some("basic_auth") => {
                let (name, password) = (secret("basic_auth", "username")?, secret("basic_auth", "password")?);
                Ok(Self::Basic(format!("{name}:{password}").into()))
            }
            Some("api_key") => {
                let name = match field("api_key", "header_name").unwrap_or_default() {
                    "" => None,
                    name => Some(header_name(name).ok_or(VerifierFault::Header("header_name"))?),
                };
                Ok(Self::ApiKey(name, secret("api_key", "header_value")?.into()))
            }
            Some("stripe") => Ok(Self::Stripe(secret("stripe", "secret")?.into())),
            Some("slack") => Ok(Self::Slack(secret("slack", "secret")?.into())),
            Some("standard_webhooks") => {
                let text = secret("standard_webhooks", "secret")?;
                VerifyingKey::parse(text).map(Self::StandardWebhooks).ok_or(VerifierFault::Secret)
            }
            Some(_) => Err(VerifierFault::Missing("type")),
        }
    }

    /// Whether the proof covers the body, and so nothing but the body can be believed.
    pub const fn signs_body(&self) -> bool {
        match self {
            Self::Noop | Self::Basic(_) | Self::ApiKey(..) => false,
            Self::Signature(_) | Self::Stripe(_) | Self::Slack(_) | Self::StandardWebhooks(_) => true,
        }
    }

    /// The header whose value is the secret itself.
    pub fn secret_header(&self) -> Option<&HeaderName> {
        match self {
            Self::Basic(_) | Self::ApiKey(None, _) => Some(&AUTHORIZATION),
            Self::ApiKey(Some(name), _) => Some(name),
            _ => None,
        }
    }

    /// Whether a request with these headers and this body proves itself at `now`.
    pub fn accepts(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> bool {
        match self {
            Self::Noop => true,
            Self::Signature(rule) => rule.accepts(headers, body),
            Self::Basic(credentials) => {
                let given = authorization(headers, Some("basic")).and_then(|word| STANDARD.decode(word).ok());
                given.is_some_and(|given| is_equal(&given, credentials.expose_secret().as_bytes()))
            }
            Self::ApiKey(name, value) => {
                let given = match name {
                    Some(name) => headers.get(name).map(|value| value.as_bytes()),
                    None => authorization(headers, None).map(str::as_bytes),
                };
                given.is_some_and(|given| is_equal(given, value.expose_secret().as_bytes()))
            }
            Self::Stripe(secret) => timed::stripe(headers, body, secret, now),
            Self::Slack(secret) => timed::slack(headers, body, secret, now),
            Self::StandardWebhooks(key) => timed::standard_webhooks(headers, body, key, now),
        }
    }

    /// What a source answers to Twitter's challenge; `None` for a source of another kind.
    pub fn answer_challenge(&self, token: &str) -> Option<String> {
        let Self::Signature(rule) = self else { return None };
        let mac = mac::sign(rule.hash, rule.secret.expose_secret().as_bytes(), &[token.as_bytes()]);
        Some(format!("sha256={}", STANDARD.encode(mac)))
    }
}

impl SignatureRule {
    fn accepts(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let given = headers.get(&self.header).and_then(|value| value.to_str().ok());
        let Some(digest) = given.and_then(|given| given.trim().strip_prefix(self.prefix)) else { return false };
        let given = match self.encoding {
            SignatureEncoding::Hex => hex::decode(digest).ok(),
            SignatureEncoding::Base64 => STANDARD.decode(digest).ok(),
        };
        let key = self.secret.expose_secret().as_bytes();
        given.is_some_and(|given| mac::is_valid(self.hash, key, &[body], &given))
    }
}

/// Header, prefix and encoding of the providers that sign in a way of their own, all with SHA-256.
fn provider_rule(provider: &str) -> Option<(HeaderName, &'static str, SignatureEncoding)> {
    let (header, prefix, encoding) = match provider {
        "github" => ("x-hub-signature-256", "sha256=", SignatureEncoding::Hex),
        "shopify" => ("x-shopify-hmac-sha256", "", SignatureEncoding::Base64),
        "twitter" => ("x-twitter-webhooks-signature", "sha256=", SignatureEncoding::Base64),
        _ => return None,
    };
    Some((HeaderName::from_static(header), prefix, encoding))
}

fn header_name(text: &str) -> Option<HeaderName> {
    HeaderName::from_bytes(text.as_bytes()).ok()
}

fn word<T: for<'de> serde::Deserialize<'de>>(word: &str) -> Option<T> {
    T::deserialize(Value::from(word)).ok()
}

/// The second of exactly two words of `Authorization`, the first being `scheme` where that is given.
fn authorization<'a>(headers: &'a HeaderMap, scheme: Option<&str>) -> Option<&'a str> {
    let (first, second) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let is_scheme = scheme.is_none_or(|scheme| first.eq_ignore_ascii_case(scheme));
    (is_scheme && !second.is_empty() && !second.contains(' ')).then_some(second)
}

fn is_equal(given: &[u8], expected: &[u8]) -> bool {
    given.ct_eq(expected).into()
}

#[cfg(test)]
#[path = "verifier_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "published_tests.rs"]
mod published_tests;

#[cfg(test)]
#[path = "vector_tests.rs"]
mod vector_tests;
