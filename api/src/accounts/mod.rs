//! People: signing in and up, profiles, forgotten passwords, personal keys. Contract section 2.16.

pub mod input;
mod keys;
mod login;
pub mod mail;
mod profile;
mod recovery;
pub mod wire;

pub use self::{
    keys::{create_personal_key, revoke_personal_key},
    login::{check_password, register},
    profile::{change_password, update_profile},
    recovery::{forgot_password, reset_password, verify_email},
};
use posthouse_schema::{DatabaseErrorKind, QueryError, ids::UserId};
use salvo::prelude::*;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{auth, error::ApiError};

/// Routes that need no credentials.
pub fn guest_router() -> Router {
    let auth = Router::with_path("auth")
        .push(Router::with_path("login").post(login::login))
        .push(Router::with_path("register").post(login::register))
        .push(Router::with_path("token/refresh").post(login::refresh_token));
    let users = Router::with_path("users")
        .push(Router::with_path("forgot-password").post(recovery::forgot_password))
        .push(Router::with_path("reset-password").post(recovery::reset_password))
        .push(Router::with_path("verify_email").post(recovery::verify_email))
        .push(Router::with_path("resend_verification_email").post(recovery::resend_verification_email));
    Router::new().push(auth).push(users)
}

/// Routes of who is signed in.
pub fn router() -> Router {
    let security = Router::with_path("security")
        .get(keys::list_personal_keys)
        .push(Router::with_path("personal_api_keys").post(keys::create_personal_key))
        .push(Router::with_path("{key_id}/revoke").put(keys::revoke_personal_key));
    let user = Router::with_path("users/{user_id}")
        .push(Router::with_path("profile").get(profile::get_profile).put(profile::update_profile))
        .push(Router::with_path("password").put(profile::change_password))
        .push(security);
    Router::new().push(Router::with_path("auth/logout").post(login::logout)).push(user)
}

/// The caller, whom the path must name: by id, or as `me`.
fn own_id(req: &Request, depot: &Depot) -> Result<UserId, ApiError> {
    let user = auth::user(depot)?;
    let named = req.param::<String>("user_id").unwrap_or_default();
    if named == "me" || named.parse() == Ok(user) { Ok(user) } else { Err(ApiError::Forbidden("Unauthorized")) }
}

/// 400 where a new password was typed twice, and differently.
fn confirm(password: &SecretString, again: Option<&SecretString>) -> Result<(), ApiError> {
    if again.is_none_or(|again| again.expose_secret() == password.expose_secret()) {
        Ok(())
    } else {
        Err(ApiError::invalid("password_confirmation: the passwords differ"))
    }
}

/// The one unique value of a user is the address.
pub fn address_taken(error: QueryError) -> ApiError {
    match error {
        QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
            ApiError::invalid("email: this email is taken")
        }
        other => other.into(),
    }
}
