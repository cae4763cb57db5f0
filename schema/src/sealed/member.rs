//! A secret that is a member of a JSON column beside what is none.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Keys, Place, Unopened, envelope};

/// A secret of a JSON document. In callers' documents it is plain text; in the database it is what [`MemberSecret::stored`]
/// makes of it. Its `Debug` does not show it.
#[derive(Clone)]
pub struct MemberSecret(State);

#[derive(Clone)]
enum State {
    /// The secret; and where and as what it was stored, if it was read from the database.
    Plain(String, Option<(Place, String)>),
    /// As it is stored, and why it was not opened.
    Locked(String, Unopened),
}

impl Default for MemberSecret {
    fn default() -> Self {
        String::new().into()
    }
}

impl From<String> for MemberSecret {
    fn from(plain: String) -> Self {
        Self(State::Plain(plain, None))
    }
}

/// Two that are the same secret are equal, whether they were stored or not.
impl PartialEq for MemberSecret {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (State::Plain(one, _), State::Plain(other, _)) => one == other,
            (State::Locked(one, _), State::Locked(other, _)) => one == other,
            _ => false,
        }
    }
}

impl Eq for MemberSecret {}

impl From<&str> for MemberSecret {
    fn from(plain: &str) -> Self {
        plain.to_owned().into()
    }
}

impl fmt::Debug for MemberSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl MemberSecret {
    /// The secret; empty for none.
    ///
    /// # Errors
    /// It is stored in a form that this process cannot open.
    pub fn plain(&self) -> Result<&str, Unopened> {
        match &self.0 {
            State::Plain(text, _) => Ok(text),
            State::Locked(_, why) => Err(why.clone()),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, State::Plain(text, _) if text.is_empty())
    }

    /// What was read from the database, opened where that is possible.
    pub(crate) fn opened(self, keys: &Keys, place: &Place) -> Self {
        let State::Plain(stored, _) = self.0 else { return self };
        let opened = envelope::open(keys, stored.as_bytes(), place)
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| Unopened::Damaged));
        Self(match opened {
            Ok(plain) => State::Plain(plain, Some((place.clone(), stored))),
            Err(why) => State::Locked(stored, why),
        })
    }

    /// What is written into the database. What could not be opened stays as it was, and so does what is sealed there by the
    /// current key: who changes something else changes nothing of it.
    pub(crate) fn stored(&self, keys: &Keys, place: &Place) -> String {
        let is_current = |stored: &str| {
            envelope::parts(stored.as_bytes())
                .is_some_and(|(key, _)| keys.current().is_some_and(|current| current == key))
        };
        match &self.0 {
            State::Plain(_, Some((at, stored))) if at == place && is_current(stored) => stored.clone(),
            State::Plain(text, _) => {
                String::from_utf8_lossy(&envelope::seal(keys, text.as_bytes(), place)).into_owned()
            }
            State::Locked(stored, _) => stored.clone(),
        }
    }
}

/// As callers see it: what could not be opened is not shown.
impl Serialize for MemberSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.plain().unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for MemberSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}
