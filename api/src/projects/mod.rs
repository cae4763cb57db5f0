//! Projects: make, read, list, change, delete.

mod dashboard;
mod keys;
mod meta_event;
pub mod portal;
mod settings;
mod summary;
pub mod wire;

pub use self::{
    dashboard::regenerate_key,
    keys::{create_project_key, revoke_project_key},
};

use posthouse_boxed::boxed;
use posthouse_schema::{
    DatabaseErrorKind, QueryError,
    ids::OrganisationId,
    organisation::Organisation,
    project::{NewProject, Project},
    project_config::ProjectConfig,
    words::{ProjectKind, Role},
};
use salvo::prelude::*;
use serde_json::Value;
use url::Url;

use self::wire::{KeyWire, NewProjectWire, ProjectBody, ProjectWire};
use crate::{
    app::{App, app},
    auth::{Caller, Need, authorized, caller, permit, role, user},
    body::{bounded, read_json, required},
    error::{ApiError, ApiResult},
    query,
    reply::{NoData, Reply},
};

/// Projects that one answer lists.
const PROJECTS_MAX: i64 = 1_000;

/// Handlers of one project; what lies below it is pushed by the router.
pub fn project_router() -> Router {
    Router::with_path("{project_id}").get(get_project).put(update_project).post(update_project).delete(delete_project)
}

/// Handlers of the collection.
pub fn collection_router() -> Router {
    Router::with_path("projects").get(list_projects).post(create_project)
}

/// The summary, for the dashboard and for portals.
pub fn summary_router() -> Router {
    Router::with_path("dashboard/summary").get(summary::get_summary)
}

/// What only the dashboard asks of a project.
pub fn dashboard_router() -> Router {
    Router::new()
        .push(Router::with_path("stats").get(dashboard::get_stats))
        .push(Router::with_path("security/keys/regenerate").put(dashboard::regenerate_key))
        .push(keys::router())
        .push(summary_router())
}

/// Lists projects
///
/// Query: `orgID`, or the header `X-Organisation-Id`. A project key lists its own organisation's.
#[endpoint(tags("Projects"), operation_id = "GetProjects")]
#[boxed]
pub async fn list_projects(req: &mut Request, depot: &mut Depot) -> ApiResult<Vec<ProjectWire>> {
    let (app, caller) = (app(depot)?, caller(depot)?);
    let organisation = organisation(req, &app).await?;
    match caller {
        // A project key opens one project, and sees no other.
        Caller::Project { project, .. } => {
            let own = app.project(project).await?.filter(|own| own.organisation_id == organisation);
            Ok(Reply::ok(
                "Projects fetched successfully",
                own.iter().map(|own| ProjectWire::from(own.as_ref())).collect(),
            ))
        }
        Caller::User { user } => {
            let role = role(&app, organisation, user).await?;
            permit(role.ok_or(ApiError::Forbidden("Unauthorized: must be a member of the organisation"))?, Need::View)?;
            let rows = Project::list(&mut *app.conn().await?, organisation, PROJECTS_MAX).await?;
            Ok(Reply::ok("Projects fetched successfully", rows.iter().map(ProjectWire::from).collect()))
        }
    }
}

/// Makes a project with its first key
///
/// Needs a personal key of an organisation's administrator. The key is shown only in this answer.
#[endpoint(tags("Projects"), operation_id = "CreateProject", request_body = ProjectBody)]
#[boxed]
pub async fn create_project(req: &mut Request, depot: &mut Depot) -> ApiResult<NewProjectWire> {
    let app = app(depot)?;
    caller(depot)?;
    if named_organisation(req).is_none() {
        return Err(ApiError::NotFound("Organization not found"));
    }
    let organisation_id = organisation(req, &app).await?;
    let user = user(depot)?;
    if !role(&app, organisation_id, user).await?.is_some_and(Role::is_admin) {
        return Err(ApiError::Forbidden("Unauthorized"));
    }
    let body: ProjectBody = read_json(req, &app).await?;
    let name = required("name", body.name, "please provide a valid name")?;
    let kind = body
        .kind
        .as_deref()
        .and_then(ProjectKind::parse)
        .ok_or_else(|| ApiError::invalid("type:please provide a valid type: outgoing or incoming"))?;
    let logo_url = logo_url(body.logo_url)?.unwrap_or_default();
    let config = settings::patched(&ProjectConfig::default(), body.config, kind)?;
    let new = NewProject { organisation_id, name, kind, logo_url, config };
    let made = Project::insert_with_key(&mut *app.conn().await?, &new).await;
    let (project, key, plain) = made.map_err(name_taken)?;
    let data = NewProjectWire { api_key: KeyWire::new(&key, &plain), project: ProjectWire::new(&project, true) };
    Ok(Reply::created("Project created successfully", data))
}

/// Reads a project
#[endpoint(tags("Projects"), operation_id = "GetProject")]
#[boxed]
pub async fn get_project(req: &mut Request, depot: &mut Depot) -> ApiResult<ProjectWire> {
    let (_, project) = authorized(req, depot, Need::View).await?;
    Ok(Reply::ok("Project fetched successfully", ProjectWire::from(project.as_ref())))
}

/// Changes a project
///
/// Settings are merged by key: what is missing keeps its value.
#[endpoint(tags("Projects"), operation_id = "UpdateProject", request_body = ProjectBody)]
#[boxed]
pub async fn update_project(req: &mut Request, depot: &mut Depot) -> ApiResult<ProjectWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: ProjectBody = read_json(req, &app).await?;
    let mut changed = project.as_ref().clone();
    changed.name = required("name", body.name, "please provide a valid name")?;
    changed.logo_url = logo_url(body.logo_url)?.unwrap_or(changed.logo_url);
    let has_meta_event = body.config.as_ref().and_then(|config| config.get("meta_event")).is_some_and(Value::is_object);
    changed.config = settings::patched(&changed.config, body.config, changed.kind)?;
    let row = Project::update(&mut *app.conn().await?, &changed).await.map_err(name_taken)?;
    app.projects.forget(&project.id);
    let row = row.ok_or_else(|| ApiError::invalid("project not found"))?;
    let shown = ProjectWire::from(&row);
    let shown = if has_meta_event { shown.with_meta_event_as_given(&row.config.meta_event) } else { shown };
    Ok(Reply::accepted("Project updated successfully", shown))
}

/// Deletes a project
#[endpoint(tags("Projects"), operation_id = "DeleteProject")]
#[boxed]
pub async fn delete_project(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    // Reading comes first: what is not there is said in its words.
    authorized(req, depot, Need::View).await?;
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    Project::delete(&mut *app.conn().await?, project.id).await?;
    app.projects.forget(&project.id);
    app.announce_source_change().await;
    Ok(Reply::ok("Project deleted successfully", NoData))
}

/// The organisation that the request names: by the dashboard's path, by query, or by header.
fn named_organisation(req: &Request) -> Option<String> {
    req.param::<String>("org_id")
        .or_else(|| query::one(req, "orgID"))
        .or_else(|| req.header::<String>("x-organisation-id").filter(|id| !id.is_empty()))
}

async fn organisation(req: &Request, app: &App) -> Result<OrganisationId, ApiError> {
    let named = named_organisation(req).ok_or_else(|| {
        ApiError::invalid("orgID: please name the organisation, as query or by the header X-Organisation-Id")
    })?;
    let not_found = || ApiError::invalid("organisation not found");
    let id = named.parse().map_err(|_| not_found())?;
    Organisation::find(&mut *app.conn().await?, id).await?.map(|found| found.id).ok_or_else(not_found)
}

/// A picture's address, which only browsers read.
fn logo_url(given: Option<String>) -> Result<Option<String>, ApiError> {
    let Some(text) = given else { return Ok(None) };
    bounded("logo_url", &text)?;
    let is_url = || Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if text.is_empty() || is_url() {
        Ok(Some(text))
    } else {
        Err(ApiError::invalid("logo_url:please provide a valid logo url"))
    }
}

fn name_taken(error: QueryError) -> ApiError {
    match error {
        QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
            ApiError::invalid("a project with this name already exists")
        }
        other => other.into(),
    }
}
