//! The form of a stored secret, and the one place where it is encrypted and decrypted.

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ring::aead::{Aad, NONCE_LEN, Nonce};
use serde_json::Value;

use super::{Keys, Place};

/// A sealed value; the key's id and the text follow.
pub(super) const SEALED: &str = "sealed:v1:";
/// A value that is not sealed, and begins as one that is.
const PLAIN: &str = "sealed:plain:";
/// What both begin with.
const MARK: &[u8] = b"sealed:";

/// Keys are written with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a stored secret cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// This process was not given its key.
    #[error("it is sealed by the key {0}, which is not among POSTHOUSE_SECRETS_KEY")]
    UnknownKey(String),
    /// It was changed, or moved here from another row, or the key of this id is another one.
    #[error("it is sealed by the key {0}, and that does not open it: it was changed, moved, or the key is another one")]
    Forged(String),
    /// It has not the form of a sealed value, or what is in it is no value of its kind.
    #[error("it is damaged")]
    Damaged,
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// The secret as it is stored: sealed, if there is a key and something to seal.
pub(super) fn seal(keys: &Keys, secret: &[u8], place: &Place) -> Vec<u8> {
    let Some((id, key)) = keys.sealing().filter(|_| !secret.is_empty()) else {
        let mark = if secret.starts_with(MARK) { PLAIN } else { "" };
        return [mark.as_bytes(), secret].concat();
    };
    let nonce: [u8; NONCE_LEN] = rand::random();
    let mut text = secret.to_vec();
    let additional = Aad::from(place.as_bytes());
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), additional, &mut text)
        .expect("AES-GCM takes anything that fits into a column");
    let sealed = BASE64.encode([nonce.as_slice(), &text].concat());
    format!("{SEALED}{id}:{sealed}").into_bytes()
}

/// The secret of what is stored.
pub(super) fn open(keys: &Keys, stored: &[u8], place: &Place) -> Result<Vec<u8>, Unopened> {
    if !stored.starts_with(MARK) {
        return Ok(stored.to_vec());
    }
    if let Some(plain) = stored.strip_prefix(PLAIN.as_bytes()) {
        return Ok(plain.to_vec());
    }
    let Some((id, text)) = parts(stored) else { return Err(Unopened::Damaged) };
    let key = keys.find(id).ok_or_else(|| Unopened::UnknownKey(id.into()))?;
    let bytes = decode(text).ok_or(Unopened::Damaged)?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(Unopened::Damaged)?;
    let mut sealed = sealed.to_vec();
    let opened = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(place.as_bytes()), &mut sealed);
    let length = opened.map_err(|_| Unopened::Forged(id.into()))?.len();
    sealed.truncate(length);
    Ok(sealed)
}

/// The id of the key that sealed it, and the text; `None` where it is not sealed.
pub(super) fn parts(stored: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(stored).ok()?.strip_prefix(SEALED)?.split_once(':')
}

/// As it is written into `jsonb`.
pub(super) fn to_json(stored: &[u8]) -> Result<Value, serde_json::Error> {
    if stored.starts_with(MARK) {
        return Ok(Value::String(String::from_utf8_lossy(stored).into_owned()));
    }
    serde_json::from_slice(stored)
}

/// As it was read from `jsonb`.
pub(super) fn of_json(json: Value) -> Vec<u8> {
    match json {
        Value::String(text) if text.as_bytes().starts_with(MARK) => text.into_bytes(),
        json => json.to_string().into_bytes(),
    }
}
