//! One's own account: names and address, password, personal keys.

use posthouse_boxed::boxed;
use posthouse_pages::{
    account::{self as pages, Account, FIELDS, Form as Part, KeyLine},
    form::Problem,
};
use posthouse_schema::{
    api_key::{ApiKey, Owner},
    ids::ApiKeyId,
    page::{Direction, PageRequest, Sort},
    user::User,
};
use salvo::prelude::*;
use serde_json::{Value, json};

use super::{
    answer::{Answer, PageError, PageResult, Redirection},
    form::Form,
    operation::Operation,
    session,
    visit::{Visit, id, page, said},
};
use crate::accounts::{change_password, create_personal_key, revoke_personal_key, update_profile};

const KEYS_MAX: u32 = 100;
const HERE: &str = "/account";

/// The routes.
pub fn router() -> Router {
    let keys = Router::with_path("keys").post(make_key).push(Router::with_path("{key_id}/revoke").post(revoke_key));
    Router::with_path("account")
        .get(show)
        .push(Router::with_path("profile").post(save))
        .push(Router::with_path("password").post(choose_password))
        .push(keys)
}

fn own() -> Operation {
    Operation::on(&[("user_id", "me".to_string())])
}

async fn view(visit: &Visit) -> Result<Account, PageError> {
    let newest = PageRequest {
        per_page: KEYS_MAX,
        sort: Sort::Descending,
        direction: Direction::Next,
        cursor: None::<ApiKeyId>,
    };
    let mut conn = visit.app.conn().await?;
    let user = User::find(&mut conn, visit.user).await?.ok_or_else(PageError::not_found)?;
    let keys = ApiKey::list(&mut conn, Owner::User(visit.user), &newest).await?;
    let live = keys.rows.into_iter().filter(|key| key.is_live(visit.frame.now));
    Ok(Account {
        first_name: user.first_name,
        last_name: user.last_name,
        email: user.email,
        is_verified: user.is_email_verified,
        keys: live
            .map(|key| KeyLine {
                id: key.id.to_string(),
                name: key.name,
                expires_at: key.expires_at,
                created_at: key.created_at,
            })
            .collect(),
        ..Account::default()
    })
}

async fn again(visit: &Visit, part: Part, problem: Problem) -> PageResult {
    let shown = Account { problem: Some((part, problem)), ..view(visit).await? };
    Ok(Answer::Again(pages::page(&visit.frame, &shown)))
}

/// Shows it.
#[handler]
#[boxed]
pub async fn show(depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    Ok(page(pages::page(&visit.frame, &view(&visit).await?)))
}

/// Changes names and address.
#[handler]
#[boxed]
pub async fn save(depot: &mut Depot) -> PageResult {
    let (visit, form) = (Visit::of(depot)?, Form::of(depot));
    let mut body = json!({
        "first_name": form.text("first_name"), "last_name": form.text("last_name"), "email": form.text("email"),
    });
    let current = form.text("current_password");
    if !current.is_empty()
        && let Some(body) = body.as_object_mut()
    {
        body.insert("current_password".into(), current.into());
    }
    let done = visit.run(update_profile, own().with_body(body)).await?;
    match done.problem(&FIELDS) {
        Some(problem) => {
            let shown = Account {
                first_name: form.text("first_name").into(),
                last_name: form.text("last_name").into(),
                email: form.text("email").into(),
                problem: Some((Part::Profile, problem)),
                ..view(&visit).await?
            };
            Ok(Answer::Again(pages::page(&visit.frame, &shown)))
        }
        None => Ok(said(HERE.into(), &done, "Your account is changed.")),
    }
}

/// Changes the password: all sessions end, and this browser gets a new one.
#[handler]
#[boxed]
pub async fn choose_password(depot: &mut Depot, res: &mut Response) -> PageResult {
    let (visit, form) = (Visit::of(depot)?, Form::of(depot));
    let body = json!({
        "current_password": form.text("old_password"),
        "password": form.text("password"),
        "password_confirmation": form.text("password_confirmation"),
    });
    let done = visit.run(change_password, own().with_body(body)).await?;
    if let Some(mut problem) = done.problem(&FIELDS) {
        if problem.field == "current_password" || problem.text.starts_with("current password") {
            problem.field = "old_password".into();
        }
        return again(&visit, Part::Password, problem).await;
    }
    session::start(&visit.app, visit.user, res).await?;
    Ok(Redirection::to(HERE).saying(true, "The password is changed. All other sessions have ended.").into())
}

/// Makes a personal key, and shows it once.
#[handler]
#[boxed]
pub async fn make_key(depot: &mut Depot) -> PageResult {
    let (visit, form) = (Visit::of(depot)?, Form::of(depot));
    let days = match form.text("expiration").trim() {
        "" => Value::Null,
        text => match text.parse::<i64>() {
            Ok(days) => days.into(),
            Err(_) => {
                let problem = Problem { field: "expiration".into(), text: "a whole number is expected".into() };
                return again(&visit, Part::Key, problem).await;
            }
        },
    };
    let body = json!({"name": form.text("name"), "expiration": days});
    let done = visit.run(create_personal_key, own().with_body(body)).await?;
    if let Some(problem) = done.problem(&FIELDS) {
        return again(&visit, Part::Key, problem).await;
    }
    let shown = Account { new_key: Some(done.text("/key")), ..view(&visit).await? };
    Ok(page(pages::page(&visit.frame, &shown)))
}

/// Ends a personal key.
#[handler]
#[boxed]
pub async fn revoke_key(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    let key: ApiKeyId = id(req, "key_id")?;
    let operation = Operation::on(&[("user_id", "me".to_string()), ("key_id", key.to_string())]);
    let done = visit.run(revoke_personal_key, operation).await?;
    Ok(said(HERE.into(), &done, "The key is refused from now on."))
}
