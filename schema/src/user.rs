//! People who can sign in. Password hashes are read only by what checks a password.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, HasQuery, Identifiable, OptionalExtension, QueryDsl, QueryResult,
    dsl::sql, sql_types::Text,
};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{OrganisationId, UserId},
    organisation,
    tables::users,
};

/// A live row of `users`, without what signs in.
#[derive(Debug, Clone, HasQuery, Identifiable)]
#[diesel(table_name = users, base_query = users::table.filter(users::deleted_at.is_null()))]
pub struct User {
    /// The user.
    pub id: UserId,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Address, unique in any case.
    pub email: String,
    /// Whether the user proved that the address is theirs.
    pub is_email_verified: bool,
    /// When the user was made.
    pub created_at: DateTime<Utc>,
    /// When the user last changed.
    pub updated_at: DateTime<Utc>,
}

/// A user to insert. Its `Debug` shows no hash.
#[derive(Clone)]
pub struct NewUser {
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Address.
    pub email: String,
    /// The password's hash, as [`crate::password`] makes it.
    pub password_hash: Option<String>,
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser").field("email", &self.email).finish_non_exhaustive()
    }
}

/// What a sign-in is checked against. No `Debug`: it holds a hash.
pub struct Credentials {
    /// Whose.
    pub user: UserId,
    /// The password's hash; `None`: the user has no password.
    pub password_hash: Option<String>,
}

impl User {
    /// The user with this id, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(conn: &mut AsyncPgConnection, id: UserId) -> QueryResult<Option<Self>> {
        Self::query().filter(users::id.eq(id)).first(conn).await.optional()
    }

    /// Those of these users that there are.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find_many(conn: &mut AsyncPgConnection, ids: &[UserId]) -> QueryResult<Vec<Self>> {
        Self::query().filter(users::id.eq_any(ids)).load(conn).await
    }

    /// Makes a user.
    ///
    /// # Errors
    /// The database fails; a unique violation when the address is taken.
    pub async fn insert(conn: &mut AsyncPgConnection, new: &NewUser) -> QueryResult<Self> {
        diesel::insert_into(users::table)
            .values((
                users::id.eq(UserId::generate()),
                users::first_name.eq(&new.first_name),
                users::last_name.eq(&new.last_name),
                users::email.eq(&new.email),
                users::password_hash.eq(&new.password_hash),
            ))
            .returning(<Self as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
            .get_result(conn)
            .await
    }

    /// Makes a user with an organisation of their own.
    ///
    /// # Errors
    /// The database fails, or the address is taken; nothing is made.
    pub async fn register(
        conn: &mut AsyncPgConnection,
        new: &NewUser,
        organisation_name: &str,
    ) -> QueryResult<(Self, OrganisationId)> {
        conn.transaction::<_, diesel::result::Error, _>(async |conn| {
            let user = Self::insert(conn, new).await?;
            let organisation = organisation::insert_owned(conn, organisation_name, user.id).await?;
            Ok((user, organisation.id))
        })
        .await
    }

    /// Writes names and address; a changed address is not verified. `None`: there is no such user.
    ///
    /// # Errors
    /// The database fails; a unique violation when the address is taken.
    pub async fn update(conn: &mut AsyncPgConnection, changed: &Self) -> QueryResult<Option<Self>> {
        let is_same = users::email.eq(&changed.email);
        diesel::update(users::table.filter(users::id.eq(changed.id)).filter(users::deleted_at.is_null()))
            .set((
                users::first_name.eq(&changed.first_name),
                users::last_name.eq(&changed.last_name),
                users::email.eq(&changed.email),
                users::is_email_verified.eq(users::is_email_verified.and(is_same)),
                users::updated_at.eq(diesel::dsl::now),
            ))
            .returning(<Self as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
            .get_result(conn)
            .await
            .optional()
    }
}

/// The live user with this address in any case, or `None`.
///
/// # Errors
/// The database fails.
pub async fn find_by_email(conn: &mut AsyncPgConnection, email: &str) -> QueryResult<Option<UserId>> {
    Ok(credentials(conn, email).await?.map(|found| found.user))
}

/// What a sign-in with this address, in any case, is checked against.
///
/// # Errors
/// The database fails.
pub async fn credentials(conn: &mut AsyncPgConnection, email: &str) -> QueryResult<Option<Credentials>> {
    let row: Option<(UserId, Option<String>)> = users::table
        .filter(sql::<Text>("lower(email)").eq(email.to_lowercase()))
        .filter(users::deleted_at.is_null())
        .select((users::id, users::password_hash))
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(|(user, password_hash)| Credentials { user, password_hash }))
}

/// The hash of a user's password. `None`: no such user, or none with a password.
///
/// # Errors
/// The database fails.
pub async fn password_hash(conn: &mut AsyncPgConnection, id: UserId) -> QueryResult<Option<String>> {
    let hash: Option<Option<String>> = users::table
        .filter(users::id.eq(id))
        .filter(users::deleted_at.is_null())
        .select(users::password_hash)
        .first(conn)
        .await
        .optional()?;
    Ok(hash.flatten())
}

/// Gives a user a password. `false`: there is no such user.
///
/// # Errors
/// The database fails.
pub async fn set_password(conn: &mut AsyncPgConnection, id: UserId, hash: &str) -> QueryResult<bool> {
    let changed = diesel::update(users::table.filter(users::id.eq(id)).filter(users::deleted_at.is_null()))
        .set((users::password_hash.eq(hash), users::updated_at.eq(diesel::dsl::now)))
        .execute(conn)
        .await?;
    Ok(changed == 1)
}

/// Notes that the user has proved to own `email`. `false`: it is no longer the user's address.
///
/// # Errors
/// The database fails.
pub async fn set_verified(conn: &mut AsyncPgConnection, id: UserId, email: &str) -> QueryResult<bool> {
    let owned =
        users::table.filter(users::id.eq(id)).filter(users::email.eq(email)).filter(users::deleted_at.is_null());
    let changed = diesel::update(owned)
        .set((users::is_email_verified.eq(true), users::updated_at.eq(diesel::dsl::now)))
        .execute(conn)
        .await?;
    Ok(changed == 1)
}

/// Makes a user who has no password and can only use keys.
///
/// # Errors
/// The database fails; a unique violation when the address is taken.
pub async fn insert(conn: &mut AsyncPgConnection, email: &str) -> QueryResult<UserId> {
    let id = UserId::generate();
    diesel::insert_into(users::table).values((users::id.eq(id), users::email.eq(email))).execute(conn).await?;
    Ok(id)
}
