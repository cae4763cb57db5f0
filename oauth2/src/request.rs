//! The request for a token: a form to post.

use chrono::{DateTime, Utc};
use url::{Url, form_urlencoded};

use crate::{
    Settings,
    assertion::{self, Claims},
    settings::Proof,
};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A form to post as `application/x-www-form-urlencoded`, with `Accept: application/json`.
#[derive(Clone)]
pub struct TokenRequest {
    /// Where to.
    pub url: Url,
    /// The form; it holds the client's proof.
    pub form: String,
}

impl std::fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenRequest").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// Why no request can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The key does not sign.
    #[error("the assertion could not be signed")]
    Signing,
}

impl Settings {
    /// The request for a token at `now`.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn request(&self, now: DateTime<Utc>) -> Result<TokenRequest, RequestError> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials").append_pair("client_id", &self.client_id);
        match &self.proof {
            Proof::Secret(secret) => {
                form.append_pair("client_secret", secret);
            }
            Proof::Assertion { key, key_id, issuer, subject } => {
                let id = format!("{:032x}", rand::random::<u128>());
                let claims = Claims { issuer, subject, audience: self.url.as_str(), id: &id };
                let assertion = assertion::signed(key, key_id, &claims, now).map_err(|_| RequestError::Signing)?;
                form.append_pair("client_assertion_type", ASSERTION_TYPE).append_pair("client_assertion", &assertion);
            }
        }
        for (name, value) in [("scope", &self.scope), ("audience", &self.audience)] {
            if !value.is_empty() {
                form.append_pair(name, value);
            }
        }
        Ok(TokenRequest { url: self.url.clone(), form: form.finish() })
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use ring::signature::{self, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey};
    use serde_json::{Value, json};

    use super::*;

    fn fields(form: &str) -> std::collections::BTreeMap<String, String> {
        form_urlencoded::parse(form.as_bytes()).into_owned().collect()
    }

    #[test]
    fn a_shared_secret_is_sent_in_the_form() {
        let settings = json!({"url": "https://auth.example.com/token?x=1", "client_id": "c&1", "authentication_type": "shared_secret",
            "client_secret": "s=2", "scope": "a b", "audience": "aud"});
        let request = Settings::read(&settings).unwrap().request(Utc::now()).unwrap();
        assert_eq!(request.url.as_str(), "https://auth.example.com/token?x=1");
        assert_eq!(
            request.form,
            "grant_type=client_credentials&client_id=c%261&client_secret=s%3D2&scope=a+b&audience=aud"
        );
        assert!(!format!("{request:?}").contains("s%3D2"));
    }

    #[test]
    fn an_assertion_verifies_by_its_public_key() {
        let random = ring::rand::SystemRandom::new();
        for (algorithm, curve, name, verification, bytes) in [
            (&signature::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256", "ES256", &signature::ECDSA_P256_SHA256_FIXED, 32),
            (&signature::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384", "ES384", &signature::ECDSA_P384_SHA384_FIXED, 48),
        ] {
            let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
            let public = pair.public_key().as_ref().to_vec();
            // PKCS #8 as ring writes it: the private number stands before the last field, the public key.
            let pkcs8 = document.as_ref();
            let at = pkcs8.len() - public.len() - 5 - bytes;
            let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            let key = json!({"kty": "EC", "crv": curve, "kid": "k1", "x": encode(&public[1..=bytes]), "y": encode(&public[bytes + 1..]),
                "d": encode(&pkcs8[at..at + bytes])});
            let settings = json!({"url": "https://auth.example.com/token", "client_id": "c", "authentication_type": "client_assertion",
                "signing_key": key, "signing_algorithm": name, "subject": "sub"});
            let now = Utc::now();
            let request = Settings::read(&settings).unwrap().request(now).unwrap();
            let fields = fields(&request.form);
            assert_eq!(fields["client_assertion_type"], ASSERTION_TYPE);
            let parts: Vec<&str> = fields["client_assertion"].split('.').collect();
            let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
            assert_eq!(read(parts[0]), json!({"alg": name, "typ": "JWT", "kid": "k1"}));
            let claims = read(parts[1]);
            assert_eq!((&claims["iss"], &claims["sub"]), (&json!("c"), &json!("sub")));
            assert_eq!(
                (&claims["aud"], &claims["exp"]),
                (&json!("https://auth.example.com/token"), &json!(now.timestamp() + 300))
            );
            let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
            let message = format!("{}.{}", parts[0], parts[1]);
            UnparsedPublicKey::new(verification, &public).verify(message.as_bytes(), &signature).unwrap();
        }
    }
}
