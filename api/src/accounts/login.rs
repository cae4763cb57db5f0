//! Signing in, up and out.

use posthouse_boxed::boxed;
use posthouse_schema::{
    ids::UserId,
    user::{self, NewUser, User},
};
use salvo::prelude::*;
use secrecy::SecretString;

use super::{
    input, recovery,
    wire::{LoginBody, LoginWire, RefreshBody, RegisterBody, TokenWire},
};
use crate::{
    app::{App, app},
    auth::{
        self, session,
        throttle::{self, Limit},
    },
    body::read_json,
    error::{ApiError, ApiResult},
    reply::{NoData, Reply},
};

/// Wrong passwords for one account from one address, for one account, and from one address, within 15 minutes.
const PAIR_MAX: i32 = 5;
const ACCOUNT_MAX: i32 = 50;
const ADDRESS_MAX: i32 = 100;
const SIGN_UPS_MAX: i32 = 20;

/// Signs in
///
/// Alike for an unknown address, a wrong password, and an account without one. After five wrong passwords for an account
/// from one address within 15 minutes it answers 429.
#[endpoint(tags("Accounts"), operation_id = "Login", request_body = LoginBody)]
#[boxed]
pub async fn login(req: &mut Request, depot: &mut Depot) -> ApiResult<LoginWire> {
    let app = app(depot)?;
    let address = throttle::address(req, &app);
    let body: LoginBody = read_json(req, &app).await?;
    let email = body.username.unwrap_or_default().trim().to_lowercase();
    let password = input::password("password", body.password)?;
    let id = check_password(&app, &address, &email, password).await?;
    let user = User::find(&mut *app.conn().await?, id).await?.ok_or(INVALID)?;
    let pair = session::start(&app, user.id).await?;
    Ok(Reply::ok("Login successful", LoginWire { user: user.into(), token: pair.into() }))
}

const INVALID: ApiError = ApiError::Forbidden("Invalid credentials");

/// The user whose password this is, as one who tries from this address hears it.
///
/// # Errors
/// 403 alike for an unknown address and a wrong password; 429 beyond the limits; 503 when the database is away.
pub async fn check_password(app: &App, address: &str, email: &str, password: SecretString) -> Result<UserId, ApiError> {
    let pair = Limit::new(PAIR_MAX, &["login", email, address]);
    let account = Limit::new(ACCOUNT_MAX, &["login of", email]);
    let limits = [pair, account, Limit::new(ADDRESS_MAX, &["login from", address])];
    throttle::count(app, &limits).await?;
    // A text with NUL is nobody's address, and none that the database could be asked for.
    let is_askable = !email.contains('\0') && email.len() <= 1_024;
    let found = if is_askable { user::credentials(&mut *app.conn().await?, email).await? } else { None };
    let (id, stored) = found.map_or((None, None), |found| (Some(found.user), found.password_hash));
    match (app.passwords.verify(password, stored).await?, id) {
        (true, Some(id)) => {
            let [pair, account, address] = &limits;
            throttle::forget(app, pair).await?;
            throttle::forget(app, account).await?;
            // Others may be guessing from there.
            throttle::take_back(app, address).await?;
            Ok(id)
        }
        _ => Err(INVALID),
    }
}

/// Signs up
///
/// Makes an account with an organisation of its own, and mails a link to verify the address. Closed by the setting
/// `--sign-up false`.
#[endpoint(tags("Accounts"), operation_id = "RegisterUser", request_body = RegisterBody)]
#[boxed]
pub async fn register(req: &mut Request, depot: &mut Depot) -> ApiResult<LoginWire> {
    let app = app(depot)?;
    if !app.settings.accounts.is_sign_up_open {
        return Err(ApiError::Forbidden("user registration is disabled"));
    }
    let address = throttle::address(req, &app);
    let body: RegisterBody = read_json(req, &app).await?;
    let organisation = input::title("org_name", body.org_name, "please provide your organization name")?;
    let password = input::new_password("password", body.password)?;
    let mut new = NewUser {
        first_name: input::name("first_name", body.first_name, "please provide your first name")?,
        last_name: input::name("last_name", body.last_name, "please provide your last name")?,
        email: input::email("email", body.email)?,
        password_hash: None,
    };
    throttle::count(&app, &[Limit::new(SIGN_UPS_MAX, &["sign up", &address])]).await?;
    new.password_hash = Some(app.passwords.hash(password).await?);
    let made = User::register(&mut *app.conn().await?, &new, &organisation).await;
    let (user, _) = made.map_err(super::address_taken)?;
    recovery::try_to_mail_verification(&app, &user).await;
    let pair = session::start(&app, user.id).await?;
    Ok(Reply::created("Registration successful", LoginWire { user: user.into(), token: pair.into() }))
}

/// Gets the next pair of tokens
///
/// A refresh token serves once. One that comes back later ends its session: it was copied.
#[endpoint(tags("Accounts"), operation_id = "RefreshToken", request_body = RefreshBody)]
#[boxed]
pub async fn refresh_token(req: &mut Request, depot: &mut Depot) -> ApiResult<TokenWire> {
    let app = app(depot)?;
    let body: RefreshBody = read_json(req, &app).await?;
    let refresh = body.refresh_token.filter(|token| !token.is_empty());
    let refresh = refresh.ok_or_else(|| ApiError::invalid("refresh_token:please provide a refresh token"))?;
    let access = body.access_token.filter(|token| !token.is_empty());
    let (_, pair) = session::refresh(&app, access.as_deref(), &refresh).await?;
    Ok(Reply::ok("Token refresh successful", pair.into()))
}

/// Signs out
///
/// Ends the session: its tokens are refused at once here, and everywhere within 5 seconds.
#[endpoint(tags("Accounts"), operation_id = "Logout")]
#[boxed]
pub async fn logout(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let app = app(depot)?;
    // A key has no session; who signs out with one is not signed in.
    if let Some(session) = auth::session(req, &app).await? {
        session::end(&app, session).await?;
    }
    Ok(Reply::ok("Logout successful", NoData))
}
