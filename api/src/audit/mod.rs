//! The audit log: a hoop around every changing handler writes who did what, and one list shows it. The line is there before
//! the handler begins, so that nothing changes without one, and says what came of it when the handler has ended (decision
//! 0025). Routers have the hoop for requests, and the dashboard's operations for the handlers that they run.

mod changes;
pub mod list;
pub mod operations;
pub mod reveal;
pub mod routes;
mod wire;

use std::sync::Arc;

use posthouse_boxed::boxed;
use posthouse_schema::{
    audit_log::{self, AuditEntry, Confirmation},
    ids::{ApiKeyId, AuditEntryId, AuditedId, OrganisationId, PortalLinkId, ProjectId, UserId},
    words::{ActorKind, AuditedKind, AuditedWay},
};
use salvo::{http::ResBody, prelude::*};
use serde_json::{Value, json};

use self::operations::Treatment;
use crate::{
    app::{App, app},
    auth::{self, Caller, throttle},
    error::ApiError,
};

/// Characters of a `User-Agent` that are kept.
const USER_AGENT_CHARS_MAX: usize = 256;

/// Who changes something: what the credentials say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// Of which kind.
    pub kind: ActorKind,
    /// The user, the key or the link.
    pub id: Option<AuditedId>,
    /// The key that a user came with; `None` for a session.
    pub key: Option<ApiKeyId>,
}

impl Actor {
    /// Somebody without credentials.
    pub const NOBODY: Self = Self { kind: ActorKind::Nobody, id: None, key: None };

    /// Who came by a portal link.
    pub const fn holder(link: PortalLinkId) -> Self {
        Self { kind: ActorKind::PortalLink, id: Some(AuditedId::from_bits(link.to_bits())), key: None }
    }

    /// A person, who came with this key or by a session.
    pub const fn person(user: UserId, key: Option<ApiKeyId>) -> Self {
        Self { kind: ActorKind::User, id: Some(AuditedId::from_bits(user.to_bits())), key }
    }
}

/// A line that is begun, and what it was begun with.
struct Begun {
    entry: AuditEntry,
    owner: Option<AuditedId>,
    before: Option<Value>,
    /// What it is done to, where a name tells that and no id: the part of the path, and what stands there.
    named: Option<(&'static str, String)>,
}

/// Writes the line of a changing request. Who runs a handler without one gives the request its method and its route
/// ([`routes::of`]), and puts the [`Actor`] and the [`AuditedWay`] into the depot.
#[handler]
#[boxed]
pub async fn record(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let Some((action, kind, named)) = recorded(req) else { return };
    let app = match app(depot) {
        Ok(app) => app,
        Err(error) => return refuse(&error, res, ctrl),
    };
    let begun = match begin(&app, req, depot, (action, kind, named), request_id(res)).await {
        Ok(begun) => begun,
        Err(error) => return refuse(&error, res, ctrl),
    };
    ctrl.call_next(req, depot, res).await;
    if let Err(error) = end(&app, &begun, res).await {
        // What was done cannot be taken back. The line stays as one that was begun.
        let Begun { entry, .. } = &begun;
        tracing::error!(
            audit_entry.id = %entry.id,
            action = entry.action,
            error = format!("{error:#}"),
            "What came of a change could not be noted in the audit log."
        );
    }
}

fn refuse(error: &ApiError, res: &mut Response, ctrl: &mut FlowCtrl) {
    error.answer(res);
    ctrl.skip_rest();
}

/// What the request is called, if it is to be recorded.
fn recorded(req: &Request) -> Option<(String, AuditedKind, Option<&'static str>)> {
    let (method, route) = (req.method().as_str(), req.matched_path());
    if matches!(method, "GET" | "HEAD" | "OPTIONS") || route.contains("{**") {
        return None;
    }
    match operations::treatment(method, route) {
        Some(Treatment::Exempt(_)) => None,
        Some(Treatment::Recorded { action, kind, named }) => Some((action.into(), kind, named)),
        None => Some((format!("{method} {route}"), AuditedKind::Project, None)),
    }
}

async fn begin(
    app: &App,
    req: &Request,
    depot: &Depot,
    (action, kind, named): (String, AuditedKind, Option<&'static str>),
    request_id: String,
) -> Result<Begun, ApiError> {
    let actor = actor(depot);
    let project = project(req, depot);
    let organisation: Option<OrganisationId> = match project {
        Some(id) => app.project(id).await?.map(|project| project.organisation_id),
        None => req.param::<String>("org_id").and_then(|id| id.parse().ok()),
    };
    let resource_id = match (kind, named) {
        (AuditedKind::Project, Some(_)) => project.map(|id| AuditedId::from_bits(id.to_bits())),
        (_, Some(name)) => req.param::<String>(name).and_then(|id| if id == "me" { actor.id } else { id.parse().ok() }),
        (_, None) => None,
    };
    let owner = owner(kind, project, organisation);
    let entry = AuditEntry {
        id: AuditEntryId::generate(),
        organisation_id: organisation,
        // What is deleted by its owner is of the organisation, which is there to be asked.
        project_id: project,
        actor_kind: actor.kind,
        actor_id: actor.id,
        api_key_id: actor.key,
        action,
        resource_kind: kind,
        resource_id,
        is_confirmed: false,
        changes: Value::Object(serde_json::Map::new()),
        request_id,
        source_address: source_address(req, app),
        user_agent: user_agent(req),
        way: depot.get_typed::<AuditedWay>().copied().unwrap_or(AuditedWay::Api),
    };
    let named = named.filter(|_| resource_id.is_none()).and_then(|part| Some((part, req.param::<String>(part)?)));
    let mut conn = app.conn().await?;
    let before = match resource_id {
        Some(id) => audit_log::snapshot(&mut conn, kind, id, owner).await?,
        None => None,
    };
    entry.insert(&mut conn).await?;
    Ok(Begun { entry, owner, before, named })
}

/// Confirms the line, or takes it back where nothing was done.
async fn end(app: &App, begun: &Begun, res: &Response) -> Result<(), ApiError> {
    let mut conn = app.conn().await?;
    let Begun { entry, owner, before, named: place } = begun;
    if !res.status_code.is_none_or(|status| status.is_success()) {
        return Ok(entry.withdraw(&mut conn).await?);
    }
    let resource_id = entry.resource_id.or_else(|| answered_id(res));
    let after = match resource_id {
        Some(id) => audit_log::snapshot(&mut conn, entry.resource_kind, id, *owner).await?,
        None => None,
    };
    let named = |column: &str| {
        let text = after.as_ref().or(before.as_ref())?.get(column)?.as_str()?;
        u128::from_str_radix(&text.replace('-', ""), 16).ok()
    };
    let own = |kind| (entry.resource_kind == kind).then(|| resource_id.map(AuditedId::to_bits)).flatten();
    let done = Confirmation {
        resource_id,
        organisation_id: own(AuditedKind::Organisation).or(named("organisation_id")).map(OrganisationId::from_bits),
        project_id: own(AuditedKind::Project).or(named("project_id")).map(ProjectId::from_bits),
        changes: match place {
            Some((part, name)) => json!({*part: {"before": name, "after": name}}),
            None => changes::between(before.as_ref(), after.as_ref()),
        },
    };
    Ok(entry.confirm(&mut conn, &done).await?)
}

fn actor(depot: &Depot) -> Actor {
    if let Some(holder) = auth::portal_holder(depot) {
        return Actor::holder(holder.link);
    }
    depot.get_typed::<Actor>().copied().unwrap_or(Actor::NOBODY)
}

/// The project that the request is about: that of the credentials, whatever the path says, or that of the path.
fn project(req: &Request, depot: &Depot) -> Option<ProjectId> {
    if let Some(holder) = auth::portal_holder(depot) {
        return Some(holder.project);
    }
    match depot.get_typed::<Caller>() {
        Ok(Caller::Project { project, .. }) => Some(*project),
        _ => req.param::<String>("project_id").and_then(|id| id.parse().ok()),
    }
}

/// Whose a resource of this kind has to be.
fn owner(kind: AuditedKind, project: Option<ProjectId>, organisation: Option<OrganisationId>) -> Option<AuditedId> {
    match kind {
        AuditedKind::Member | AuditedKind::Invite => organisation.map(|id| AuditedId::from_bits(id.to_bits())),
        _ => project.map(|id| AuditedId::from_bits(id.to_bits())),
    }
}

/// The request's id, as its answer has it.
fn request_id(res: &Response) -> String {
    res.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_string()
}

/// Where the request came from.
fn source_address(req: &Request, app: &App) -> String {
    throttle::client(req, app).map(|address| address.to_string()).unwrap_or_default()
}

fn user_agent(req: &Request) -> String {
    let text = req.headers().get("user-agent").and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS_MAX).collect()
}

/// The id of what was made, as the answer tells it.
fn answered_id(res: &Response) -> Option<AuditedId> {
    let ResBody::Once(bytes) = &res.body else { return None };
    let answer: Value = serde_json::from_slice(bytes).ok()?;
    let data = answer.get("data")?;
    let uid = |value: &Value| value.get("uid")?.as_str()?.parse().ok();
    uid(data).or_else(|| ["project", "user", "api_key"].iter().find_map(|part| uid(data.get(part)?)))
}

/// The shared state, for who may read the lines of a project or an organisation.
pub(super) type Reader = (Arc<App>, audit_log::Audience);
