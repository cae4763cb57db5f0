//! Personal keys: what a user gives a program to act as them.

use chrono::{TimeDelta, Utc};
use posthouse_boxed::boxed;
use posthouse_schema::{
    api_key::{ApiKey, Owner},
    ids::ApiKeyId,
    organisation,
    words::Role,
};
use salvo::prelude::*;

use super::{
    input,
    wire::{PersonalKeyBody, PersonalKeyWire},
};
use crate::{
    app::app,
    body::read_json,
    error::{ApiError, ApiResult},
    projects::wire::KeyWire,
    query::{self, Paged},
    reply::{NoData, Reply},
};

const DAYS_MAX: i64 = 3_650;
const KEYS_MAX: i64 = 100;

/// Makes a personal key
///
/// It may do what its user may, wherever the user is a member. It is shown only in this answer.
#[endpoint(tags("Accounts"), operation_id = "CreatePersonalApiKey", request_body = PersonalKeyBody)]
#[boxed]
pub async fn create_personal_key(req: &mut Request, depot: &mut Depot) -> ApiResult<KeyWire> {
    let app = app(depot)?;
    let user = super::own_id(req, depot)?;
    let body: PersonalKeyBody = read_json(req, &app).await?;
    let name = input::title("name", body.name, "please provide a valid name")?;
    let days = body.expiration.unwrap_or(0);
    if !(0..=DAYS_MAX).contains(&days) {
        return Err(ApiError::invalid(format!("expiration: a number of days between 0 and {DAYS_MAX} is expected")));
    }
    let end = Utc::now() + TimeDelta::days(days.max(1));
    let owner = Owner::User(user);
    let mut conn = app.conn().await?;
    if ApiKey::count_live(&mut conn, owner).await? >= KEYS_MAX {
        return Err(ApiError::invalid(format!("at most {KEYS_MAX} personal keys can be valid at once; revoke one")));
    }
    // What the key may do follows from its user's memberships; its own role only tells what they amounted to.
    let roles = organisation::roles_of(&mut conn, user).await?;
    let role = roles.into_iter().min_by_key(|role| rank(*role)).unwrap_or(Role::ProjectViewer);
    let (row, plain) = ApiKey::insert(&mut conn, owner, &name, role, Some(end)).await?;
    Ok(Reply::created("Personal Api Key created successfully", KeyWire::new(&row, &plain)))
}

fn rank(role: Role) -> Option<usize> {
    Role::ALL.iter().position(|known| *known == role)
}

/// Lists one's own personal keys
///
/// Those that were not revoked, a page at a time.
#[endpoint(tags("Accounts"), operation_id = "GetPersonalApiKeys")]
#[boxed]
pub async fn list_personal_keys(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<PersonalKeyWire>> {
    let app = app(depot)?;
    let user = super::own_id(req, depot)?;
    let page = query::page::<ApiKeyId>(req)?;
    let rows = ApiKey::list(&mut *app.conn().await?, Owner::User(user), &page).await?;
    let paged = Paged::new(&page, rows, |row| row.id.to_string(), PersonalKeyWire::from);
    Ok(Reply::ok("api keys fetched successfully", paged))
}

/// Revokes one of one's own personal keys
///
/// It is refused at once here, and everywhere within 5 seconds.
#[endpoint(tags("Accounts"), operation_id = "RevokePersonalApiKey")]
#[boxed]
pub async fn revoke_personal_key(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let app = app(depot)?;
    let user = super::own_id(req, depot)?;
    let not_found = || ApiError::NotFound("api key not found");
    let id: ApiKeyId = req.param::<String>("key_id").and_then(|id| id.parse().ok()).ok_or_else(not_found)?;
    let revoked = ApiKey::revoke_of(&mut *app.conn().await?, user, id).await?.ok_or_else(not_found)?;
    app.keys.forget(&revoked);
    Ok(Reply::ok("personal api key revoked successfully", NoData))
}
