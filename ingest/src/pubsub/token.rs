//! What a service account shows with each request: a token that it signs itself (Google's AIP-4111), so that no other
//! service is asked for one.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use posthouse_broker_settings::ServiceAccount;
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::json;
use tonic::{Request, Status, metadata::AsciiMetadataValue, service::Interceptor};

/// Whom the token is for.
const AUDIENCE: &str = "https://pubsub.googleapis.com/";
/// How long a token is good for: the longest that the service allows.
const LASTS: Duration = Duration::from_secs(3_600);
/// A new one is made when the old one is good for less than this.
const RENEWED_BEFORE: Duration = Duration::from_secs(600);

/// Adds the account's token to each request.
#[derive(Clone)]
pub(super) struct Bearer(Arc<Signer>);

struct Signer {
    email: String,
    key_id: String,
    key: RsaKeyPair,
    /// The current token, and until when it is used.
    current: Mutex<Option<(AsciiMetadataValue, Duration)>>,
}

impl Bearer {
    /// Signs with the account's key.
    ///
    /// # Errors
    /// The key cannot be used; in words for the source's owner.
    pub(super) fn new(account: &ServiceAccount) -> Result<Self, String> {
        let wrong = || "pub_sub.google.service_account: its private_key is no RSA key in PKCS #8".to_owned();
        let der = PrivatePkcs8KeyDer::from_pem_slice(account.private_key.as_bytes()).map_err(|_| wrong())?;
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| wrong())?;
        let (email, key_id) = (account.client_email.clone(), account.private_key_id.clone());
        Ok(Self(Arc::new(Signer { email, key_id, key, current: Mutex::new(None) })))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let token = self.0.token(now).ok_or_else(|| Status::unauthenticated("the token cannot be signed"))?;
        request.metadata_mut().insert("authorization", token);
        Ok(request)
    }
}

impl Signer {
    /// The token at this time, which counts from 1970.
    fn token(&self, now: Duration) -> Option<AsciiMetadataValue> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, until)) = &*current
            && now < *until
        {
            return Some(token.clone());
        }
        let mut token: AsciiMetadataValue = format!("Bearer {}", self.sign(now)?).parse().ok()?;
        token.set_sensitive(true);
        *current = Some((token.clone(), now + LASTS - RENEWED_BEFORE));
        Some(token)
    }

    fn sign(&self, now: Duration) -> Option<String> {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let claims = json!({"iss": self.email, "sub": self.email, "aud": AUDIENCE, "iat": now.as_secs(),
            "exp": (now + LASTS).as_secs()});
        let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        Some(format!("{signed}.{}", self.signature(&signed)?))
    }

    /// RS256 of RFC 7518.
    fn signature(&self, text: &str) -> Option<String> {
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
        Some(BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    /// The key of RFC 7515, appendix A.2.
    const KEY: &str = include_str!("../../tests/pubsub/rfc7515-a2.pem");

    fn account(private_key: &str) -> ServiceAccount {
        ServiceAccount {
            client_email: "s@p.iam.gserviceaccount.com".into(),
            private_key_id: "k".into(),
            private_key: private_key.into(),
        }
    }

    #[test]
    fn a_token_says_who_signed_it_and_is_used_until_it_grows_old() {
        let bearer = Bearer::new(&account(KEY)).unwrap();
        let now = Duration::from_secs(1_800_000_000);
        let token = bearer.0.token(now).unwrap();
        let text = token.to_str().unwrap().strip_prefix("Bearer ").unwrap();
        let (signed, signature) = text.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
        let read = |part: &str| serde_json::from_slice::<Value>(&decode(part)).unwrap();
        assert_eq!(read(header), json!({"alg": "RS256", "typ": "JWT", "kid": "k"}));
        let email = "s@p.iam.gserviceaccount.com";
        let expected = json!({"iss": email, "sub": email, "aud": AUDIENCE, "iat": 1_800_000_000, "exp": 1_800_003_600});
        assert_eq!(read(claims), expected);
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, bearer.0.key.public().as_ref());
        public.verify(signed.as_bytes(), &decode(signature)).unwrap();

        assert_eq!(bearer.0.token(now + Duration::from_secs(2_999)), Some(token.clone()));
        assert_ne!(bearer.0.token(now + Duration::from_secs(3_000)), Some(token));
    }

    #[test]
    fn a_signature_is_that_of_the_standard() {
        let text = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let expected = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        assert_eq!(Bearer::new(&account(KEY)).unwrap().0.signature(text).unwrap(), expected);
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        for key in ["secret", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"] {
            let error = Bearer::new(&account(key)).err().unwrap();
            assert!(
                error.contains("service_account") && !error.contains("secret") && !error.contains("c2Vj"),
                "{error}"
            );
        }
    }
}
