//! HMACs, made and compared in constant time.

use hmac::{Hmac, KeyInit as _, Mac as _};
use posthouse_schema::project_config::SignatureHash;
use sha2::{Sha256, Sha512};

const ANY_KEY: &str = "HMAC takes a key of any length";

/// The HMAC of the parts one after the other.
pub fn sign(hash: SignatureHash, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    match hash {
        SignatureHash::Sha256 => sha256(key, parts).finalize().into_bytes().to_vec(),
        SignatureHash::Sha512 => sha512(key, parts).finalize().into_bytes().to_vec(),
    }
}

/// Whether `given` is that HMAC, whole.
pub fn is_valid(hash: SignatureHash, key: &[u8], parts: &[&[u8]], given: &[u8]) -> bool {
    match hash {
        SignatureHash::Sha256 => sha256(key, parts).verify_slice(given).is_ok(),
        SignatureHash::Sha512 => sha512(key, parts).verify_slice(given).is_ok(),
    }
}

fn sha256(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect(ANY_KEY);
    parts.iter().for_each(|part| mac.update(part));
    mac
}

fn sha512(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha512> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).expect(ANY_KEY);
    parts.iter().for_each(|part| mac.update(part));
    mac
}
