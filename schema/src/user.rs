//! People who can sign in.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{ids::UserId, tables::users};

/// The live user with this address in any case, or `None`.
///
/// # Errors
/// The database fails.
pub async fn find_by_email(conn: &mut AsyncPgConnection, email: &str) -> QueryResult<Option<UserId>> {
    users::table
        .filter(diesel::dsl::sql::<diesel::sql_types::Text>("lower(email)").eq(email.to_lowercase()))
        .filter(users::deleted_at.is_null())
        .select(users::id)
        .first(conn)
        .await
        .optional()
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
