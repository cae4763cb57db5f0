//! Sessions of browsers, which show a random cookie: only its hash is stored. They are rows of `sessions`, so that whatever
//! ends a user's sessions ends these too.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{ExpressionMethods, JoinOnDsl as _, OptionalExtension, QueryDsl, QueryResult, SelectableHelper as _};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{SessionId, UserId},
    plain_token::PlainToken,
    tables::{sessions, users},
    user::User,
};

/// How much of its time has to be gone before a session is written to go on: so that not every page is a write.
const SLACK: TimeDelta = TimeDelta::minutes(5);

/// How long sessions go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Without being used.
    pub idle: Duration,
    /// In all.
    pub whole: Duration,
}

/// Begins a session that this cookie opens. The user's sessions that are over are forgotten.
///
/// # Errors
/// The database fails.
pub async fn start(
    conn: &mut AsyncPgConnection,
    user: UserId,
    cookie: &PlainToken,
    life: Life,
) -> QueryResult<SessionId> {
    let over = sessions::table.filter(sessions::user_id.eq(user)).filter(sessions::expires_at.lt(diesel::dsl::now));
    diesel::delete(over).execute(conn).await?;
    let id = SessionId::generate();
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(id),
            sessions::user_id.eq(user),
            sessions::cookie_hash.eq(cookie.hash()),
            sessions::expires_at.eq(Utc::now() + life.idle.min(life.whole)),
        ))
        .execute(conn)
        .await?;
    Ok(id)
}

/// The session that this cookie opens and its user, if both are there. Being asked for, it goes on.
///
/// # Errors
/// The database fails.
pub async fn find(
    conn: &mut AsyncPgConnection,
    cookie: &PlainToken,
    life: Life,
) -> QueryResult<Option<(SessionId, User)>> {
    let found: Option<(SessionId, DateTime<Utc>, DateTime<Utc>, User)> = sessions::table
        .inner_join(users::table.on(users::id.eq(sessions::user_id)))
        .filter(sessions::cookie_hash.eq(cookie.hash()))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(diesel::dsl::now))
        .filter(users::deleted_at.is_null())
        .select((sessions::id, sessions::created_at, sessions::expires_at, User::as_select()))
        .first(conn)
        .await
        .optional()?;
    let Some((id, created_at, expires_at, user)) = found else { return Ok(None) };
    let end = (Utc::now() + life.idle).min(created_at + life.whole);
    if end - expires_at > SLACK {
        let live = sessions::table.filter(sessions::id.eq(id)).filter(sessions::ended_at.is_null());
        diesel::update(live).set(sessions::expires_at.eq(end)).execute(conn).await?;
    }
    Ok(Some((id, user)))
}
