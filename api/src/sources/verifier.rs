//! How the requests of a source prove themselves, as a caller writes it and as it is stored and shown.

use posthouse_schema::project_config::{SignatureEncoding, SignatureHash};
use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::wire::REDACTED;
use crate::{body::bounded, error::ApiError, ingest::verifier::Verifier};

/// How requests prove themselves.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct VerifierBody {
    /// `noop`, `hmac`, `basic_auth`, `api_key`, `stripe`, `slack` or `standard_webhooks`; the others name the object that
    /// holds their settings.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// For `hmac`, and for every source with a provider, where the secret is enough.
    pub hmac: Option<HmacBody>,
    /// For `basic_auth`.
    pub basic_auth: Option<BasicAuthBody>,
    /// For `api_key`.
    pub api_key: Option<ApiKeyBody>,
    /// For `stripe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stripe: Option<SigningSecretBody>,
    /// For `slack`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<SigningSecretBody>,
    /// For `standard_webhooks`, also written `svix`.
    #[serde(alias = "svix", skip_serializing_if = "Option::is_none")]
    pub standard_webhooks: Option<SigningSecretBody>,
}

/// An HMAC of the body in a header.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct HmacBody {
    /// The header.
    pub header: Option<String>,
    /// `SHA256` or `SHA512`.
    pub hash: Option<String>,
    /// What it is made with.
    pub secret: Option<String>,
    /// `hex` or `base64`.
    pub encoding: Option<String>,
}

/// A user name and a password.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct BasicAuthBody {
    /// The name, without a colon.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
}

/// A fixed value in a header.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ApiKeyBody {
    /// The value.
    pub header_value: Option<String>,
    /// The header; empty means `Authorization: <any word> <value>`.
    pub header_name: Option<String>,
}

/// The secret of a scheme that needs nothing else.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SigningSecretBody {
    /// The secret as the provider shows it.
    pub secret: Option<String>,
}

impl VerifierBody {
    /// A stored verifier; one of an older form shows what is still understood of it.
    pub fn stored(value: Option<&Value>) -> Self {
        let mut body: Self = value.and_then(|value| Self::deserialize(value).ok()).unwrap_or_default();
        body.kind.get_or_insert_with(|| "noop".into());
        body
    }

    /// The same for someone who may not know its secrets.
    pub fn redacted(mut self) -> Self {
        for secret in self.secrets().into_iter().flatten() {
            if secret.as_ref().is_some_and(|text| !text.is_empty()) {
                *secret = Some(REDACTED.into());
            }
        }
        self
    }

    /// A hidden secret that comes back means the stored one.
    pub fn keep_secrets(&mut self, stored: Option<&Value>) {
        let mut stored = Self::stored(stored);
        for (given, stored) in self.secrets().into_iter().zip(stored.secrets()) {
            if let (Some(given), Some(stored)) = (given, stored)
                && given.as_deref() == Some(REDACTED)
            {
                *given = stored.take();
            }
        }
    }

    /// The secret of each scheme that is there.
    fn secrets(&mut self) -> [Option<&mut Option<String>>; 6] {
        [
            self.hmac.as_mut().map(|own| &mut own.secret),
            self.basic_auth.as_mut().map(|own| &mut own.password),
            self.api_key.as_mut().map(|own| &mut own.header_value),
            self.stripe.as_mut().map(|own| &mut own.secret),
            self.slack.as_mut().map(|own| &mut own.secret),
            self.standard_webhooks.as_mut().map(|own| &mut own.secret),
        ]
    }

    /// The verifier as it is stored. Only what its type needs is kept, and ingest could be told to use it.
    ///
    /// # Errors
    /// 400 naming the field.
    pub fn checked(self, provider: &str) -> Result<Value, ApiError> {
        let kind = self.kind.as_deref().unwrap_or_default();
        let stored = if provider.is_empty() {
            match kind {
                "" | "noop" => json!({"type": "noop"}),
                "hmac" => json!({"type": "hmac", "hmac": hmac(self.hmac)?}),
                "basic_auth" => json!({"type": "basic_auth", "basic_auth": basic_auth(self.basic_auth)?}),
                "api_key" => json!({"type": "api_key", "api_key": api_key(self.api_key)?}),
                "stripe" => json!({"type": "stripe", "stripe": signing_secret("stripe", self.stripe)?}),
                "slack" => json!({"type": "slack", "slack": signing_secret("slack", self.slack)?}),
                "standard_webhooks" | "svix" => json!({
                    "type": "standard_webhooks",
                    "standard_webhooks": signing_secret("standard_webhooks", self.standard_webhooks)?,
                }),
                _ => return Err(ApiError::invalid("type:please provide a valid verifier type")),
            }
        } else {
            json!({"type": "hmac", "hmac": provider_hmac(provider, self.hmac)?})
        };
        match Verifier::of(provider, Some(&stored)) {
            Ok(_) => Ok(stored),
            Err(fault) => Err(ApiError::invalid(format!("verifier: {fault}"))),
        }
    }
}

fn hmac(given: Option<HmacBody>) -> Result<HmacBody, ApiError> {
    let given = given.ok_or_else(|| ApiError::invalid("invalid verifier config for hmac"))?;
    let header = text("verifier.hmac.header", given.header, "header:please provide a header")?;
    let hash = text("verifier.hmac.hash", given.hash, "hash:please provide a hash")?;
    if parse::<SignatureHash>(&hash).is_none() {
        let shown: String = hash.chars().filter(|c| !c.is_control()).take(32).collect();
        return Err(ApiError::invalid(format!("hash:{shown} does not validate as supported_hash")));
    }
    let secret = text("verifier.hmac.secret", given.secret, "secret:please provide a secret")?;
    let encoding = text("verifier.hmac.encoding", given.encoding, "encoding:please provide a valid encoding type")?;
    if parse::<SignatureEncoding>(&encoding).is_none() {
        return Err(ApiError::invalid("encoding:please provide a valid encoding type"));
    }
    Ok(HmacBody { header: Some(header), hash: Some(hash), secret: Some(secret), encoding: Some(encoding) })
}

/// A provider's header, hash and encoding are known; what a caller sends of them is kept, as clients read it back.
fn provider_hmac(provider: &str, given: Option<HmacBody>) -> Result<HmacBody, ApiError> {
    let given = given.unwrap_or_default();
    if given.secret.as_ref().is_none_or(String::is_empty) {
        return Err(ApiError::invalid(format!("hmac secret is required for {provider} source")));
    }
    let secret = text("verifier.hmac.secret", given.secret, "secret:please provide a secret")?;
    let kept = |field, value: Option<String>| {
        let value = value.unwrap_or_default();
        bounded(field, &value).map(|()| Some(value))
    };
    Ok(HmacBody {
        header: kept("verifier.hmac.header", given.header)?,
        hash: kept("verifier.hmac.hash", given.hash)?,
        secret: Some(secret),
        encoding: kept("verifier.hmac.encoding", given.encoding)?,
    })
}

fn basic_auth(given: Option<BasicAuthBody>) -> Result<BasicAuthBody, ApiError> {
    let given = given.ok_or_else(|| ApiError::invalid("invalid verifier config for basic auth"))?;
    let username = text("verifier.basic_auth.username", given.username, "username:please provide a username")?;
    if username.contains(':') {
        return Err(ApiError::invalid("verifier.basic_auth.username: a name with a colon cannot be sent"));
    }
    let password = text("verifier.basic_auth.password", given.password, "password:please provide a password")?;
    Ok(BasicAuthBody { username: Some(username), password: Some(password) })
}

fn api_key(given: Option<ApiKeyBody>) -> Result<ApiKeyBody, ApiError> {
    let given = given.ok_or_else(|| ApiError::invalid("invalid verifier config for api key"))?;
    let value =
        text("verifier.api_key.header_value", given.header_value, "header_value:please provide a header value")?;
    let name = given.header_name.unwrap_or_default();
    bounded("verifier.api_key.header_name", &name)?;
    Ok(ApiKeyBody { header_value: Some(value), header_name: Some(name) })
}

fn signing_secret(kind: &str, given: Option<SigningSecretBody>) -> Result<SigningSecretBody, ApiError> {
    let given = given.ok_or_else(|| ApiError::invalid(format!("invalid verifier config for {kind}")))?;
    let secret = text("verifier.secret", given.secret, "secret:please provide a secret")?;
    Ok(SigningSecretBody { secret: Some(secret) })
}

/// A text that must be there. It is not trimmed: a secret may begin with a blank.
fn text(field: &'static str, given: Option<String>, complaint: &'static str) -> Result<String, ApiError> {
    let text = given.filter(|text| !text.is_empty()).ok_or_else(|| ApiError::invalid(complaint))?;
    bounded(field, &text)?;
    Ok(text)
}

fn parse<T: for<'de> Deserialize<'de>>(word: &str) -> Option<T> {
    T::deserialize(Value::from(word)).ok()
}
