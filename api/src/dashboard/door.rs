//! Pages for who is not signed in: signing up, a forgotten password, and what the links in mails lead to. Nothing is done by
//! following a link: programs that look at mails do that.

use chrono::Utc;
use posthouse_boxed::boxed;
use posthouse_pages::{
    door::{self as pages, INVITEE_FIELDS, Invitation, PASSWORD_FIELDS, SIGN_UP_FIELDS, SignUp},
    form::Problem,
    frame::Frame,
};
use salvo::prelude::*;
use serde_json::{Value, json};

use super::{
    answer::{Answer, PageError, PageResult, Redirection},
    form::Form,
    operation::{Done, Operation},
    query, session,
    visit::page,
};
use crate::{
    accounts::{forgot_password, register, reset_password, verify_email},
    app::app,
    organisations::{find_invite, process_invite},
};

/// The routes.
pub fn router() -> Router {
    Router::new()
        .push(Router::with_path("sign-up").get(show_sign_up).post(sign_up))
        .push(Router::with_path("forgot-password").get(show_forgot).post(forgot))
        .push(Router::with_path("reset-password").get(show_reset).post(reset))
        .push(Router::with_path("verify-email").get(show_verify).post(verify))
        .push(Router::with_path("accept-invite").get(show_invitation).post(answer_invitation))
}

fn frame(depot: &Depot) -> Frame {
    let visitor = session::visitor(depot);
    Frame { now: Utc::now(), theme: visitor.theme, flash: visitor.flash, here: "/sign-in".into(), ..Frame::default() }
}

async fn run(handler: impl salvo::Handler, operation: Operation, depot: &Depot) -> Result<Done, PageError> {
    Ok(operation.coming_from(session::visitor(depot).origin).run(handler, &app(depot)?, None).await?)
}

fn with_token(token: &str) -> Operation {
    Operation::on(&[]).with_query(&[("token".to_string(), token.to_string())])
}

/// The form of somebody new.
#[handler]
#[boxed]
pub async fn show_sign_up(depot: &mut Depot) -> PageResult {
    if !app(depot)?.settings.accounts.is_sign_up_open {
        return Err(PageError::not_found());
    }
    Ok(page(pages::sign_up(&frame(depot), &SignUp::default())))
}

/// Makes an account with an organisation of its own, and signs in.
#[handler]
#[boxed]
pub async fn sign_up(depot: &mut Depot, res: &mut Response) -> PageResult {
    let (app, form) = (app(depot)?, Form::of(depot));
    let body: Value = SIGN_UP_FIELDS
        .iter()
        .map(|field| ((*field).to_string(), Value::from(form.text(field))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let done = run(register, Operation::on(&[]).with_body(body), depot).await?;
    if let Some(problem) = done.problem(&SIGN_UP_FIELDS) {
        let values = ["first_name", "last_name", "email", "org_name"].map(|field| form.text(field).to_string());
        return Ok(Answer::Again(pages::sign_up(&frame(depot), &SignUp { values, problem: Some(problem) })));
    }
    let user = done.text("/uid").parse().map_err(|_| PageError::not_found())?;
    session::start(&app, user, res).await?;
    Ok(Redirection::to("/projects").saying(true, "Welcome. Make a project to begin with.").into())
}

/// The form of who forgot the password.
#[handler]
#[boxed]
pub async fn show_forgot(depot: &mut Depot) -> PageResult {
    Ok(page(pages::forgot(&frame(depot), ("", false), None)))
}

/// Sends a mail; the answer is the same where there is no such account.
#[handler]
#[boxed]
pub async fn forgot(depot: &mut Depot) -> PageResult {
    let form = Form::of(depot);
    let email = form.text("email");
    let operation = Operation::on(&[]).with_body(json!({"email": email}));
    let done = run(forgot_password, operation, depot).await?;
    Ok(match done.problem(&["email"]) {
        Some(problem) => Answer::Again(pages::forgot(&frame(depot), (email, false), Some(&problem))),
        None => page(pages::forgot(&frame(depot), ("", true), None)),
    })
}

/// The form of a new password.
#[handler]
#[boxed]
pub async fn show_reset(req: &mut Request, depot: &mut Depot) -> PageResult {
    Ok(page(pages::reset(&frame(depot), &query::text(req, "token"), None)))
}

/// Chooses it.
#[handler]
#[boxed]
pub async fn reset(depot: &mut Depot) -> PageResult {
    let form = Form::of(depot);
    let token = form.text("token");
    let body = json!({"password": form.text("password"), "password_confirmation": form.text("password_confirmation")});
    let done = run(reset_password, with_token(token).with_body(body), depot).await?;
    Ok(match done.problem(&PASSWORD_FIELDS) {
        Some(problem) => Answer::Again(pages::reset(&frame(depot), token, Some(&problem))),
        None => Redirection::to_sign_in("").saying(true, "The password is changed. Sign in with it.").into(),
    })
}

/// The form by which an address is proved.
#[handler]
#[boxed]
pub async fn show_verify(req: &mut Request, depot: &mut Depot) -> PageResult {
    Ok(page(pages::verify(&frame(depot), &query::text(req, "token"), None)))
}

/// Proves it.
#[handler]
#[boxed]
pub async fn verify(depot: &mut Depot) -> PageResult {
    let form = Form::of(depot);
    let token = form.text("token");
    let done = run(verify_email, with_token(token), depot).await?;
    Ok(match done.problem(&[]) {
        Some(problem) => Answer::Again(pages::verify(&frame(depot), token, Some(&problem))),
        None => Redirection::to("/projects").saying(true, "The address is verified.").into(),
    })
}

/// The invitation that a token is of, as its form shows it; `None`: the token is void.
async fn invitation(token: &str, depot: &Depot) -> Result<Option<Invitation>, PageError> {
    let found = run(find_invite, with_token(token), depot).await?;
    Ok(found.code.is_success().then(|| Invitation {
        token: token.into(),
        organisation: found.text("/token/organisation_name"),
        email: found.text("/token/invitee_email"),
        has_account: found.data.get("user").is_some_and(|user| !user.is_null()),
        ..Invitation::default()
    }))
}

/// The form by which an invitation is answered.
#[handler]
#[boxed]
pub async fn show_invitation(req: &mut Request, depot: &mut Depot) -> PageResult {
    Ok(match invitation(&query::text(req, "token"), depot).await? {
        Some(view) => page(pages::invitation(&frame(depot), &view)),
        None => Answer::Again(pages::void(&frame(depot))),
    })
}

/// Answers it.
#[handler]
#[boxed]
pub async fn answer_invitation(depot: &mut Depot) -> PageResult {
    let form = Form::of(depot);
    let (token, accepted) = (form.text("token"), form.text("accepted"));
    let Some(view) = invitation(token, depot).await? else {
        return Ok(Answer::Again(pages::void(&frame(depot))));
    };
    let query = [("token".to_string(), token.to_string()), ("accepted".to_string(), accepted.to_string())];
    let mut operation = Operation::on(&[]).with_query(&query);
    if !view.has_account {
        operation = operation.with_body(json!({
            "first_name": form.text("first_name"), "last_name": form.text("last_name"), "password": form.text("password"),
        }));
    }
    let done = run(process_invite, operation, depot).await?;
    let problem: Option<Problem> = done.problem(&INVITEE_FIELDS);
    if problem.is_some() {
        let values = ["first_name", "last_name"].map(|field| form.text(field).to_string());
        return Ok(Answer::Again(pages::invitation(&frame(depot), &Invitation { values, problem, ..view })));
    }
    let text = if accepted == "true" { "You are a member now." } else { "The invitation is declined." };
    Ok(Redirection::to("/projects").saying(true, text).into())
}
