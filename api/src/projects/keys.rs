//! Keys of a project, one by one: made, listed, revoked. They are for people who look after the project, and not for whoever
//! has a key.

use chrono::{DateTime, TimeDelta, Utc};
use posthouse_boxed::boxed;
use posthouse_schema::{
    api_key::{ApiKey, Owner},
    ids::ApiKeyId,
    words::Role,
};
use salvo::{oapi::ToSchema, prelude::*};
use serde::{Deserialize, Serialize};

use super::wire::KeyWire;
use crate::{
    auth::{Need, authorized, user},
    body::{bounded, read_json, required},
    error::{ApiError, ApiResult},
    query::{self, Paged},
    reply::{NoData, Reply},
};

const DAYS_MAX: i64 = 3_650;
const KEYS_MAX: i64 = 100;
/// What a project's key may do.
const ROLES: [Role; 2] = [Role::ProjectAdmin, Role::ProjectViewer];

/// The routes below a project.
pub fn router() -> Router {
    Router::with_path("security/keys")
        .get(list_project_keys)
        .post(create_project_key)
        .push(Router::with_path("{key_id}/revoke").put(revoke_project_key))
}

/// What a key of a project is made with.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ProjectKeyBody {
    /// What it is called.
    pub name: Option<String>,
    /// `project_admin` (everything in the project) or `project_viewer` (reads it); the first where it is missing.
    pub role: Option<String>,
    /// Days until it ends, at most 3,650; it does not where this is missing.
    pub expiration: Option<i64>,
}

/// A key of a project, without the key itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectKeyWire {
    /// Its id.
    pub uid: String,
    /// What it is called.
    pub name: String,
    /// What its holder may do.
    pub role: String,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl From<ApiKey> for ProjectKeyWire {
    fn from(row: ApiKey) -> Self {
        Self {
            uid: row.id.to_string(),
            name: row.name,
            role: row.role.to_string(),
            expires_at: row.expires_at,
            created_at: row.created_at,
        }
    }
}

/// Lists a project's keys
///
/// Those that were not revoked, a page at a time. Needs a session or a personal key.
#[endpoint(tags("Projects"), operation_id = "GetProjectAPIKeys")]
#[boxed]
pub async fn list_project_keys(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<ProjectKeyWire>> {
    user(depot)?;
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let page = query::page::<ApiKeyId>(req)?;
    let rows = ApiKey::list(&mut *app.conn().await?, Owner::Project(project.id), &page).await?;
    let paged = Paged::new(&page, rows, |row| row.id.to_string(), ProjectKeyWire::from);
    Ok(Reply::ok("api keys fetched successfully", paged))
}

/// Makes a key of a project
///
/// It is shown only in this answer; those before it stay valid. Needs a session or a personal key.
#[endpoint(tags("Projects"), operation_id = "CreateProjectAPIKey", request_body = ProjectKeyBody)]
#[boxed]
pub async fn create_project_key(req: &mut Request, depot: &mut Depot) -> ApiResult<KeyWire> {
    user(depot)?;
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: ProjectKeyBody = read_json(req, &app).await?;
    let name = required("name", body.name, "please provide a valid name")?;
    bounded("name", &name)?;
    let word = body.role.filter(|word| !word.is_empty()).unwrap_or_else(|| Role::ProjectAdmin.to_string());
    let role = Role::parse(&word).filter(|role| ROLES.contains(role));
    let role = role.ok_or_else(|| ApiError::invalid("role: one of project_admin, project_viewer is expected"))?;
    let days = body.expiration.unwrap_or_default();
    if !(0..=DAYS_MAX).contains(&days) {
        return Err(ApiError::invalid(format!("expiration: a number of days between 0 and {DAYS_MAX} is expected")));
    }
    let end = (days > 0).then(|| Utc::now() + TimeDelta::days(days));
    let owner = Owner::Project(project.id);
    let mut conn = app.conn().await?;
    if ApiKey::count_live(&mut conn, owner).await? >= KEYS_MAX {
        return Err(ApiError::invalid(format!(
            "at most {KEYS_MAX} keys of a project can be valid at once; revoke one"
        )));
    }
    let (row, plain) = ApiKey::insert(&mut conn, owner, &name, role, end).await?;
    Ok(Reply::created("api key created successfully", KeyWire::new(&row, &plain)))
}

/// Revokes a key of a project
///
/// It is refused at once here, and everywhere within 5 seconds. Needs a session or a personal key: a key that leaked cannot
/// lock its project's programs out.
#[endpoint(tags("Projects"), operation_id = "RevokeProjectAPIKey")]
#[boxed]
pub async fn revoke_project_key(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    user(depot)?;
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let not_found = || ApiError::NotFound("api key not found");
    let id: ApiKeyId = req.param::<String>("key_id").and_then(|id| id.parse().ok()).ok_or_else(not_found)?;
    let revoked = ApiKey::revoke_of_project(&mut *app.conn().await?, project.id, id).await?.ok_or_else(not_found)?;
    app.keys.forget(&revoked);
    Ok(Reply::ok("api key revoked successfully", NoData))
}
