//! People, sessions and personal keys on the wire, contract section 2.16.

use chrono::{DateTime, Utc};
use posthouse_schema::{api_key::ApiKey, user::User};
use salvo::oapi::ToSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::{auth::session::TokenPair, projects::wire::KeyRole};

/// What somebody signs in with.
#[derive(Debug, Deserialize, ToSchema)]
pub struct LoginBody {
    /// The address.
    pub username: Option<String>,
    /// The password.
    #[salvo(schema(value_type = Option<String>))]
    pub password: Option<SecretString>,
}

/// What an account is made with.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RegisterBody {
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// The password: 8 characters or more.
    #[salvo(schema(value_type = Option<String>))]
    pub password: Option<SecretString>,
    /// Name of the organisation that is made with it.
    pub org_name: Option<String>,
}

/// The tokens of a session that is to go on.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RefreshBody {
    /// The session's access token, which may have ended; need not be given.
    pub access_token: Option<String>,
    /// The session's newest refresh token.
    pub refresh_token: Option<String>,
}

/// What a user may change of themselves.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ProfileBody {
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// The address; a new one is to be verified again.
    pub email: Option<String>,
    /// The password, to change the address.
    #[salvo(schema(value_type = Option<String>))]
    pub current_password: Option<SecretString>,
}

/// A password and the one that replaces it.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ChangePasswordBody {
    /// The password so far.
    #[salvo(schema(value_type = Option<String>))]
    pub current_password: Option<SecretString>,
    /// The new one: 8 characters or more.
    #[salvo(schema(value_type = Option<String>))]
    pub password: Option<SecretString>,
    /// The new one again, where it is given.
    #[salvo(schema(value_type = Option<String>))]
    pub password_confirmation: Option<SecretString>,
}

/// The address of a forgotten password, or of one that is to be verified.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EmailBody {
    /// The address.
    pub email: Option<String>,
}

/// A new password.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ResetPasswordBody {
    /// The new password: 8 characters or more.
    #[salvo(schema(value_type = Option<String>))]
    pub password: Option<SecretString>,
    /// The new one again, where it is given.
    #[salvo(schema(value_type = Option<String>))]
    pub password_confirmation: Option<SecretString>,
}

/// What a personal key is made with.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PersonalKeyBody {
    /// What it is called.
    pub name: Option<String>,
    /// Days for which it is valid; 0 means 1.
    pub expiration: Option<i64>,
}

/// A user.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UserWire {
    /// The user.
    pub uid: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// The address.
    pub email: String,
    /// Whether the user proved that the address is theirs.
    pub email_verified: bool,
    /// When the user was made.
    pub created_at: DateTime<Utc>,
    /// When the user last changed.
    pub updated_at: DateTime<Utc>,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Always the year 1: what a pending reset is worth is known to its mail alone.
    pub reset_password_expires_at: &'static str,
    /// Always `local`.
    pub auth_type: &'static str,
}

/// The tokens of a session.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenWire {
    /// Opens the API for 30 minutes.
    pub access_token: String,
    /// Gets the next pair of tokens, once, within 24 hours.
    pub refresh_token: String,
}

/// A user with a new session.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoginWire {
    /// The user.
    #[serde(flatten)]
    pub user: UserWire,
    /// The session's tokens.
    pub token: TokenWire,
}

/// A personal key as it is listed.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonalKeyWire {
    /// Its id.
    pub uid: String,
    /// What it is called.
    pub name: String,
    /// What it allows.
    pub role: KeyRole,
    /// Always `personal_key`.
    pub key_type: &'static str,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<User> for UserWire {
    fn from(row: User) -> Self {
        Self {
            uid: row.id.to_string(),
            first_name: row.first_name,
            last_name: row.last_name,
            email: row.email,
            email_verified: row.is_email_verified,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: None,
            reset_password_expires_at: "0001-01-01T00:00:00Z",
            auth_type: "local",
        }
    }
}

impl From<TokenPair> for TokenWire {
    fn from(pair: TokenPair) -> Self {
        Self {
            access_token: pair.access.expose_secret().to_string(),
            refresh_token: pair.refresh.expose_secret().to_string(),
        }
    }
}

impl From<ApiKey> for PersonalKeyWire {
    fn from(row: ApiKey) -> Self {
        Self {
            uid: row.id.to_string(),
            name: row.name,
            role: KeyRole { role: row.role.to_string(), project: String::new() },
            key_type: "personal_key",
            expires_at: row.expires_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
