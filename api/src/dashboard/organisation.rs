//! An organisation: its name, who belongs to it, and who is invited.

use posthouse_boxed::boxed;
use posthouse_pages::{
    form::Problem,
    organisation::{self as pages, FIELDS, InviteLine, MemberLine, OrganisationView},
};
use posthouse_schema::{
    ids::{InviteId, OrganisationId, UserId},
    invite::Invite,
    member,
    organisation::{self, Organisation},
    page::{Direction, PageRequest, Sort},
    words::Role,
};
use salvo::prelude::*;
use serde_json::json;

use super::{
    answer::{Answer, PageError, PageResult, Redirection},
    form::Form,
    operation::{Done, Operation},
    query,
    visit::{Visit, id, page, said},
};
use crate::organisations::{
    cancel_invite, create_invite, create_organisation, delete_organisation, remove_member, resend_invite,
    update_member, update_organisation,
};

const INVITES_MAX: u32 = 200;
/// The roles that an administrator of an organisation gives.
const GIVEN: [Role; 4] = [Role::OrganisationAdmin, Role::ProjectAdmin, Role::ProjectViewer, Role::BillingAdmin];

/// The routes of organisations.
pub fn router() -> Router {
    let members =
        Router::with_path("members/{member_id}").post(change_member).push(Router::with_path("remove").post(remove));
    let invite = Router::with_path("{invite_id}")
        .push(Router::with_path("resend").post(resend))
        .push(Router::with_path("cancel").post(cancel));
    let one = Router::with_path("organisations/{org_id}")
        .get(show)
        .push(Router::with_path("rename").post(rename))
        .push(Router::with_path("delete").post(delete))
        .push(members)
        .push(Router::with_path("invites").post(invite_somebody).push(invite));
    Router::new().push(Router::with_path("organisations/new").get(new).post(create)).push(one)
}

/// Shows it.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    Ok(page(pages::page(&visit.frame, &view(req, &visit).await?)))
}

async fn view(req: &mut Request, visit: &Visit) -> Result<OrganisationView, PageError> {
    let organisation: OrganisationId = id(req, "org_id")?;
    query::complete(req);
    let request = query::page::<UserId>(req)?;
    let mut conn = visit.app.conn().await?;
    let row = Organisation::find(&mut conn, organisation).await?.ok_or_else(PageError::not_found)?;
    let role = organisation::role_of(&mut conn, organisation, visit.user).await?.ok_or_else(PageError::not_found)?;
    let members = member::list(&mut conn, organisation, &request).await?;
    let path = format!("/organisations/{organisation}");
    let pager = query::pager(path, Vec::new(), &members, |(row, _)| row.user_id.to_string());
    let invites = if role.is_admin() {
        let newest = PageRequest {
            per_page: INVITES_MAX,
            sort: Sort::Descending,
            direction: Direction::Next,
            cursor: None::<InviteId>,
        };
        Invite::list_pending(&mut conn, organisation, &newest).await?.rows
    } else {
        Vec::new()
    };
    drop(conn);
    let mut roles: Vec<String> = GIVEN.iter().map(|role| role.as_str().to_string()).collect();
    if role == Role::InstanceAdmin {
        roles.insert(0, Role::InstanceAdmin.as_str().to_string());
    }
    Ok(OrganisationView {
        id: organisation.to_string(),
        name: row.name,
        is_admin: role.is_admin(),
        roles,
        members: members
            .rows
            .into_iter()
            .map(|(row, user)| MemberLine {
                id: row.user_id.to_string(),
                name: format!("{} {}", user.first_name, user.last_name).trim().to_string(),
                email: user.email,
                role: row.role.as_str().to_string(),
                is_self: row.user_id == visit.user,
                since: row.created_at,
            })
            .collect(),
        pager,
        invites: invites
            .into_iter()
            .map(|row| InviteLine {
                id: row.id.to_string(),
                email: row.invitee_email,
                role: row.role.as_str().to_string(),
                ends: row.expires_at,
            })
            .collect(),
        ..OrganisationView::default()
    })
}

/// An operation on what the path names in the organisation.
fn on(req: &Request, names: &[&'static str]) -> Operation {
    let named = |name: &&'static str| (*name, req.param::<String>(name).unwrap_or_default());
    let params: Vec<(&'static str, String)> = std::iter::once(&"org_id").chain(names).map(named).collect();
    Operation::on(&params)
}

/// Back to the organisation; where there is none that is theirs, nothing is said of it.
fn back(req: &Request, done: &Done, good: &str) -> PageResult {
    if done.message == "organisation not found" {
        return Err(PageError::not_found());
    }
    let organisation: OrganisationId = id(req, "org_id")?;
    Ok(said(format!("/organisations/{organisation}"), done, good))
}

/// The form for a new one.
#[handler]
#[boxed]
pub async fn new(depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    Ok(page(pages::new(&visit.frame, ("", None))))
}

/// Makes one.
#[handler]
#[boxed]
pub async fn create(depot: &mut Depot) -> PageResult {
    let (visit, form) = (Visit::of(depot)?, Form::of(depot));
    let name = form.text("name");
    let done = visit.run(create_organisation, Operation::on(&[]).with_body(json!({"name": name}))).await?;
    Ok(match done.problem(&FIELDS) {
        Some(problem) => Answer::Again(pages::new(&visit.frame, (name, Some(&problem)))),
        None => said("/projects".into(), &done, "The organisation is made. Make a project in it."),
    })
}

/// Ends it with its projects.
#[handler]
#[boxed]
pub async fn delete(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    let done = visit.run(delete_organisation, on(req, &[])).await?;
    if !done.code.is_success() {
        return back(req, &done, "");
    }
    Ok(Redirection::to("/projects").saying(true, "The organisation is deleted.").into())
}

/// Gives it another name.
#[handler]
#[boxed]
pub async fn rename(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, form) = (Visit::of(depot)?, Form::of(depot));
    let operation = on(req, &[]).with_body(json!({"name": form.text("name")}));
    let done = visit.run(update_organisation, operation).await?;
    match done.problem(&FIELDS).filter(|_| done.message != "organisation not found") {
        Some(problem) => again(req, &visit, "", problem).await,
        None => back(req, &done, "The organisation is renamed."),
    }
}

async fn again(req: &mut Request, visit: &Visit, email: &str, problem: Problem) -> PageResult {
    let view = OrganisationView { email: email.into(), problem: Some(problem), ..view(req, visit).await? };
    Ok(Answer::Again(pages::page(&visit.frame, &view)))
}

/// Gives a member another role.
#[handler]
#[boxed]
pub async fn change_member(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, form) = (Visit::of(depot)?, Form::of(depot));
    let operation = on(req, &["member_id"]).with_body(json!({"role": {"type": form.text("role")}}));
    let done = visit.run(update_member, operation).await?;
    back(req, &done, "The member has another role.")
}

/// Removes a member, who may be the reader.
#[handler]
#[boxed]
pub async fn remove(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    let member: UserId = id(req, "member_id")?;
    let done = visit.run(remove_member, on(req, &["member_id"])).await?;
    if done.code.is_success() && member == visit.user {
        return Ok(Redirection::to("/projects").saying(true, "You have left the organisation.").into());
    }
    back(req, &done, "The member is removed.")
}

/// Invites somebody, and shows the way by which they accept.
#[handler]
#[boxed]
pub async fn invite_somebody(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, form) = (Visit::of(depot)?, Form::of(depot));
    let email = form.text("invitee_email");
    let body = json!({"invitee_email": email, "role": {"type": form.text("role")}});
    let done = visit.run(create_invite, on(req, &[]).with_body(body)).await?;
    if let Some(problem) = done.problem(&FIELDS) {
        return again(req, &visit, email, problem).await;
    }
    let base = visit.app.settings.accounts.public_url.as_str().trim_end_matches('/').to_string();
    let token = done.text("/token/token");
    let link = (!token.is_empty()).then(|| format!("{base}/accept-invite?token={token}"));
    let view = OrganisationView { link, ..view(req, &visit).await? };
    Ok(page(pages::page(&visit.frame, &view)))
}

/// Sends an invitation again, with another token.
#[handler]
#[boxed]
pub async fn resend(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    let done = visit.run(resend_invite, on(req, &["invite_id"])).await?;
    back(req, &done, "The invitation is sent again; the link before is void.")
}

/// Takes an invitation back.
#[handler]
#[boxed]
pub async fn cancel(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    let done = visit.run(cancel_invite, on(req, &["invite_id"])).await?;
    back(req, &done, "The invitation is taken back.")
}
