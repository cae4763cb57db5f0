//! Signing in and out.

use chrono::Utc;
use posthouse_boxed::boxed;
use posthouse_pages::{
    form::Problem,
    frame::Frame,
    sign_in::{self as pages, SignIn},
};
use posthouse_schema::session as sessions;
use salvo::prelude::*;

use super::{
    answer::{Answer, PageResult, Redirection, wants_page},
    cookies,
    form::Form,
    local, session,
};
use crate::{
    accounts::{self, input},
    app::app,
    auth::throttle,
    error::ApiError,
};

const FIELDS: [&str; 2] = ["email", "password"];
const HOME: &str = "/projects";

/// The host's first page: for browsers the way in, for programs nothing.
#[handler]
#[boxed]
pub async fn home(req: &mut Request, depot: &mut Depot, res: &mut Response) {
    if wants_page(req) {
        return Redirection::to(HOME).write(req, depot, res).await;
    }
    res.status_code(StatusCode::NOT_FOUND);
}

/// The form.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let next = local::path(&req.query::<String>("next").unwrap_or_default()).unwrap_or_default();
    if session::visitor(depot).session.is_some() {
        return Ok(Redirection::to(if next.is_empty() { HOME.into() } else { next }).into());
    }
    Ok(Answer::Page(pages::page(
        &frame(depot),
        &SignIn { next, is_sign_up_open: app(depot)?.settings.accounts.is_sign_up_open, ..SignIn::default() },
    )))
}

/// Signs in: checks the password as the API does, with its limits, and begins a session with a new cookie.
#[handler]
#[boxed]
pub async fn sign_in(req: &mut Request, depot: &mut Depot, res: &mut Response) -> PageResult {
    let (app, form) = (app(depot)?, Form::of(depot));
    let next = local::path(form.text("next"));
    let email = form.text("email").trim().to_lowercase();
    let address = throttle::address(req, &app);
    let checked = match input::password("password", Some(form.text("password").into())) {
        Ok(password) => accounts::check_password(&app, &address, &email, password).await,
        Err(error) => Err(error),
    };
    let problem = match checked {
        Ok(user) => {
            if let Some(old) = session::visitor(depot).session {
                sessions::end(&mut *app.conn().await?, old.id).await?;
            }
            session::start(&app, user, res).await?;
            return Ok(Redirection::to(next.unwrap_or_else(|| HOME.into())).into());
        }
        Err(error @ (ApiError::Invalid(_) | ApiError::Forbidden(_))) => Problem::of(&sentence(&error), &FIELDS),
        Err(error) => return Err(error.into()),
    };
    let view = SignIn {
        email,
        next: next.unwrap_or_default(),
        is_sign_up_open: app.settings.accounts.is_sign_up_open,
        problem: Some(problem),
    };
    Ok(Answer::Again(pages::page(&frame(depot), &view)))
}

fn sentence(error: &ApiError) -> String {
    match error {
        ApiError::Forbidden(_) => "Email or password are not right.".into(),
        other => other.to_string(),
    }
}

/// Ends the session.
#[handler]
#[boxed]
pub async fn sign_out(depot: &mut Depot, res: &mut Response) -> PageResult {
    let app = app(depot)?;
    if let Some(session) = session::visitor(depot).session {
        sessions::end(&mut *app.conn().await?, session.id).await?;
    }
    cookies::session(&app).clear(res);
    Ok(Redirection::to_sign_in("").saying(true, "You are signed out.").into())
}

/// Ends all sessions of this person, in every browser, and those that go on by tokens.
#[handler]
#[boxed]
pub async fn sign_out_everywhere(depot: &mut Depot, res: &mut Response) -> PageResult {
    let app = app(depot)?;
    if let Some(session) = session::visitor(depot).session {
        sessions::end_all(&mut *app.conn().await?, session.user.id, None).await?;
    }
    cookies::session(&app).clear(res);
    Ok(Redirection::to_sign_in("").saying(true, "You are signed out everywhere.").into())
}

fn frame(depot: &Depot) -> Frame {
    let visitor = session::visitor(depot);
    Frame { now: Utc::now(), theme: visitor.theme, flash: visitor.flash, here: visitor.here, ..Frame::default() }
}
