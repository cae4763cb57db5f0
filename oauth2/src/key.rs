//! Private keys as JSON (RFC 7517, RFC 7518), and what they sign with.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    rsa,
    signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, RsaEncoding},
};
use serde_json::{Map, Value};

/// How an assertion is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Es256,
    Es384,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
}

impl Algorithm {
    pub(crate) const NAMES: [&'static str; 8] =
        ["ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    const ALL: [Self; 8] =
        [Self::Es256, Self::Es384, Self::Rs256, Self::Rs384, Self::Rs512, Self::Ps256, Self::Ps384, Self::Ps512];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().zip(Self::ALL).find(|(own, _)| *own == name).map(|(_, algorithm)| algorithm)
    }

    fn name(self) -> &'static str {
        Self::NAMES.into_iter().zip(Self::ALL).find(|(_, own)| *own == self).map_or("", |(name, _)| name)
    }
}

/// A private key that signs in one way.
pub(crate) struct Key {
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Ec(Box<EcdsaKeyPair>),
    Rsa(Box<rsa::KeyPair>, &'static dyn RsaEncoding),
}

/// The key could not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SigningFailed;

impl Key {
    /// Reads a key for an algorithm.
    ///
    /// # Errors
    /// What is wrong with it; nothing of the key itself.
    pub(crate) fn read(jwk: &Map<String, Value>, algorithm: Algorithm) -> Result<Self, String> {
        use Algorithm::{Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let pair = match algorithm {
            Es256 => elliptic(jwk, "P-256", 32, &signature::ECDSA_P256_SHA256_FIXED_SIGNING)?,
            Es384 => elliptic(jwk, "P-384", 48, &signature::ECDSA_P384_SHA384_FIXED_SIGNING)?,
            Rs256 => Pair::Rsa(rivest(jwk)?, &signature::RSA_PKCS1_SHA256),
            Rs384 => Pair::Rsa(rivest(jwk)?, &signature::RSA_PKCS1_SHA384),
            Rs512 => Pair::Rsa(rivest(jwk)?, &signature::RSA_PKCS1_SHA512),
            Ps256 => Pair::Rsa(rivest(jwk)?, &signature::RSA_PSS_SHA256),
            Ps384 => Pair::Rsa(rivest(jwk)?, &signature::RSA_PSS_SHA384),
            Ps512 => Pair::Rsa(rivest(jwk)?, &signature::RSA_PSS_SHA512),
        };
        Ok(Self { algorithm, pair })
    }

    /// The algorithm's name in a token's header.
    pub(crate) fn algorithm(&self) -> &'static str {
        self.algorithm.name()
    }

    /// The signature as a token carries it.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(key) => {
                key.sign(&random, message).map(|signature| signature.as_ref().to_vec()).map_err(|_| SigningFailed)
            }
            Pair::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(*encoding, &random, message, &mut signature).map_err(|_| SigningFailed)?;
                Ok(signature)
            }
        }
    }
}

fn elliptic(
    jwk: &Map<String, Value>,
    curve: &str,
    bytes: usize,
    algorithm: &'static EcdsaSigningAlgorithm,
) -> Result<Pair, String> {
    if word(jwk, "kty") != "EC" || word(jwk, "crv") != curve {
        return Err(format!("kty EC and crv {curve} are expected for this signing_algorithm"));
    }
    // An uncompressed point; numbers are of full length, as RFC 7518 section 6.2 wants them.
    let mut point = vec![4];
    point.extend(padded(&number(jwk, "x")?, bytes, "x")?);
    point.extend(padded(&number(jwk, "y")?, bytes, "y")?);
    let private = padded(&number(jwk, "d")?, bytes, "d")?;
    EcdsaKeyPair::from_private_key_and_public_key(algorithm, &private, &point, &SystemRandom::new())
        .map(|key| Pair::Ec(Box::new(key)))
        .map_err(|_| "x, y and d do not make a key".into())
}

fn rivest(jwk: &Map<String, Value>) -> Result<Box<rsa::KeyPair>, String> {
    if word(jwk, "kty") != "RSA" {
        return Err("kty RSA is expected for this signing_algorithm".into());
    }
    let components = rsa::KeyPairComponents {
        public_key: rsa::PublicKeyComponents { n: number(jwk, "n")?, e: number(jwk, "e")? },
        d: number(jwk, "d")?,
        p: number(jwk, "p")?,
        q: number(jwk, "q")?,
        dP: number(jwk, "dp")?,
        dQ: number(jwk, "dq")?,
        qInv: number(jwk, "qi")?,
    };
    rsa::KeyPair::from_components(&components)
        .map(Box::new)
        .map_err(|_| "n, e, d, p, q, dp, dq and qi do not make a key of 2048 to 4096 bits".into())
}

fn word<'j>(jwk: &'j Map<String, Value>, name: &str) -> &'j str {
    jwk.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A number without leading zeros, as its bytes.
fn number(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    let text = word(jwk, name).trim_end_matches('=');
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("{name}: base64url is expected"))?;
    let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    if significant.is_empty() || significant.len() > 1_024 {
        Err(format!("{name}: a number is expected"))
    } else {
        Ok(significant)
    }
}

fn padded(number: &[u8], bytes: usize, name: &str) -> Result<Vec<u8>, String> {
    let missing = bytes.checked_sub(number.len()).ok_or_else(|| format!("{name}: the number is too long"))?;
    let mut full = vec![0; missing];
    full.extend(number);
    Ok(full)
}
