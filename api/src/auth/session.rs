//! Sessions on this side of the wire: pairs of tokens, and whether the session behind a token goes on.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use posthouse_schema::{
    ids::{SessionId, UserId},
    instance_secret, session,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;

use super::token::{Claims, SigningKey, Use};
use crate::{app::App, cache::Cache, error::ApiError};

/// A session that ended is refused everywhere within this time.
const SESSION_TTL: Duration = Duration::from_secs(5);
const SESSIONS_MAX: usize = 50_000;
const ACCESS_LIFE: Duration = Duration::from_secs(30 * 60);
const REFRESH_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// After this, signing in again is the only way on.
const SESSION_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Secrets by which instances agree on tokens, unless the settings name them.
const ACCESS_SECRET: &str = "access_token";
const REFRESH_SECRET: &str = "refresh_token";

/// The tokens of a session.
#[derive(Debug)]
pub struct TokenPair {
    /// Opens the API for 30 minutes.
    pub access: SecretString,
    /// Gets the next pair, once, within 24 hours.
    pub refresh: SecretString,
}

/// The keys that sign tokens, and the sessions that went on lately.
#[derive(Debug)]
pub struct Sessions {
    given: (Option<SecretString>, Option<SecretString>),
    keys: OnceCell<Arc<(SigningKey, SigningKey)>>,
    live: Cache<SessionId, UserId>,
}

impl Sessions {
    /// With these secrets for access and refresh tokens; those that are missing are kept in the database.
    #[must_use]
    pub fn new(access_secret: Option<SecretString>, refresh_secret: Option<SecretString>) -> Self {
        Self {
            given: (access_secret, refresh_secret),
            keys: OnceCell::new(),
            live: Cache::new(SESSION_TTL, SESSIONS_MAX),
        }
    }

    async fn keys(&self, app: &App) -> Result<Arc<(SigningKey, SigningKey)>, ApiError> {
        let made = self.keys.get_or_try_init(async || {
            let access = key(app, self.given.0.as_ref(), ACCESS_SECRET).await?;
            let refresh = key(app, self.given.1.as_ref(), REFRESH_SECRET).await?;
            Ok::<_, ApiError>(Arc::new((access, refresh)))
        });
        made.await.cloned()
    }
}

async fn key(app: &App, given: Option<&SecretString>, name: &str) -> Result<SigningKey, ApiError> {
    match given {
        Some(secret) => Ok(SigningKey::new(secret.expose_secret().as_bytes())),
        None => Ok(SigningKey::new(&instance_secret::get_or_make(&mut *app.conn().await?, name).await?)),
    }
}

/// Begins a session of a user who has proved to be one.
///
/// # Errors
/// 503 when the database is away.
pub async fn start(app: &App, user: UserId) -> Result<TokenPair, ApiError> {
    let session = session::start(&mut *app.conn().await?, user, REFRESH_LIFE).await?;
    pair(app, user, session, 1).await
}

/// The next pair of tokens for a refresh token, which is then used up. An access token beside it must be of the same
/// session, and may have ended.
///
/// # Errors
/// 401 for a token that is not sound, or not its session's newest; 503 when the database is away.
pub async fn refresh(app: &App, access: Option<&str>, refresh: &str) -> Result<(UserId, TokenPair), ApiError> {
    let keys = app.sessions.keys(app).await?;
    let claims = keys.1.read(refresh, Use::Refresh).filter(|claims| claims.is_live(Utc::now()));
    let Claims { sub: user, sid: session, generation, .. } = claims.ok_or(ApiError::BadCredentials)?;
    if let Some(access) = access {
        let beside = keys.0.read(access, Use::Access).ok_or(ApiError::BadCredentials)?;
        if beside.sid != session {
            return Err(ApiError::BadCredentials);
        }
    }
    let mut conn = app.conn().await?;
    if !session::is_live(&mut conn, session, user).await? {
        return Err(ApiError::BadCredentials);
    }
    match session::rotate(&mut conn, (session, user, generation), REFRESH_LIFE, SESSION_LIFE).await? {
        session::Rotation::Next(generation) => Ok((user, pair(app, user, session, generation).await?)),
        session::Rotation::Refused => Err(ApiError::BadCredentials),
    }
}

/// Whose session an access token is of, if it goes on.
///
/// # Errors
/// 401 for a token that is not sound, has ended, or whose session has; 503 when that cannot be checked.
pub async fn check(app: &App, access: &str) -> Result<(UserId, SessionId), ApiError> {
    let claims = app.sessions.keys(app).await?.0.read(access, Use::Access);
    let Claims { sub: user, sid: session, .. } =
        claims.filter(|claims| claims.is_live(Utc::now())).ok_or(ApiError::BadCredentials)?;
    if app.sessions.live.get(&session) == Some(user) {
        return Ok((user, session));
    }
    if !session::is_live(&mut *app.conn().await?, session, user).await? {
        return Err(ApiError::BadCredentials);
    }
    app.sessions.live.put(session, user);
    Ok((user, session))
}

/// Ends a session: at once here, within seconds everywhere.
///
/// # Errors
/// 503 when the database is away.
pub async fn end(app: &App, session: SessionId) -> Result<(), ApiError> {
    session::end(&mut *app.conn().await?, session).await?;
    app.sessions.live.forget(&session);
    Ok(())
}

async fn pair(app: &App, user: UserId, session: SessionId, generation: i32) -> Result<TokenPair, ApiError> {
    let keys = app.sessions.keys(app).await?;
    let now = Utc::now();
    let claims = |purpose, life: Duration| Claims {
        sub: user,
        sid: session,
        generation,
        purpose,
        iat: now.timestamp(),
        exp: (now + life).timestamp(),
    };
    Ok(TokenPair {
        access: keys.0.sign(&claims(Use::Access, ACCESS_LIFE)).into(),
        refresh: keys.1.sign(&claims(Use::Refresh, REFRESH_LIFE)).into(),
    })
}
