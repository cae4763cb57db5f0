//! Who calls, and what they may do. A project key decides the project whatever the path says, as clients of the contract
//! rely on; a personal key, or a session, needs membership of the project's organisation. The holder of a portal link is
//! refused by [`authorized`], and reaches only what is asked for through [`scoped`].

mod access;
mod caller;
pub mod password;
mod portal;
pub mod session;
pub mod throttle;
pub mod token;

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use posthouse_boxed::boxed;
use posthouse_schema::{
    api_key::{ApiKey, PlainKey},
    ids::{AuditedId, OrganisationId, ProjectId, SessionId, UserId},
    organisation::{self, Organisation},
    project::Project,
    words::{ActorKind, Role},
};
use salvo::prelude::*;

pub use self::{
    access::{Access, scoped},
    caller::Caller,
    portal::{PortalCache, PortalHolder, open_portal, portal_holder, portal_link, portal_only, portal_pages_secret},
};
use crate::{
    app::{App, app},
    audit::Actor,
    cache::Cache,
    error::ApiError,
};

/// A revoked key is refused everywhere within this time.
const KEY_TTL: Duration = Duration::from_secs(5);
const KEYS_MAX: usize = 50_000;

/// Keys that were checked lately, by their hash: a presented key is hashed, never compared in the clear.
#[derive(Debug)]
pub struct KeyCache(Cache<Vec<u8>, Arc<ApiKey>>);

impl KeyCache {
    /// Forgets a key, so that it is refused here at once.
    pub fn forget(&self, key: &ApiKey) {
        self.0.forget(&key.hash);
    }
}

impl Default for KeyCache {
    fn default() -> Self {
        Self(Cache::new(KEY_TTL, KEYS_MAX))
    }
}

/// What a caller wants to do with a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Read.
    View,
    /// Change.
    Manage,
    /// Change an endpoint itself, which only some portal links allow.
    ManageEndpoints,
}

/// Refuses a request without valid credentials, before anything else is looked at.
#[handler]
#[boxed]
pub async fn authenticate(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let outcome = match app(depot) {
        Ok(app) => holder(req, &app).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(Identity::Caller(caller, actor)) => {
            depot.insert_typed(caller);
            depot.insert_typed(actor);
        }
        Ok(Identity::Portal(holder)) => drop(depot.insert_typed(holder)),
        Err(error) => {
            error.answer(res);
            ctrl.skip_rest();
        }
    }
}

/// Who holds valid credentials. The holder of a portal link is no caller: whoever asks for one refuses it.
enum Identity {
    Caller(Caller, Actor),
    Portal(PortalHolder),
}

/// Who a request's credentials are of, other than of a portal link.
///
/// # Errors
/// 401 where they are missing or not valid; 503 when they cannot be checked.
pub async fn identify(req: &Request, app: &App) -> Result<Caller, ApiError> {
    match holder(req, app).await? {
        Identity::Caller(caller, _) => Ok(caller),
        Identity::Portal(_) => Err(ApiError::OutOfReach),
    }
}

async fn holder(req: &Request, app: &App) -> Result<Identity, ApiError> {
    let (scheme, credential) = credential(req).ok_or(ApiError::Unauthenticated)?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => match portal::check(credential, app).await? {
            Some(holder) => Ok(Identity::Portal(holder)),
            None => checked(credential, app).await.map(|(caller, actor)| Identity::Caller(caller, actor)),
        },
        "basic" => Err(ApiError::BadCredentials),
        _ => Err(ApiError::Unauthenticated),
    }
}

/// The scheme and the credential that a request carries.
fn credential(req: &Request) -> Option<(&str, &str)> {
    let (scheme, credential) = req.headers().get("authorization")?.to_str().ok()?.split_once(' ')?;
    (!credential.is_empty() && !credential.contains(' ')).then_some((scheme, credential))
}

/// The session whose token a request carries; `None` for a key.
///
/// # Errors
/// 401 for a token that is not valid.
pub async fn session(req: &Request, app: &App) -> Result<Option<SessionId>, ApiError> {
    match credential(req).map(|(_, credential)| credential).filter(|credential| token::has_form(credential)) {
        Some(access) => Ok(Some(session::check(app, access).await?.1)),
        None => Ok(None),
    }
}

/// The caller who holds this key, or whose session's token this is.
///
/// # Errors
/// 401 alike for unknown, wrong, expired and revoked keys; 503 when it cannot be checked.
pub async fn check(credential: &str, app: &App) -> Result<Caller, ApiError> {
    checked(credential, app).await.map(|(caller, _)| caller)
}

async fn checked(credential: &str, app: &App) -> Result<(Caller, Actor), ApiError> {
    let person = |user: UserId, key| (Caller::User { user }, Actor::person(user, key));
    if token::has_form(credential) {
        return session::check(app, credential).await.map(|(user, _)| person(user, None));
    }
    let plain = PlainKey::parse(credential).ok_or(ApiError::BadCredentials)?;
    let hash = plain.hash();
    let key = match app.keys.0.get(&hash) {
        Some(key) => key,
        None => {
            let found = ApiKey::find(&mut *app.conn().await?, &plain).await?;
            let key = Arc::new(found.ok_or(ApiError::BadCredentials)?);
            app.keys.0.put(hash, Arc::clone(&key));
            key
        }
    };
    if !key.is_live(Utc::now()) {
        return Err(ApiError::BadCredentials);
    }
    match (key.project_id, key.user_id) {
        (Some(project), None) => {
            let id = Some(AuditedId::from_bits(key.id.to_bits()));
            Ok((
                Caller::Project { project, role: key.role },
                Actor { kind: ActorKind::ProjectKey, id, key: Some(key.id) },
            ))
        }
        (None, Some(user)) => Ok(person(user, Some(key.id))),
        _ => Err(ApiError::BadCredentials),
    }
}

/// Who called.
///
/// # Errors
/// 401 on a route that nobody guards, and for the holder of a portal link.
pub fn caller(depot: &Depot) -> Result<Caller, ApiError> {
    let missing = if portal_holder(depot).is_some() { ApiError::OutOfReach } else { ApiError::Unauthenticated };
    depot.get_typed::<Caller>().copied().map_err(|_| missing)
}

/// The person who called.
///
/// # Errors
/// 403 for a project key, which is nobody.
pub fn user(depot: &Depot) -> Result<UserId, ApiError> {
    match caller(depot)? {
        Caller::User { user } => Ok(user),
        Caller::Project { .. } => Err(ApiError::Forbidden("Unauthorized")),
    }
}

/// Lets through only who runs the instance; an administrator of an organisation is not enough.
///
/// # Errors
/// 403 for everybody else.
pub async fn permit_instance(app: &App, user: UserId) -> Result<(), ApiError> {
    let roles = organisation::roles_of(&mut *app.conn().await?, user).await?;
    if roles.contains(&Role::InstanceAdmin) { Ok(()) } else { Err(ApiError::Forbidden("Unauthorized")) }
}

/// The shared state and the caller, who has to run the instance.
///
/// # Errors
/// 403 for everybody else, and for a project key; 401 for the holder of a portal link.
pub async fn instance_admin(depot: &Depot) -> Result<(Arc<App>, UserId), ApiError> {
    let (app, user) = (app(depot)?, user(depot)?);
    permit_instance(&app, user).await?;
    Ok((app, user))
}

/// The organisation that the path names, for who is a member of it, and the member's role.
///
/// # Errors
/// 400 for an organisation that does not exist or is not theirs, which look the same; 403 for a role that is too small.
pub async fn member(
    req: &Request,
    depot: &Depot,
    is_enough: fn(Role) -> bool,
) -> Result<(Arc<App>, Organisation, Role), ApiError> {
    let (app, user) = (app(depot)?, user(depot)?);
    let not_found = || ApiError::invalid("organisation not found");
    let id = req.param::<String>("org_id").and_then(|id| id.parse().ok()).ok_or_else(not_found)?;
    let mut conn = app.conn().await?;
    let organisation = Organisation::find(&mut conn, id).await?.ok_or_else(not_found)?;
    let role = organisation::role_of(&mut conn, id, user).await?.ok_or_else(not_found)?;
    drop(conn);
    if is_enough(role) { Ok((app, organisation, role)) } else { Err(ApiError::Forbidden("Unauthorized")) }
}

/// Whether the path, where it names an organisation, names the project's.
fn is_below(req: &Request, project: &Project) -> bool {
    req.param::<String>("org_id").is_none_or(|id| id.parse() == Ok(project.organisation_id))
}

/// The shared state and the project that this request is about, if the caller may do with it what they `need`.
///
/// # Errors
/// 400 for a project that does not exist or is not theirs, which look the same; 403 for a role that is too small; 401 for
/// the holder of a portal link, to whom only what [`scoped`] guards is open.
pub async fn authorized(req: &Request, depot: &Depot, need: Need) -> Result<(Arc<App>, Arc<Project>), ApiError> {
    let app = app(depot)?;
    let not_found =
        || ApiError::invalid(if need == Need::View { "project not found" } else { "failed to retrieve project" });
    match caller(depot)? {
        Caller::Project { project, role } => {
            let project = app.project(project).await?.filter(|own| is_below(req, own)).ok_or_else(not_found)?;
            permit(role, need)?;
            Ok((app, project))
        }
        Caller::User { user } => {
            let id: ProjectId =
                req.param::<String>("project_id").and_then(|id| id.parse().ok()).ok_or_else(not_found)?;
            let project = app.project(id).await?.filter(|found| is_below(req, found)).ok_or_else(not_found)?;
            let role = role(&app, project.organisation_id, user).await?.ok_or_else(not_found)?;
            permit(role, need)?;
            Ok((app, project))
        }
    }
}

/// The user's role in the organisation, or `None` for a stranger.
///
/// # Errors
/// 503 when the database is away.
pub async fn role(app: &App, organisation: OrganisationId, user: UserId) -> Result<Option<Role>, ApiError> {
    Ok(organisation::role_of(&mut *app.conn().await?, organisation, user).await?)
}

/// Whether the role is enough.
///
/// # Errors
/// 403.
pub const fn permit(role: Role, need: Need) -> Result<(), ApiError> {
    match (role, need) {
        (Role::InstanceAdmin | Role::OrganisationAdmin | Role::ProjectAdmin | Role::Api, _)
        | (Role::ProjectViewer, Need::View) => Ok(()),
        (Role::ProjectViewer | Role::BillingAdmin, _) => Err(ApiError::Forbidden("Unauthorized")),
    }
}
