//! Members: read, list, give another role, remove. Every member sees the others; administrators change them.

use posthouse_boxed::boxed;
use posthouse_schema::{
    ids::{OrganisationId, UserId},
    member::{self as rows, Member, MemberChange},
    pool::PooledConnection,
    user::User,
    words::Role,
};
use salvo::prelude::*;

use super::wire::{MemberBody, MemberWire, granted};
use crate::{
    auth::{self, member},
    body::read_json,
    error::{ApiError, ApiResult},
    query::{self, Paged},
    reply::{NoData, Reply},
};

/// The routes below an organisation.
pub fn router() -> Router {
    Router::with_path("members")
        .get(list_members)
        .push(Router::with_path("{member_id}").get(get_member).put(update_member).delete(remove_member))
}

/// Lists members
#[endpoint(tags("Organisations"), operation_id = "GetOrganisationMembers")]
#[boxed]
pub async fn list_members(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<MemberWire>> {
    let (app, organisation, _) = member(req, depot, |_| true).await?;
    let page = query::page::<UserId>(req)?;
    let found = rows::list(&mut *app.conn().await?, organisation.id, &page).await?;
    let paged = Paged::new(&page, found, |(row, _)| row.user_id.to_string(), MemberWire::from);
    Ok(Reply::ok("Organisation members fetched successfully", paged))
}

/// Reads a member
#[endpoint(tags("Organisations"), operation_id = "GetOrganisationMember")]
#[boxed]
pub async fn get_member(req: &mut Request, depot: &mut Depot) -> ApiResult<MemberWire> {
    let (app, organisation, _) = member(req, depot, |_| true).await?;
    let found = find(req, &mut app.conn().await?, organisation.id).await?;
    Ok(Reply::ok("Organisation member fetched successfully", found.into()))
}

/// Gives a member another role
///
/// An organisation keeps an administrator: the last one's role stays.
#[endpoint(tags("Organisations"), operation_id = "UpdateOrganisationMember", request_body = MemberBody)]
#[boxed]
pub async fn update_member(req: &mut Request, depot: &mut Depot) -> ApiResult<MemberWire> {
    let (app, organisation, giver) = member(req, depot, Role::is_admin).await?;
    let body: MemberBody = read_json(req, &app).await?;
    let role = granted(body.role, giver)?;
    let mut conn = app.conn().await?;
    let (old, _) = find(req, &mut conn, organisation.id).await?;
    may_touch(giver, old.role)?;
    done(rows::set_role(&mut conn, organisation.id, old.user_id, role).await?)?;
    let found = find(req, &mut conn, organisation.id).await?;
    Ok(Reply::accepted("Organisation member updated successfully", found.into()))
}

/// Removes a member
///
/// Members may leave by themselves. An organisation keeps an administrator: the last one stays.
#[endpoint(tags("Organisations"), operation_id = "DeleteOrganisationMember")]
#[boxed]
pub async fn remove_member(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let (app, organisation, role) = member(req, depot, |_| true).await?;
    let mut conn = app.conn().await?;
    let (old, _) = find(req, &mut conn, organisation.id).await?;
    if old.user_id != auth::user(depot)? {
        if !role.is_admin() {
            return Err(ApiError::Forbidden("Unauthorized"));
        }
        may_touch(role, old.role)?;
    }
    done(rows::remove(&mut conn, organisation.id, old.user_id).await?)?;
    Ok(Reply::ok("Organisation member deleted successfully", NoData))
}

fn not_found() -> ApiError {
    ApiError::NotFound("organisation member not found")
}

async fn find(
    req: &Request,
    conn: &mut PooledConnection,
    organisation: OrganisationId,
) -> Result<(Member, User), ApiError> {
    let id = req.param::<String>("member_id").and_then(|id| id.parse().ok()).ok_or_else(not_found)?;
    rows::find(conn, organisation, id).await?.ok_or_else(not_found)
}

/// Those who run the instance are changed by each other alone.
fn may_touch(giver: Role, old: Role) -> Result<(), ApiError> {
    if old == Role::InstanceAdmin && giver != Role::InstanceAdmin {
        Err(ApiError::Forbidden("Unauthorized"))
    } else {
        Ok(())
    }
}

fn done(change: MemberChange) -> Result<(), ApiError> {
    match change {
        MemberChange::Done => Ok(()),
        MemberChange::NotFound => Err(not_found()),
        MemberChange::LastAdmin => Err(ApiError::invalid("the organisation's last administrator cannot be lost")),
    }
}
