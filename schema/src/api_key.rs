//! API keys: `CO.<mask>.<secret>`. The mask finds the row; the row holds a hash of the whole key, which is random and needs
//! no stretching. A key is shown once, when it is made.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods, HasQuery, Identifiable, OptionalExtension, QueryDsl, QueryResult,
    SelectableHelper as _,
};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use rand::RngExt as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{
    ids::{ApiKeyId, ProjectId, UserId},
    page::{Page, PageRequest},
    tables::api_keys,
    words::Role,
};

const MASK_CHARS: usize = 16;
const SECRET_CHARS: usize = 64;
/// What project and personal keys begin with.
const PREFIX: &str = "CO";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A row of `api_keys`, expired and revoked ones too. Its `Debug` shows no hash.
#[derive(Clone, HasQuery, Identifiable)]
#[diesel(table_name = api_keys)]
pub struct ApiKey {
    /// The key.
    pub id: ApiKeyId,
    /// What it is called.
    pub name: String,
    /// SHA-256 of the whole key.
    pub hash: Vec<u8>,
    /// What its holder may do.
    pub role: Role,
    /// The project, of a project key.
    pub project_id: Option<ProjectId>,
    /// The user, of a personal key.
    pub user_id: Option<UserId>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).field("role", &self.role).finish_non_exhaustive()
    }
}

/// Whose a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A project key.
    Project(ProjectId),
    /// A personal key.
    User(UserId),
}

/// A key in the clear: shown once, then forgotten. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainKey(String);

impl std::fmt::Debug for PlainKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlainKey(***)")
    }
}

impl PlainKey {
    /// A new random key.
    #[must_use]
    pub fn generate() -> Self {
        Self::with_prefix(PREFIX)
    }

    /// A new random key of the kind that begins like this.
    pub(crate) fn with_prefix(prefix: &str) -> Self {
        Self(format!("{prefix}.{}.{}", random_text(MASK_CHARS), random_text(SECRET_CHARS)))
    }

    /// Reads a key as presented. `None`: it has not the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_with_prefix(PREFIX, text)
    }

    /// Reads a key of the kind that begins like this.
    pub(crate) fn parse_with_prefix(prefix: &str, text: &str) -> Option<Self> {
        let (mask, secret) = text.strip_prefix(prefix)?.strip_prefix('.')?.split_once('.')?;
        let is_sound =
            |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_sound(mask, MASK_CHARS) && is_sound(secret, SECRET_CHARS)).then(|| Self(text.to_string()))
    }

    /// The key itself: for the one answer that shows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The part by which its row is found.
    #[must_use]
    pub fn mask(&self) -> &str {
        self.0.split('.').nth(1).unwrap_or_default()
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0.as_bytes()).to_vec()
    }
}

/// Letters and digits that nobody can guess.
pub(crate) fn random_text(chars: usize) -> String {
    let mut random = rand::rng();
    (0..chars)
        .map(|_| char::from(ALPHABET.get(random.random_range(0..ALPHABET.len())).copied().unwrap_or(b'0')))
        .collect()
}

impl ApiKey {
    /// Makes a key, and returns it in the clear beside its row.
    ///
    /// # Errors
    /// The database fails.
    pub async fn insert(
        conn: &mut AsyncPgConnection,
        owner: Owner,
        name: &str,
        role: Role,
        expires_at: Option<DateTime<Utc>>,
    ) -> QueryResult<(Self, PlainKey)> {
        let plain = PlainKey::generate();
        let (project, user) = match owner {
            Owner::Project(id) => (Some(id), None),
            Owner::User(id) => (None, Some(id)),
        };
        let row = diesel::insert_into(api_keys::table)
            .values((
                api_keys::id.eq(ApiKeyId::generate()),
                api_keys::mask.eq(plain.mask()),
                api_keys::hash.eq(plain.hash()),
                api_keys::name.eq(name),
                api_keys::role.eq(role),
                api_keys::project_id.eq(project),
                api_keys::user_id.eq(user),
                api_keys::expires_at.eq(expires_at),
            ))
            .returning(<Self as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
            .get_result(conn)
            .await?;
        Ok((row, plain))
    }

    /// The row of a presented key. `None`: there is none with its mask, or its hash differs.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(conn: &mut AsyncPgConnection, key: &PlainKey) -> QueryResult<Option<Self>> {
        let row: Option<Self> = Self::query().filter(api_keys::mask.eq(key.mask())).first(conn).await.optional()?;
        Ok(row.filter(|row| bool::from(row.hash.ct_eq(&key.hash()))))
    }

    /// A page of the owner's keys that were not revoked.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(
        conn: &mut AsyncPgConnection,
        owner: Owner,
        page: &PageRequest<ApiKeyId>,
    ) -> QueryResult<Page<Self>> {
        let mut query = Self::query().filter(api_keys::revoked_at.is_null()).into_boxed();
        query = match owner {
            Owner::Project(id) => query.filter(api_keys::project_id.eq(id)),
            Owner::User(id) => query.filter(api_keys::user_id.eq(id)),
        };
        query = match (page.reads_ascending(), page.cursor) {
            (true, Some(cursor)) => query.filter(api_keys::id.ge(cursor)).order(api_keys::id.asc()),
            (true, None) => query.order(api_keys::id.asc()),
            (false, Some(cursor)) => query.filter(api_keys::id.le(cursor)).order(api_keys::id.desc()),
            (false, None) => query.order(api_keys::id.desc()),
        };
        Ok(page.page(query.limit(page.rows_to_read()).load(conn).await?))
    }

    /// How many keys of the owner are valid.
    ///
    /// # Errors
    /// The database fails.
    pub async fn count_live(conn: &mut AsyncPgConnection, owner: Owner) -> QueryResult<i64> {
        let mut query = api_keys::table
            .filter(api_keys::revoked_at.is_null())
            .filter(api_keys::expires_at.is_null().or(api_keys::expires_at.gt(diesel::dsl::now)))
            .select(diesel::dsl::count_star())
            .into_boxed();
        query = match owner {
            Owner::Project(id) => query.filter(api_keys::project_id.eq(id)),
            Owner::User(id) => query.filter(api_keys::user_id.eq(id)),
        };
        query.first(conn).await
    }

    /// Ends the life of one of the user's keys, and returns it. `None`: it had ended, or it is not theirs.
    ///
    /// # Errors
    /// The database fails.
    pub async fn revoke_of(conn: &mut AsyncPgConnection, user: UserId, id: ApiKeyId) -> QueryResult<Option<Self>> {
        let live = api_keys::table.find(id).filter(api_keys::user_id.eq(user)).filter(api_keys::revoked_at.is_null());
        diesel::update(live)
            .set((api_keys::revoked_at.eq(diesel::dsl::now), api_keys::updated_at.eq(diesel::dsl::now)))
            .returning(Self::as_returning())
            .get_result(conn)
            .await
            .optional()
    }

    /// Ends the life of one of the project's keys, and returns it. `None`: it had ended, or it is not the project's.
    ///
    /// # Errors
    /// The database fails.
    pub async fn revoke_of_project(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        id: ApiKeyId,
    ) -> QueryResult<Option<Self>> {
        let own = api_keys::table.find(id).filter(api_keys::project_id.eq(project));
        diesel::update(own.filter(api_keys::revoked_at.is_null()))
            .set((api_keys::revoked_at.eq(diesel::dsl::now), api_keys::updated_at.eq(diesel::dsl::now)))
            .returning(Self::as_returning())
            .get_result(conn)
            .await
            .optional()
    }

    /// Ends the life of all keys of a project and makes a new one, in one step: the new row, the key, and those that ended.
    ///
    /// # Errors
    /// The database fails; nothing is changed.
    pub async fn regenerate(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        name: &str,
    ) -> QueryResult<(Self, PlainKey, Vec<Self>)> {
        let live = api_keys::table.filter(api_keys::project_id.eq(project)).filter(api_keys::revoked_at.is_null());
        conn.transaction::<_, diesel::result::Error, _>(async |conn| {
            let ended = diesel::update(live)
                .set((api_keys::revoked_at.eq(diesel::dsl::now), api_keys::updated_at.eq(diesel::dsl::now)))
                .returning(Self::as_returning())
                .get_results(conn)
                .await?;
            let (row, plain) = Self::insert(conn, Owner::Project(project), name, Role::ProjectAdmin, None).await?;
            Ok((row, plain, ended))
        })
        .await
    }

    /// Whether it is valid at `now`.
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }

    /// Ends the key's life. `false`: it had ended, or there is none.
    ///
    /// # Errors
    /// The database fails.
    pub async fn revoke(conn: &mut AsyncPgConnection, id: ApiKeyId) -> QueryResult<bool> {
        let revoked =
            diesel::update(api_keys::table.filter(api_keys::id.eq(id)).filter(api_keys::revoked_at.is_null()))
                .set(api_keys::revoked_at.eq(diesel::dsl::now))
                .execute(conn)
                .await?;
        Ok(revoked == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_form_and_are_not_printed() {
        let key = PlainKey::generate();
        assert_eq!(key.expose().len(), 3 + 16 + 1 + 64);
        assert_eq!(PlainKey::parse(key.expose()), Some(key.clone()));
        assert_eq!(format!("{key:?}"), "PlainKey(***)");
        assert_ne!(PlainKey::generate(), key);
        for text in [
            "",
            "CO.",
            "CO.a.b",
            "XX.0123456789abcdef.0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(PlainKey::parse(text), None, "{text}");
        }
        assert_eq!(PlainKey::parse(&format!("{}x", key.expose())), None);
        assert_eq!(PlainKey::parse(&key.expose().replace("CO.", "co.")), None);
    }
}
