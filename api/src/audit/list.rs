//! The list of who changed what: of a project for who may change it, of an organisation for its administrators.

use posthouse_boxed::boxed;
use posthouse_schema::{
    audit_log::{Audience, AuditEntry, AuditFilter},
    ids::AuditEntryId,
    words::Role,
};
use salvo::prelude::*;

use super::{Reader, wire::AuditEntryWire};
use crate::{
    auth::{Need, authorized, member},
    body::bounded,
    error::{ApiError, ApiResult},
    query::{self, Paged},
    reply::Reply,
};

/// Values of one key of the query.
const VALUES_MAX: usize = 50;

/// The route below a project.
pub fn project_router() -> Router {
    Router::with_path("audit-log").get(list_of_project)
}

/// The route below an organisation.
pub fn organisation_router() -> Router {
    Router::with_path("audit-log").get(list_of_organisation)
}

/// Lists who changed what in the project
///
/// For who may change it. Query: `actorId`, `action` and `resourceId` (repeatable), `startDate` and `endDate` (the last seven
/// days where they are missing), `sort`, and the page.
#[endpoint(tags("Audit Log"), operation_id = "GetProjectAuditLog")]
#[boxed]
pub async fn list_of_project(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<AuditEntryWire>> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    list(req, (app, Audience::Project(project.id))).await
}

/// Lists who changed what in the organisation and its projects
///
/// For its administrators. Query: as for a project.
#[endpoint(tags("Audit Log"), operation_id = "GetOrganisationAuditLog")]
#[boxed]
pub async fn list_of_organisation(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<AuditEntryWire>> {
    let (app, organisation, _) = member(req, depot, Role::is_admin).await?;
    list(req, (app, Audience::Organisation(organisation.id))).await
}

async fn list(req: &Request, (app, audience): Reader) -> ApiResult<Paged<AuditEntryWire>> {
    let (filter, page) = (filter(req)?, query::page::<AuditEntryId>(req)?);
    let rows = AuditEntry::list(&mut *app.conn().await?, audience, &filter, &page).await?;
    let paged = Paged::new(&page, rows, |row| row.id.to_string(), AuditEntryWire::from);
    Ok(Reply::ok("Audit log fetched successfully", paged))
}

/// What of the log the query asks for.
///
/// # Errors
/// 400 naming the key.
pub fn filter(req: &Request) -> Result<AuditFilter, ApiError> {
    let (from, to) = query::window(req, chrono::Utc::now())?;
    let (actor_ids, actions) = (query::ids(req, "actorId")?, query::list(req, "action"));
    let resource_ids = query::ids(req, "resourceId")?;
    actions.iter().try_for_each(|action| bounded("action", action))?;
    for (key, number) in [("actorId", actor_ids.len()), ("action", actions.len()), ("resourceId", resource_ids.len())] {
        if number > VALUES_MAX {
            return Err(ApiError::invalid(format!("{key}: at most {VALUES_MAX} are accepted")));
        }
    }
    Ok(AuditFilter { actor_ids, actions, resource_ids, from: Some(from), to: Some(to) })
}
