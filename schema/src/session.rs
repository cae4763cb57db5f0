//! Sessions: from signing in to signing out. A session lives as long as its newest refresh token; every refresh is a new
//! generation, and an older one that comes back was copied and ends the session.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, JoinOnDsl as _, OptionalExtension, QueryDsl, QueryResult, QueryableByName,
    sql_types::{Double, Integer, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{SessionId, UserId},
    tables::{sessions, users},
};

/// How long a refresh may come twice, from two windows of one browser, without ending the session.
const OVERLAP: Duration = Duration::from_secs(10);

/// What became of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The session goes on as this generation.
    Next(i32),
    /// The session is over, or the token is not its newest.
    Refused,
}

#[derive(QueryableByName)]
struct Rotated {
    #[diesel(sql_type = Integer)]
    generation: i32,
}

/// Begins a session that ends after `ttl` unless it is refreshed; its generation is 1. The user's sessions that are over
/// are forgotten.
///
/// # Errors
/// The database fails.
pub async fn start(conn: &mut AsyncPgConnection, user: UserId, ttl: Duration) -> QueryResult<SessionId> {
    let over = sessions::table.filter(sessions::user_id.eq(user)).filter(sessions::expires_at.lt(diesel::dsl::now));
    diesel::delete(over).execute(conn).await?;
    let id = SessionId::generate();
    let end: DateTime<Utc> = Utc::now() + ttl;
    diesel::insert_into(sessions::table)
        .values((sessions::id.eq(id), sessions::user_id.eq(user), sessions::expires_at.eq(end)))
        .execute(conn)
        .await?;
    Ok(id)
}

/// Whether the user's session goes on and the user is there.
///
/// # Errors
/// The database fails.
pub async fn is_live(conn: &mut AsyncPgConnection, id: SessionId, user: UserId) -> QueryResult<bool> {
    let found: Option<SessionId> = sessions::table
        .inner_join(users::table.on(users::id.eq(sessions::user_id)))
        .filter(sessions::id.eq(id))
        .filter(sessions::user_id.eq(user))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(diesel::dsl::now))
        .filter(users::deleted_at.is_null())
        .select(sessions::id)
        .first(conn)
        .await
        .optional()?;
    Ok(found.is_some())
}

/// Lets the session go on for `ttl`, but never beyond `life` from its beginning.
///
/// # Errors
/// The database fails.
pub async fn rotate(
    conn: &mut AsyncPgConnection,
    (id, user, generation): (SessionId, UserId, i32),
    ttl: Duration,
    life: Duration,
) -> QueryResult<Rotation> {
    let rotated: Option<Rotated> = diesel::sql_query(include_str!("sql/rotate_session.sql"))
        .bind::<Uuid, _>(id)
        .bind::<Uuid, _>(user)
        .bind::<Integer, _>(generation)
        .bind::<Double, _>(ttl.as_secs_f64())
        .bind::<Double, _>(life.as_secs_f64())
        .bind::<Double, _>(OVERLAP.as_secs_f64())
        .get_result(conn)
        .await
        .optional()?;
    Ok(rotated.map_or(Rotation::Refused, |rotated| Rotation::Next(rotated.generation)))
}

/// Ends a session.
///
/// # Errors
/// The database fails.
pub async fn end(conn: &mut AsyncPgConnection, id: SessionId) -> QueryResult<()> {
    diesel::update(sessions::table.filter(sessions::id.eq(id)).filter(sessions::ended_at.is_null()))
        .set(sessions::ended_at.eq(diesel::dsl::now))
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends all sessions of a user but one.
///
/// # Errors
/// The database fails.
pub async fn end_all(conn: &mut AsyncPgConnection, user: UserId, but: Option<SessionId>) -> QueryResult<()> {
    let others = sessions::table.filter(sessions::user_id.eq(user)).filter(sessions::ended_at.is_null());
    let ended = sessions::ended_at.eq(diesel::dsl::now);
    match but {
        Some(kept) => diesel::update(others.filter(sessions::id.ne(kept))).set(ended).execute(conn).await?,
        None => diesel::update(others).set(ended).execute(conn).await?,
    };
    Ok(())
}
