//! The certificate with which an endpoint's requests prove themselves (mutual TLS), checked before it is stored.

use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::wire::REDACTED;
use crate::error::ApiError;

/// Characters of a chain, and of a key.
const PEM_CHARS_MAX: usize = 65_536;

/// A certificate and its key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClientCertWire {
    /// The certificate, followed by those that signed it, as PEM.
    #[serde(default)]
    pub client_cert: String,
    /// Its private key as PEM; read back as `[REDACTED]`, which where it is written means the one that is stored.
    #[serde(default)]
    pub client_key: String,
}

impl ClientCertWire {
    /// What is shown of a stored one.
    #[must_use]
    pub fn of(stored: &Value) -> Option<Self> {
        let stored: Self = serde_json::from_value(stored.clone()).ok()?;
        Some(Self { client_key: REDACTED.into(), ..stored })
    }
}

/// What is stored: what was given, checked; what was there, where nothing is given; nothing, where both parts are empty.
///
/// # Errors
/// 400 naming the part that is wrong.
pub fn checked(given: Option<ClientCertWire>, old: Option<&Value>, url: &str) -> Result<Option<Value>, ApiError> {
    let Some(ClientCertWire { client_cert, mut client_key }) = given else { return Ok(old.cloned()) };
    if client_cert.is_empty() && client_key.is_empty() {
        return Ok(None);
    }
    if client_key == REDACTED
        && let Some(stored) = old.and_then(|old| old.get("client_key")).and_then(Value::as_str)
    {
        client_key = stored.to_string();
    }
    if !url.starts_with("https:") {
        return Err(ApiError::invalid("mtls_client_cert: the endpoint's url must be https"));
    }
    for (part, text) in [("client_cert", &client_cert), ("client_key", &client_key)] {
        if text.len() > PEM_CHARS_MAX {
            return Err(wrong(part, &format!("at most {PEM_CHARS_MAX} characters are accepted")));
        }
        if text.contains('\0') {
            return Err(wrong(part, "the NUL character is not accepted"));
        }
    }
    fits(&client_cert, &client_key)?;
    Ok(Some(json!({"client_cert": client_cert, "client_key": client_key})))
}

/// Whether the key can sign and is the certificate's.
fn fits(cert: &str, key: &str) -> Result<(), ApiError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(cert.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| wrong("client_cert", "certificates in PEM are expected"))?;
    if chain.is_empty() {
        return Err(wrong("client_cert", "certificates in PEM are expected"));
    }
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| wrong("client_key", "a private key in PEM, without a password, is expected"))?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key)
        .map_err(|_| wrong("client_key", "a key of RSA, of the curves P-256 and P-384, or of Ed25519 is expected"))?;
    match CertifiedKey::new(chain, key).keys_match() {
        // A key that does not tell its public half may be right.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err(wrong("client_key", "it is not the key of client_cert")),
        Err(_) => Err(wrong("client_cert", "the certificate cannot be read")),
    }
}

fn wrong(part: &str, fault: &str) -> ApiError {
    ApiError::invalid(format!("mtls_client_cert.{part}: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://shop.example/hooks";

    fn pair() -> ClientCertWire {
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = rcgen::CertificateParams::new(vec!["posthouse".into()]).unwrap().self_signed(&key).unwrap();
        ClientCertWire { client_cert: cert.pem(), client_key: key.serialize_pem() }
    }

    #[test]
    fn a_pair_is_stored_shown_without_its_key_and_kept() {
        let given = pair();
        let stored = checked(Some(given.clone()), None, URL).unwrap().unwrap();
        let shown = ClientCertWire::of(&stored).unwrap();
        assert_eq!((shown.client_cert.as_str(), shown.client_key.as_str()), (given.client_cert.as_str(), REDACTED));
        assert_eq!(checked(Some(shown), Some(&stored), URL).unwrap().as_ref(), Some(&stored), "written back as shown");
        assert_eq!(checked(None, Some(&stored), URL).unwrap().as_ref(), Some(&stored));
        let empty = ClientCertWire { client_cert: String::new(), client_key: String::new() };
        assert_eq!(checked(Some(empty), Some(&stored), URL).unwrap(), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let (one, other) = (pair(), pair());
        let with = |client_cert: &str, client_key: &str| ClientCertWire {
            client_cert: client_cert.into(),
            client_key: client_key.into(),
        };
        for (given, url, part) in [
            (with(&one.client_cert, &other.client_key), URL, "client_key: it is not the key of client_cert"),
            (with("text", &one.client_key), URL, "client_cert: certificates in PEM are expected"),
            (with("", &one.client_key), URL, "client_cert: certificates in PEM are expected"),
            (with(&one.client_cert, "text"), URL, "client_key: a private key in PEM"),
            (with(&one.client_cert, REDACTED), URL, "client_key: a private key in PEM"),
            (with(&"x".repeat(70_000), ""), URL, "client_cert: at most 65536"),
            (one, "http://shop.example/hooks", "mtls_client_cert: the endpoint's url must be https"),
        ] {
            let error = checked(Some(given), None, url).unwrap_err().to_string();
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
