//! Settings as the API takes them and the ledger keeps them, checked field by field.

use serde_json::{Map, Value};
use url::Url;

use crate::key::{Algorithm, Key};

/// Longest text of a field.
const TEXT_BYTES_MAX: usize = 4_096;

/// How to get a token.
#[derive(Debug)]
pub struct Settings {
    pub(crate) url: Url,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) audience: String,
    pub(crate) proof: Proof,
    pub(crate) fields: FieldNames,
    pub(crate) expiry_unit_ms: i64,
}

/// How the client proves itself.
pub(crate) enum Proof {
    Secret(String),
    Assertion { key: Key, key_id: String, issuer: String, subject: String },
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(***)",
            Self::Assertion { .. } => "Assertion(***)",
        })
    }
}

/// What an answer's fields are called.
#[derive(Debug)]
pub(crate) struct FieldNames {
    pub(crate) access_token: String,
    pub(crate) token_type: String,
    pub(crate) expires_in: String,
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct SettingsError {
    /// Its name.
    pub field: &'static str,
    /// What is wrong with it, for people.
    pub reason: String,
}

fn wrong<T>(field: &'static str, reason: impl Into<String>) -> Result<T, SettingsError> {
    Err(SettingsError { field, reason: reason.into() })
}

impl Settings {
    /// Reads the object `oauth2` of an endpoint's authentication.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn read(value: &Value) -> Result<Self, SettingsError> {
        let Some(fields) = value.as_object() else { return wrong("oauth2", "an object is expected") };
        let grant = text(fields, "grant_type")?;
        if !matches!(grant.as_str(), "" | "client_credentials") {
            return wrong("grant_type", "client_credentials is expected");
        }
        let client_id = required(fields, "client_id")?;
        Ok(Self {
            url: token_url(&required(fields, "url")?)?,
            scope: text(fields, "scope")?,
            audience: text(fields, "audience")?,
            proof: proof(fields, &client_id)?,
            fields: field_names(fields)?,
            expiry_unit_ms: match text(fields, "expiry_time_unit")?.as_str() {
                "" | "seconds" => 1_000,
                "milliseconds" => 1,
                "minutes" => 60_000,
                "hours" => 3_600_000,
                _ => return wrong("expiry_time_unit", "one of seconds, milliseconds, minutes, hours is expected"),
            },
            client_id,
        })
    }

    /// Where tokens are asked for.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }
}

fn proof(fields: &Map<String, Value>, client_id: &str) -> Result<Proof, SettingsError> {
    match text(fields, "authentication_type")?.as_str() {
        "shared_secret" => Ok(Proof::Secret(required(fields, "client_secret")?)),
        "client_assertion" => {
            let named = text(fields, "signing_algorithm")?;
            let name = if named.is_empty() { "ES256" } else { &named };
            let Some(algorithm) = Algorithm::parse(name) else {
                return wrong("signing_algorithm", format!("one of {} is expected", Algorithm::NAMES.join(", ")));
            };
            let Some(jwk) = fields.get("signing_key").and_then(Value::as_object) else {
                return wrong("signing_key", "a key as JSON (JWK) is expected");
            };
            let key = Key::read(jwk, algorithm).map_err(|reason| SettingsError { field: "signing_key", reason })?;
            let or_client = |text: String| if text.is_empty() { client_id.to_string() } else { text };
            Ok(Proof::Assertion {
                key,
                key_id: text(jwk, "kid")?,
                issuer: or_client(text(fields, "issuer")?),
                subject: or_client(text(fields, "subject")?),
            })
        }
        _ => wrong("authentication_type", "one of shared_secret, client_assertion is expected"),
    }
}

fn field_names(fields: &Map<String, Value>) -> Result<FieldNames, SettingsError> {
    let empty = Map::new();
    let mapping = match fields.get("field_mapping") {
        None | Some(Value::Null) => &empty,
        Some(Value::Object(mapping)) => mapping,
        Some(_) => return wrong("field_mapping", "an object is expected"),
    };
    let name = |own: &'static str| {
        let given = text(mapping, own)?;
        Ok(if given.is_empty() { own.to_string() } else { given })
    };
    Ok(FieldNames {
        access_token: name("access_token")?,
        token_type: name("token_type")?,
        expires_in: name("expires_in")?,
    })
}

fn token_url(text: &str) -> Result<Url, SettingsError> {
    let Ok(url) = Url::parse(text) else { return wrong("url", "an http or https URL is expected") };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return wrong("url", "an http or https URL is expected");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("url", "credentials belong into the other fields");
    }
    Ok(url)
}

fn text(fields: &Map<String, Value>, name: &'static str) -> Result<String, SettingsError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) if text.contains('\0') => wrong(name, "the NUL character is not accepted"),
        Some(Value::String(text)) if text.len() > TEXT_BYTES_MAX => {
            wrong(name, format!("at most {TEXT_BYTES_MAX} bytes are accepted"))
        }
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => wrong(name, "a text is expected"),
    }
}

fn required(fields: &Map<String, Value>, name: &'static str) -> Result<String, SettingsError> {
    let text = text(fields, name)?;
    if text.trim().is_empty() { wrong(name, "is required") } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let good = json!({"url": "https://auth.example.com/token", "client_id": "c", "authentication_type": "shared_secret", "client_secret": "s"});
        assert!(Settings::read(&good).is_ok());
        for (field, value) in [
            ("url", json!(null)),
            ("url", json!("auth.example.com")),
            ("url", json!("ftp://auth.example.com")),
            ("url", json!("https://u:p@auth.example.com")),
            ("client_id", json!(" ")),
            ("client_secret", json!(null)),
            ("client_secret", json!(7)),
            ("authentication_type", json!("psychic")),
            ("authentication_type", json!(null)),
            ("grant_type", json!("password")),
            ("scope", json!("a\u{0}")),
            ("scope", json!("x".repeat(5_000))),
            ("field_mapping", json!([])),
            ("expiry_time_unit", json!("years")),
        ] {
            let mut settings = good.clone();
            settings[field] = value.clone();
            assert_eq!(Settings::read(&settings).unwrap_err().field, field, "{value}");
        }
        let mut assertion = good;
        assertion["authentication_type"] = json!("client_assertion");
        assert_eq!(Settings::read(&assertion).unwrap_err().field, "signing_key");
        assertion["signing_algorithm"] = json!("HS256");
        assert_eq!(Settings::read(&assertion).unwrap_err().field, "signing_algorithm");
        assert_eq!(Settings::read(&json!([])).unwrap_err().field, "oauth2");
    }

    #[test]
    fn nothing_secret_is_printed() {
        let settings = json!({"url": "https://a.example", "client_id": "c", "authentication_type": "shared_secret", "client_secret": "hunter2"});
        assert!(!format!("{:?}", Settings::read(&settings).unwrap()).contains("hunter2"));
    }
}
