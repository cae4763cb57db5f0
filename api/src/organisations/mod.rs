//! Organisations: make, read, list, rename, delete; their members and invitations. Contract section 2.16.

mod invites;
mod members;
mod wire;

pub use self::{
    invites::{cancel_invite, create_invite, find_invite, process_invite, resend_invite},
    members::{remove_member, update_member},
};

use posthouse_boxed::boxed;
use posthouse_schema::{
    ids::OrganisationId,
    organisation::{self, Organisation},
    words::Role,
};
use salvo::prelude::*;

use self::wire::{OrganisationBody, OrganisationWire};
use crate::{
    accounts::input,
    app::app,
    auth::{self, member},
    body::read_json,
    error::{ApiError, ApiResult},
    query::{self, Paged},
    reply::{NoData, Reply},
};

const NAME_COMPLAINT: &str = "please provide a valid name";

/// Routes that need no credentials: who is invited may have no account.
pub fn guest_router() -> Router {
    Router::new()
        .push(Router::with_path("organisations/process_invite").post(invites::process_invite))
        .push(Router::with_path("users/token").get(invites::find_invite))
}

/// Handlers of the collection; `organisation` are the handlers of one.
pub fn collection_router(organisation: Router) -> Router {
    Router::with_path("organisations").get(list_organisations).post(create_organisation).push(organisation)
}

/// Handlers of one organisation; its projects are pushed by the router.
pub fn organisation_router() -> Router {
    Router::with_path("{org_id}")
        .get(get_organisation)
        .put(update_organisation)
        .delete(delete_organisation)
        .push(members::router())
        .push(invites::router())
        .push(crate::audit::list::organisation_router())
}

/// Lists the organisations that one belongs to
#[endpoint(tags("Organisations"), operation_id = "GetOrganisations")]
#[boxed]
pub async fn list_organisations(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<OrganisationWire>> {
    let (app, user) = (app(depot)?, auth::user(depot)?);
    let page = query::page::<OrganisationId>(req)?;
    let rows = Organisation::list_of(&mut *app.conn().await?, user, &page).await?;
    let paged = Paged::new(&page, rows, |row| row.id.to_string(), OrganisationWire::from);
    Ok(Reply::ok("Organisations fetched successfully", paged))
}

/// Makes an organisation
///
/// Who makes it is its administrator.
#[endpoint(tags("Organisations"), operation_id = "CreateOrganisation", request_body = OrganisationBody)]
#[boxed]
pub async fn create_organisation(req: &mut Request, depot: &mut Depot) -> ApiResult<OrganisationWire> {
    let (app, user) = (app(depot)?, auth::user(depot)?);
    let name = name(read_json(req, &app).await?)?;
    let row = organisation::insert_owned(&mut *app.conn().await?, &name, user).await?;
    Ok(Reply::created("Organisation created successfully", row.into()))
}

/// Reads an organisation
#[endpoint(tags("Organisations"), operation_id = "GetOrganisation")]
#[boxed]
pub async fn get_organisation(req: &mut Request, depot: &mut Depot) -> ApiResult<OrganisationWire> {
    let (_, organisation, _) = member(req, depot, |_| true).await?;
    Ok(Reply::ok("Organisation fetched successfully", organisation.into()))
}

/// Renames an organisation
#[endpoint(tags("Organisations"), operation_id = "UpdateOrganisation", request_body = OrganisationBody)]
#[boxed]
pub async fn update_organisation(req: &mut Request, depot: &mut Depot) -> ApiResult<OrganisationWire> {
    let (app, organisation, _) = member(req, depot, Role::is_admin).await?;
    let name = name(read_json(req, &app).await?)?;
    let row = Organisation::rename(&mut *app.conn().await?, organisation.id, &name).await?;
    let row = row.ok_or_else(|| ApiError::invalid("organisation not found"))?;
    Ok(Reply::accepted("Organisation updated successfully", row.into()))
}

/// Deletes an organisation with its projects
///
/// Their keys are refused everywhere within 5 seconds.
#[endpoint(tags("Organisations"), operation_id = "DeleteOrganisation")]
#[boxed]
pub async fn delete_organisation(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let (app, organisation, _) = member(req, depot, Role::is_admin).await?;
    Organisation::delete(&mut *app.conn().await?, organisation.id).await?;
    app.announce_source_change().await;
    Ok(Reply::ok("Organisation deleted successfully", NoData))
}

fn name(body: OrganisationBody) -> Result<String, ApiError> {
    if body.custom_domain.is_some_and(|domain| !domain.is_empty()) {
        return Err(ApiError::invalid("custom_domain: this version has no custom domains"));
    }
    input::title("name", body.name, NAME_COMPLAINT)
}
