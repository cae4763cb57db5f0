//! Secrets at rest. A column that holds one is read and written through [`Sealed`] alone: its SQL type is one of this
//! module's, for which nothing else of ours has a value, so that a statement that forgets to seal does not compile.
//!
//! A sealed value is `sealed:v1:KEY:TEXT`: the id of the key, and in base64 a random nonce with what AES-256-GCM made of
//! the secret. Table, column and row are part of what is authenticated, so that a value that is copied elsewhere does not
//! open. Values without the prefix are as they were before there was a key, and stay readable.

mod envelope;
mod keys;
mod member;
pub(crate) mod place;
mod rotation;
#[cfg(test)]
mod tests;

use std::{fmt, marker::PhantomData};

use diesel::{
    deserialize::{self, FromSql},
    expression::AsExpression,
    pg::{Pg, PgValue},
    query_builder::QueryId,
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{self, SqlType},
};
use serde_json::Value;

pub use self::{
    envelope::Unopened,
    keys::{Keys, KeysError, install, keys},
    member::MemberSecret,
    place::Place,
    rotation::{Count, Progress, Rotation, SealedColumn, survey},
};

/// `text` that holds secrets.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 25, array_oid = 1009))]
pub struct SealedText;

/// `jsonb` that holds secrets: as a whole, or in one of its members.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 3802, array_oid = 3807))]
pub struct SealedJsonb;

/// `bytea` that holds secrets.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 17, array_oid = 1001))]
pub struct SealedBytea;

/// A secret as it is stored, sealed or not. It says nothing of itself until it is opened at its place.
#[derive(Clone, PartialEq, Eq, AsExpression, diesel::deserialize::FromSqlRow)]
#[diesel(sql_type = SealedText, sql_type = SealedJsonb, sql_type = SealedBytea)]
pub struct Sealed<T: Secret> {
    stored: Vec<u8>,
    kind: PhantomData<T>,
}

impl<T: Secret> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What can be sealed: it is text or bytes in the end.
pub trait Secret: Sized {
    /// The secret's bytes; empty for one that says nothing, which is never sealed.
    fn bytes(&self) -> Vec<u8>;

    /// The secret of these bytes, which [`Secret::bytes`] has given.
    ///
    /// # Errors
    /// They are none.
    fn of(bytes: Vec<u8>) -> Result<Self, Unopened>;
}

impl Secret for String {
    fn bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn of(bytes: Vec<u8>) -> Result<Self, Unopened> {
        Self::from_utf8(bytes).map_err(|_| Unopened::Damaged)
    }
}

impl Secret for Vec<u8> {
    fn bytes(&self) -> Vec<u8> {
        self.clone()
    }

    fn of(bytes: Vec<u8>) -> Result<Self, Unopened> {
        Ok(bytes)
    }
}

impl Secret for Value {
    fn bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    fn of(bytes: Vec<u8>) -> Result<Self, Unopened> {
        serde_json::from_slice(&bytes).map_err(|_| Unopened::Damaged)
    }
}

impl<T: Secret> Sealed<T> {
    /// Seals a secret for its place, by the current key of this process. Without one it is stored as it is.
    #[must_use]
    pub fn seal(secret: &T, place: &Place) -> Self {
        Self::seal_by(keys(), secret, place)
    }

    /// The same by the current one of these keys.
    #[must_use]
    pub fn seal_by(keys: &Keys, secret: &T, place: &Place) -> Self {
        Self { stored: envelope::seal(keys, &secret.bytes(), place), kind: PhantomData }
    }

    /// The secret, if it was stored at this place and this process has its key.
    ///
    /// # Errors
    /// See [`Unopened`].
    pub fn open(&self, place: &Place) -> Result<T, Unopened> {
        self.open_by(keys(), place)
    }

    /// The same by these keys.
    ///
    /// # Errors
    /// See [`Unopened`].
    pub fn open_by(&self, keys: &Keys, place: &Place) -> Result<T, Unopened> {
        T::of(envelope::open(keys, &self.stored, place)?)
    }
}

/// As what is kept for a moment outside the database, in the form that it has in `jsonb`.
impl Sealed<Value> {
    /// The secret as JSON: a string where it is sealed, else the value itself.
    ///
    /// # Errors
    /// It was read from somewhere and is no JSON.
    pub fn to_json(&self) -> Result<Value, serde_json::Error> {
        envelope::to_json(&self.stored)
    }

    /// What [`Self::to_json`] made.
    #[must_use]
    pub fn of_json(json: Value) -> Self {
        Self { stored: envelope::of_json(json), kind: PhantomData }
    }
}

/// Opens one that need not be there.
pub(crate) fn open<T: Secret>(sealed: Option<&Sealed<T>>, place: &Place) -> Result<Option<T>, Unopened> {
    sealed.map(|sealed| sealed.open(place)).transpose()
}

impl<T: Secret> ToSql<SealedText, Pg> for Sealed<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        std::io::Write::write_all(out, &self.stored)?;
        Ok(IsNull::No)
    }
}

impl<T: Secret> FromSql<SealedText, Pg> for Sealed<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self { stored: value.as_bytes().to_vec(), kind: PhantomData })
    }
}

impl<T: Secret> ToSql<SealedBytea, Pg> for Sealed<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <Self as ToSql<SealedText, Pg>>::to_sql(self, out)
    }
}

impl<T: Secret> FromSql<SealedBytea, Pg> for Sealed<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        <Self as FromSql<SealedText, Pg>>::from_sql(value)
    }
}

/// In `jsonb` a sealed value is a string, and one that is not sealed is the value itself.
impl ToSql<SealedJsonb, Pg> for Sealed<Value> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let json = self.to_json()?;
        <Value as ToSql<sql_types::Jsonb, Pg>>::to_sql(&json, &mut out.reborrow())
    }
}

impl FromSql<SealedJsonb, Pg> for Sealed<Value> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let json = <Value as FromSql<sql_types::Jsonb, Pg>>::from_sql(value)?;
        Ok(Self::of_json(json))
    }
}
