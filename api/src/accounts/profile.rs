//! What users see and change of themselves.

use posthouse_boxed::boxed;
use posthouse_schema::{
    ids::UserId,
    session,
    user::{self, User},
};
use salvo::prelude::*;
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    input, recovery,
    wire::{ChangePasswordBody, ProfileBody, UserWire},
};
use crate::{
    app::{App, app},
    auth::{
        self,
        throttle::{self, Limit},
    },
    body::read_json,
    error::{ApiError, ApiResult},
    reply::Reply,
};

/// Wrong current passwords of one account within 15 minutes.
const ATTEMPTS_MAX: i32 = 10;

/// Reads one's own profile
#[endpoint(tags("Accounts"), operation_id = "GetUser")]
#[boxed]
pub async fn get_profile(req: &mut Request, depot: &mut Depot) -> ApiResult<UserWire> {
    let app = app(depot)?;
    let user = own(req, depot, &app).await?;
    Ok(Reply::ok("User fetched successfully", user.into()))
}

/// Changes one's own profile
///
/// What is missing keeps its value. A new address needs the password, and is to be verified again.
#[endpoint(tags("Accounts"), operation_id = "UpdateUser", request_body = ProfileBody)]
#[boxed]
pub async fn update_profile(req: &mut Request, depot: &mut Depot) -> ApiResult<UserWire> {
    let app = app(depot)?;
    let old = own(req, depot, &app).await?;
    let body: ProfileBody = read_json(req, &app).await?;
    let mut changed = old.clone();
    if body.first_name.is_some() {
        changed.first_name = input::name("first_name", body.first_name, "please provide your first name")?;
    }
    if body.last_name.is_some() {
        changed.last_name = input::name("last_name", body.last_name, "please provide your last name")?;
    }
    if body.email.is_some() {
        changed.email = input::email("email", body.email)?;
    }
    let is_moved = changed.email != old.email;
    if is_moved {
        // Whoever has the address can reset the password: changing it takes as much as changing the password.
        check_current(&app, old.id, body.current_password).await?;
    }
    let row = User::update(&mut *app.conn().await?, &changed).await.map_err(super::address_taken)?;
    let row = row.ok_or(ApiError::BadCredentials)?;
    if is_moved {
        recovery::try_to_mail_verification(&app, &row).await;
    }
    Ok(Reply::ok("User updated successfully", row.into()))
}

/// Changes one's own password
///
/// All other sessions end.
#[endpoint(tags("Accounts"), operation_id = "UpdatePassword", request_body = ChangePasswordBody)]
#[boxed]
pub async fn change_password(req: &mut Request, depot: &mut Depot) -> ApiResult<UserWire> {
    let app = app(depot)?;
    let user = own(req, depot, &app).await?;
    let current = auth::session(req, &app).await?;
    let body: ChangePasswordBody = read_json(req, &app).await?;
    let password = input::new_password("password", body.password)?;
    super::confirm(&password, body.password_confirmation.as_ref())?;
    check_current(&app, user.id, body.current_password).await?;
    let hash = app.passwords.hash(password.expose_secret().into()).await?;
    let mut conn = app.conn().await?;
    user::set_password(&mut conn, user.id, &hash).await?;
    session::end_all(&mut conn, user.id, current).await?;
    Ok(Reply::ok("Password updated successfully", user.into()))
}

async fn check_current(app: &App, user: UserId, given: Option<SecretString>) -> Result<(), ApiError> {
    let given = input::password("current_password", given)?;
    let limit = Limit::new(ATTEMPTS_MAX, &["current password", &user.to_string()]);
    throttle::count(app, std::slice::from_ref(&limit)).await?;
    let stored = user::password_hash(&mut *app.conn().await?, user).await?;
    if !app.passwords.verify(given, stored).await? {
        return Err(ApiError::invalid("current password is invalid"));
    }
    throttle::forget(app, &limit).await
}

/// The user whom the path names, who must be the caller: by id, or as `me`.
async fn own(req: &Request, depot: &Depot, app: &App) -> Result<User, ApiError> {
    let id = super::own_id(req, depot)?;
    User::find(&mut *app.conn().await?, id).await?.ok_or(ApiError::BadCredentials)
}
