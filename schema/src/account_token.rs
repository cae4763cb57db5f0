//! What a mail's link proves: single-use, of limited life, and only for the address that it was sent to.

use std::time::Duration;

use chrono::Utc;
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::UserId,
    plain_token::PlainToken,
    session,
    tables::{account_tokens, users},
    user,
    words::TokenPurpose,
};

/// Makes a token for a user's address. Earlier ones for the same purpose are void.
///
/// # Errors
/// The database fails; the earlier ones stay.
pub async fn issue(
    conn: &mut AsyncPgConnection,
    purpose: TokenPurpose,
    user: UserId,
    email: &str,
    ttl: Duration,
) -> QueryResult<PlainToken> {
    let token = PlainToken::generate();
    let earlier =
        account_tokens::table.filter(account_tokens::user_id.eq(user)).filter(account_tokens::purpose.eq(purpose));
    conn.transaction::<_, diesel::result::Error, _>(async |conn| {
        diesel::delete(earlier).execute(conn).await?;
        diesel::insert_into(account_tokens::table)
            .values((
                account_tokens::hash.eq(token.hash()),
                account_tokens::purpose.eq(purpose),
                account_tokens::user_id.eq(user),
                account_tokens::email.eq(email),
                account_tokens::expires_at.eq(Utc::now() + ttl),
            ))
            .execute(conn)
            .await
    })
    .await?;
    Ok(token)
}

/// Whether the token would be taken.
///
/// # Errors
/// The database fails.
pub async fn is_valid(conn: &mut AsyncPgConnection, purpose: TokenPurpose, token: &PlainToken) -> QueryResult<bool> {
    let found: Option<UserId> = account_tokens::table
        .inner_join(users::table)
        .filter(account_tokens::hash.eq(token.hash()))
        .filter(account_tokens::purpose.eq(purpose))
        .filter(account_tokens::expires_at.gt(diesel::dsl::now))
        .filter(users::email.eq(account_tokens::email))
        .filter(users::deleted_at.is_null())
        .select(users::id)
        .first(conn)
        .await
        .optional()?;
    Ok(found.is_some())
}

/// Uses a token that proves an address. `None`: it is unknown, used, too old, or for an address that is no longer the
/// user's.
///
/// # Errors
/// The database fails; the token stays.
pub async fn verify_email(conn: &mut AsyncPgConnection, token: &PlainToken) -> QueryResult<Option<UserId>> {
    conn.transaction::<_, diesel::result::Error, _>(async |conn| {
        let Some((user, email)) = redeem(conn, TokenPurpose::VerifyEmail, token).await? else { return Ok(None) };
        Ok(user::set_verified(conn, user, &email).await?.then_some(user))
    })
    .await
}

/// Uses a token to give its user a new password, which ends all sessions. It proves the address too. `None` as for
/// [`verify_email`].
///
/// # Errors
/// The database fails; the token and the password stay.
pub async fn reset_password(
    conn: &mut AsyncPgConnection,
    token: &PlainToken,
    password_hash: &str,
) -> QueryResult<Option<UserId>> {
    conn.transaction::<_, diesel::result::Error, _>(async |conn| {
        let Some((user, email)) = redeem(conn, TokenPurpose::ResetPassword, token).await? else { return Ok(None) };
        if !user::set_verified(conn, user, &email).await? {
            return Ok(None);
        }
        user::set_password(conn, user, password_hash).await?;
        session::end_all(conn, user, None).await?;
        Ok(Some(user))
    })
    .await
}

/// Deleting is using: of two at once, one gets the row.
async fn redeem(
    conn: &mut AsyncPgConnection,
    purpose: TokenPurpose,
    token: &PlainToken,
) -> QueryResult<Option<(UserId, String)>> {
    let valid = account_tokens::table
        .filter(account_tokens::hash.eq(token.hash()))
        .filter(account_tokens::purpose.eq(purpose))
        .filter(account_tokens::expires_at.gt(diesel::dsl::now));
    diesel::delete(valid).returning((account_tokens::user_id, account_tokens::email)).get_result(conn).await.optional()
}
