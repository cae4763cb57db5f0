//! The projects of the reader's organisations.

use posthouse_boxed::boxed;
use posthouse_pages::projects::{self as pages, NewProject, OrganisationSection, ProjectLine};
use posthouse_schema::{
    ids::OrganisationId,
    organisation::{self, Organisation},
    page::{Direction, PageRequest, Sort},
    project::Project,
    words::Role,
};
use salvo::prelude::*;
use serde_json::json;

use super::{
    answer::{Answer, PageError, PageResult},
    form::Form,
    operation::Operation,
    visit::{Visit, id, page},
};
use crate::{
    auth::{Need, permit},
    projects::create_project,
};

const ORGANISATIONS_MAX: u32 = 100;
const PROJECTS_MAX: i64 = 200;
const FIELDS: [&str; 2] = ["name", "type"];

/// The routes of projects that are not of one.
pub fn router() -> Router {
    Router::new()
        .push(Router::with_path("projects").get(list))
        .push(Router::with_path("organisations/{org_id}/new-project").get(new).post(create))
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(depot: &mut Depot) -> PageResult {
    let mut visit = Visit::of(depot)?;
    let request = PageRequest {
        per_page: ORGANISATIONS_MAX,
        sort: Sort::Ascending,
        direction: Direction::Next,
        cursor: None::<OrganisationId>,
    };
    let mut conn = visit.app.conn().await?;
    let mut sections = Vec::new();
    for organisation in Organisation::list_of(&mut conn, visit.user, &request).await?.rows {
        let Some(role) = organisation::role_of(&mut conn, organisation.id, visit.user).await? else { continue };
        visit.frame.runs_instance |= role == Role::InstanceAdmin;
        let projects = if permit(role, Need::View).is_ok() {
            Project::list(&mut conn, organisation.id, PROJECTS_MAX).await?
        } else {
            Vec::new()
        };
        let line = |project: Project| ProjectLine {
            id: project.id.to_string(),
            name: project.name,
            kind: project.kind.to_string(),
            created_at: project.created_at,
        };
        sections.push(OrganisationSection {
            id: organisation.id.to_string(),
            name: organisation.name,
            role: role.as_str().replace('_', " "),
            is_admin: role.is_admin(),
            projects: projects.into_iter().map(line).collect(),
        });
    }
    Ok(page(pages::list(&visit.frame, &sections)))
}

/// The organisation that the path names, if the reader may make projects in it.
async fn organisation(req: &Request, visit: &Visit) -> Result<Organisation, PageError> {
    let organisation: OrganisationId = id(req, "org_id")?;
    let mut conn = visit.app.conn().await?;
    let found = Organisation::find(&mut conn, organisation).await?.ok_or_else(PageError::not_found)?;
    let role = organisation::role_of(&mut conn, found.id, visit.user).await?;
    if role.is_some_and(Role::is_admin) { Ok(found) } else { Err(PageError::not_found()) }
}

/// The form for a new one.
#[handler]
#[boxed]
pub async fn new(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    let organisation = organisation(req, &visit).await?;
    let view = NewProject {
        organisation_id: organisation.id.to_string(),
        organisation_name: organisation.name,
        ..NewProject::default()
    };
    Ok(page(pages::new(&visit.frame, &view)))
}

/// Makes one, and shows its first key.
#[handler]
#[boxed]
pub async fn create(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, form) = (Visit::of(depot)?, Form::of(depot));
    let organisation = organisation(req, &visit).await?;
    let operation = Operation::on(&[("org_id", organisation.id.to_string())])
        .with_body(json!({"name": form.text("name"), "type": form.text("type")}));
    let done = visit.run(create_project, operation).await?;
    if let Some(problem) = done.problem(&FIELDS) {
        let view = NewProject {
            organisation_id: organisation.id.to_string(),
            organisation_name: organisation.name,
            name: form.text("name").into(),
            kind: form.text("type").into(),
            problem: Some(problem),
        };
        return Ok(Answer::Again(pages::new(&visit.frame, &view)));
    }
    let (project, name, key) = (done.text("/project/uid"), done.text("/project/name"), done.text("/api_key/key"));
    Ok(page(pages::made(&visit.frame, (&project, &name, &key))))
}
