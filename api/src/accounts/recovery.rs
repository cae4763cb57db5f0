//! Links by mail: a forgotten password, an address to verify. Answers do not tell who has an account.

use std::time::Duration;

use posthouse_boxed::boxed;
use posthouse_schema::{
    account_token,
    ids::UserId,
    plain_token::PlainToken,
    user::{self, User},
    words::TokenPurpose,
};
use salvo::prelude::*;
use secrecy::ExposeSecret as _;

use super::{
    input, mail,
    wire::{EmailBody, ResetPasswordBody},
};
use crate::{
    app::{App, app},
    auth::{
        self,
        throttle::{self, Limit},
    },
    body::read_json,
    error::{ApiError, ApiResult},
    query,
    reply::{NoData, Reply},
};

const RESET_LIFE: Duration = Duration::from_secs(30 * 60);
const VERIFY_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Mails to one address, and mails asked for from one, within 15 minutes.
const MAILS_TO_MAX: i32 = 3;
const MAILS_FROM_MAX: i32 = 30;

const BAD_TOKEN: &str = "token: it is not valid, or no longer";

/// Asks for a new password
///
/// Mails a link that is valid for 30 minutes. The answer is the same where there is no such account.
#[endpoint(tags("Accounts"), operation_id = "ForgotPassword", request_body = EmailBody)]
#[boxed]
pub async fn forgot_password(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let app = app(depot)?;
    let from = throttle::address(req, &app);
    let body: EmailBody = read_json(req, &app).await?;
    let email = input::email("email", body.email)?;
    limit_mails(&app, "forgot", &email, &from).await?;
    let found = user::find_by_email(&mut *app.conn().await?, &email).await?;
    if let Some(id) = found {
        in_background(async move { mail_reset(&app, id).await });
    }
    Ok(Reply::ok("Password reset token has been sent successfully", NoData))
}

/// Chooses a new password
///
/// Query: `token`, from the mail; it serves once. All sessions end.
#[endpoint(tags("Accounts"), operation_id = "ResetPassword", request_body = ResetPasswordBody)]
#[boxed]
pub async fn reset_password(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let app = app(depot)?;
    let token = token(req)?;
    let body: ResetPasswordBody = read_json(req, &app).await?;
    let password = input::new_password("password", body.password)?;
    super::confirm(&password, body.password_confirmation.as_ref())?;
    // Before the costly part: guesses are to be cheap to refuse.
    let is_valid = account_token::is_valid(&mut *app.conn().await?, TokenPurpose::ResetPassword, &token).await?;
    if !is_valid {
        return Err(ApiError::invalid(BAD_TOKEN));
    }
    let hash = app.passwords.hash(password.expose_secret().into()).await?;
    let changed = account_token::reset_password(&mut *app.conn().await?, &token, &hash).await?;
    changed.ok_or_else(|| ApiError::invalid(BAD_TOKEN))?;
    Ok(Reply::ok("password reset successful", NoData))
}

/// Verifies an address
///
/// Query: `token`, from the mail; it serves once.
#[endpoint(tags("Accounts"), operation_id = "VerifyEmail")]
#[boxed]
pub async fn verify_email(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let app = app(depot)?;
    let token = token(req)?;
    let verified = account_token::verify_email(&mut *app.conn().await?, &token).await?;
    verified.ok_or_else(|| ApiError::invalid(BAD_TOKEN))?;
    Ok(Reply::ok("email has been verified", NoData))
}

/// Asks for another mail to verify an address
///
/// For who is signed in, or for the `email` of the body. The answer is the same where there is nothing to verify.
#[endpoint(tags("Accounts"), operation_id = "ResendVerificationEmail", request_body = EmailBody)]
#[boxed]
pub async fn resend_verification_email(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let app = app(depot)?;
    let from = throttle::address(req, &app);
    let id = match auth::identify(req, &app).await {
        Ok(auth::Caller::User { user }) => Some(user),
        Ok(_) => return Err(ApiError::Forbidden("Unauthorized")),
        Err(ApiError::Unauthenticated) => {
            let body: EmailBody = read_json(req, &app).await?;
            let email = input::email("email", body.email)?;
            user::find_by_email(&mut *app.conn().await?, &email).await?
        }
        Err(other) => return Err(other),
    };
    let user = match id {
        Some(id) => User::find(&mut *app.conn().await?, id).await?,
        None => None,
    };
    let to = user.as_ref().map(|user| user.email.clone()).unwrap_or_default();
    limit_mails(&app, "verify", &to, &from).await?;
    if let Some(user) = user.filter(|user| !user.is_email_verified) {
        in_background(async move { mail_verification(&app, &user).await });
    }
    Ok(Reply::ok("Verification email resent successfully", NoData))
}

/// Lets the caller go at once: how long it takes would tell who has an account. What fails can be asked for again.
fn in_background(work: impl Future<Output = Result<(), ApiError>> + Send + 'static) {
    tokio::spawn(async {
        work.await.unwrap_or_else(|error| tracing::warn!(error = %error, "A mail could not be sent."));
    });
}

async fn mail_reset(app: &App, id: UserId) -> Result<(), ApiError> {
    let mut conn = app.conn().await?;
    let Some(user) = User::find(&mut conn, id).await? else { return Ok(()) };
    let token = account_token::issue(&mut conn, TokenPurpose::ResetPassword, id, &user.email, RESET_LIFE).await?;
    drop(conn);
    mail::reset_password(app, &user.email, &token).await.map_err(ApiError::queue)
}

/// Mails the link to verify a user's address.
///
/// # Errors
/// 503 when the database or the queue is away; the user can ask again.
pub async fn mail_verification(app: &App, user: &User) -> Result<(), ApiError> {
    let (purpose, to) = (TokenPurpose::VerifyEmail, &user.email);
    let token = account_token::issue(&mut *app.conn().await?, purpose, user.id, to, VERIFY_LIFE).await?;
    mail::verify_email(app, to, &token).await.map_err(ApiError::queue)
}

/// The same beside something that is done already, which does not fail with it.
pub async fn try_to_mail_verification(app: &App, user: &User) {
    if let Err(error) = mail_verification(app, user).await {
        tracing::warn!(user.id = %user.id, error = %error, "A mail to verify an address could not be sent.");
    }
}

async fn limit_mails(app: &App, what: &str, to: &str, from: &str) -> Result<(), ApiError> {
    let to = Limit::new(MAILS_TO_MAX, &["mail to", what, &to.to_lowercase()]);
    throttle::count(app, &[to, Limit::new(MAILS_FROM_MAX, &["mail from", from])]).await
}

/// The token of the query. Guessing its 256 bits needs no limit.
fn token(req: &Request) -> Result<PlainToken, ApiError> {
    query::one(req, "token").and_then(|text| PlainToken::parse(&text)).ok_or_else(|| ApiError::invalid(BAD_TOKEN))
}
