//! The keys of a process: one seals, all open. They are given at its start and never change.

use std::{fmt, sync::OnceLock};

use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};

const KEY_BYTES: usize = 32;
const KEYS_MAX: usize = 32;
const ID_CHARS_MAX: usize = 32;
/// Stands first where nothing is to be sealed, and what is sealed still has to be read.
const NONE: &str = "none";

/// Keys by their ids. Its `Debug` shows the ids alone.
#[derive(Default)]
pub struct Keys {
    keys: Vec<(String, LessSafeKey)>,
    does_seal: bool,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("current", &self.current()).field("ids", &self.ids()).finish()
    }
}

/// Why a list of keys cannot be used. None of these repeats a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// An entry has another form.
    #[error("key {0} of the list is not ID:KEY, with an id of at most 32 of a-z, 0-9, - and _")]
    Form(usize),
    /// An entry's key is not one of AES-256.
    #[error("the key {0} is not 32 bytes in base64 (openssl rand -base64 32) or hexadecimal")]
    Length(String),
    /// Two entries have the same id.
    #[error("the key {0} is there twice")]
    Twice(String),
    /// More entries than anybody needs.
    #[error("there are more than 32 keys")]
    Many,
}

impl Keys {
    /// Reads `ID:KEY` entries, separated by commas or lines; the first one is current. The entry `none` before all others
    /// means that nothing is sealed from now on. Empty lines, and lines that begin with `#`, say nothing.
    ///
    /// # Errors
    /// See [`KeysError`].
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let entries = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        let mut keys = Self { keys: Vec::new(), does_seal: true };
        for (index, entry) in entries.enumerate() {
            if index == 0 && entry == NONE {
                keys.does_seal = false;
                continue;
            }
            let (id, key) =
                entry.split_once(':').filter(|(id, _)| is_id(id)).ok_or(KeysError::Form(index.saturating_add(1)))?;
            let key = read(key.trim()).ok_or_else(|| KeysError::Length(id.into()))?;
            if keys.find(id).is_some() {
                return Err(KeysError::Twice(id.into()));
            }
            if keys.keys.len() == KEYS_MAX {
                return Err(KeysError::Many);
            }
            keys.keys.push((id.into(), key));
        }
        Ok(keys)
    }

    /// The id of the key that seals, if anything is sealed.
    #[must_use]
    pub fn current(&self) -> Option<&str> {
        self.sealing().map(|(id, _)| id)
    }

    /// The ids of all keys, the current one first.
    #[must_use]
    pub fn ids(&self) -> Vec<&str> {
        self.keys.iter().map(|(id, _)| id.as_str()).collect()
    }

    pub(super) fn sealing(&self) -> Option<(&str, &LessSafeKey)> {
        self.keys.first().filter(|_| self.does_seal).map(|(id, key)| (id.as_str(), key))
    }

    pub(super) fn find(&self, id: &str) -> Option<&LessSafeKey> {
        self.keys.iter().find(|(known, _)| known == id).map(|(_, key)| key)
    }
}

fn is_id(id: &str) -> bool {
    let is_char = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(is_char)
}

fn read(text: &str) -> Option<LessSafeKey> {
    let bytes =
        hex::decode(text).ok().filter(|bytes| bytes.len() == KEY_BYTES).or_else(|| super::envelope::decode(text))?;
    Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).ok()?))
}

static KEYS: OnceLock<Keys> = OnceLock::new();

/// Gives this process its keys, once, before it reads or writes any secret. `false`: it has had some before, which stay.
pub fn install(keys: Keys) -> bool {
    KEYS.set(keys).is_ok()
}

/// The keys of this process; none where none were given.
#[must_use]
pub fn keys() -> &'static Keys {
    static NO_KEYS: Keys = Keys { keys: Vec::new(), does_seal: false };
    KEYS.get().unwrap_or(&NO_KEYS)
}
