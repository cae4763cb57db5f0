//! Portal links: make, read, list, change, revoke, and ask for a key.

mod input;
mod opened;
pub mod wire;

use chrono::Utc;
use posthouse_boxed::boxed;
use posthouse_schema::{
    ids::{PortalLinkId, ProjectId},
    portal_key::{self, PortalKey},
    portal_link::{PortalLink, PortalLinkFilter},
    words::PortalAuthType,
};
use salvo::prelude::*;

use self::{
    opened::Opened,
    wire::{PortalLinkBody, PortalLinkWire},
};
use crate::{
    app::App,
    auth::{Need, authorized},
    body::{parse, read, read_json},
    error::{ApiError, ApiResult},
    query::{self, Paged},
    reply::{NoData, Reply},
};

const UNKNOWN: ApiError = ApiError::NotFound("Resource not found");

/// The routes below a project.
pub fn router() -> Router {
    Router::with_path("portal-links").get(list_portal_links).post(create_portal_link).push(
        Router::with_path("{portal_link_id}")
            .get(get_portal_link)
            .put(update_portal_link)
            .push(Router::with_path("refresh_token").get(refresh_portal_link))
            .push(Router::with_path("revoke").put(revoke_portal_link)),
    )
}

/// Makes a portal link
///
/// Its holder sees the endpoints of the owner and what belongs to them, and nothing else of the project. With `auth_type`
/// `refresh_token` the answer holds a first key.
#[endpoint(tags("Portal Links"), operation_id = "CreatePortalLink", request_body = PortalLinkBody)]
#[boxed]
pub async fn create_portal_link(req: &mut Request, depot: &mut Depot) -> ApiResult<PortalLinkWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: PortalLinkBody = read_json(req, &app).await?;
    let mut conn = app.conn().await?;
    let values = input::values(body, project.id, &mut conn, None).await?;
    let row = PortalLink::insert(&mut conn, project.id, &values).await?;
    drop(conn);
    Ok(Reply::created("Portal link created successfully", changed(&app, row).await?))
}

/// Lists portal links
///
/// Query: `ownerId`, `endpointId` (repeatable), `q` (part of the name), and the page.
#[endpoint(tags("Portal Links"), operation_id = "LoadPortalLinksPaged")]
#[boxed]
pub async fn list_portal_links(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<PortalLinkWire>> {
    let (app, project) = authorized(req, depot, Need::View).await?;
    let filter = PortalLinkFilter {
        name_part: query::text(req, "q")?,
        owner_id: query::text(req, "ownerId")?,
        endpoint_ids: query::ids(req, "endpointId")?,
    };
    let page = query::page::<PortalLinkId>(req)?;
    let mut conn = app.conn().await?;
    let rows = PortalLink::list(&mut conn, project.id, &filter, &page).await?;
    let opened = Opened::read(&mut conn, project.id, &rows.rows).await?;
    drop(conn);
    let opens = opens(req, depot).await;
    let show = |row: PortalLink| {
        let shown = opened.show(row, "", app.settings.public_url.as_deref().unwrap_or_default());
        if opens { shown } else { shown.without_token() }
    };
    Ok(Reply::ok("Portal links fetched successfully", Paged::new(&page, rows, |row| row.id.to_string(), show)))
}

/// Reads a portal link
///
/// `auth_key` is empty: reading makes no keys. Who may only read the project sees no `token`.
#[endpoint(tags("Portal Links"), operation_id = "GetPortalLink")]
#[boxed]
pub async fn get_portal_link(req: &mut Request, depot: &mut Depot) -> ApiResult<PortalLinkWire> {
    let (app, project) = authorized(req, depot, Need::View).await?;
    let row = PortalLink::find(&mut *app.conn().await?, project.id, id(req)?).await?.ok_or(UNKNOWN)?;
    let shown = show(&app, row, "").await?;
    Ok(Reply::ok(
        "Portal link fetched successfully",
        if opens(req, depot).await { shown } else { shown.without_token() },
    ))
}

/// Makes a key of a portal link
///
/// The key is valid for an hour and shown once; those before it stay valid. Only links with `auth_type` `refresh_token`
/// have keys.
#[endpoint(tags("Portal Links"), operation_id = "RefreshPortalLinkAuthToken")]
#[boxed]
pub async fn refresh_portal_link(req: &mut Request, depot: &mut Depot) -> ApiResult<String> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let unknown = || ApiError::invalid("portal link not found");
    let id = id(req).map_err(|_| unknown())?;
    let row = PortalLink::find(&mut *app.conn().await?, project.id, id).await?.ok_or_else(unknown)?;
    if row.auth_type != PortalAuthType::RefreshToken {
        return Err(ApiError::invalid("the portal link's auth_type is static_token: its token is its only key"));
    }
    Ok(Reply::ok("Portal link auth token generated successfully", new_key(&app, &row).await?))
}

/// Changes a portal link
///
/// `name` is required; what else is missing keeps its value. Another `auth_type` ends the token and the keys of the link.
/// The JSON string `"{}"` instead of an object revokes the link, as some clients do.
#[endpoint(tags("Portal Links"), operation_id = "UpdatePortalLink", request_body = PortalLinkBody)]
#[boxed]
pub async fn update_portal_link(
    req: &mut Request,
    depot: &mut Depot,
) -> Result<Reply<Option<PortalLinkWire>>, ApiError> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let bytes = read(req, &app).await?;
    let id = id(req)?;
    if parse::<String>(&bytes).is_ok_and(|text| text == "{}") {
        revoke(&app, project.id, id).await?;
        return Ok(Reply::ok("Portal link revoked successfully", None));
    }
    let body: PortalLinkBody = parse(&bytes)?;
    let mut conn = app.conn().await?;
    let old = PortalLink::find(&mut conn, project.id, id).await?.ok_or(UNKNOWN)?;
    let values = input::values(body, project.id, &mut conn, Some(&old)).await?;
    let row = PortalLink::update(&mut conn, project.id, id, &values).await?;
    drop(conn);
    app.portal.forget(project.id, id);
    let shown = changed(&app, row.ok_or(UNKNOWN)?).await?;
    Ok(Reply::accepted("Portal link updated successfully", Some(shown)))
}

/// Revokes a portal link
///
/// Its token and its keys are refused everywhere within five seconds.
#[endpoint(tags("Portal Links"), operation_id = "RevokePortalLink")]
#[boxed]
pub async fn revoke_portal_link(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    revoke(&app, project.id, id(req)?).await?;
    Ok(Reply::ok("Portal link revoked successfully", NoData))
}

/// Whether the caller may use what opens a link: who only reads a project could change endpoints by it.
async fn opens(req: &Request, depot: &Depot) -> bool {
    authorized(req, depot, Need::Manage).await.is_ok()
}

async fn revoke(app: &App, project: ProjectId, id: PortalLinkId) -> Result<(), ApiError> {
    let is_revoked = PortalLink::revoke(&mut *app.conn().await?, project, id).await?;
    app.portal.forget(project, id);
    if is_revoked { Ok(()) } else { Err(UNKNOWN) }
}

fn id(req: &Request) -> Result<PortalLinkId, ApiError> {
    req.param::<String>("portal_link_id").and_then(|id| id.parse().ok()).ok_or(UNKNOWN)
}

async fn new_key(app: &App, row: &PortalLink) -> Result<String, ApiError> {
    let end = Utc::now() + portal_key::LIFE;
    let key = PortalKey::insert(&mut *app.conn().await?, row.project_id, row.id, end).await?;
    Ok(key.expose().to_string())
}

/// A link that was just made or changed, with a new key if its kind has keys.
async fn changed(app: &App, row: PortalLink) -> Result<PortalLinkWire, ApiError> {
    let key = match row.auth_type {
        PortalAuthType::RefreshToken => new_key(app, &row).await?,
        PortalAuthType::StaticToken => String::new(),
    };
    show(app, row, &key).await
}

/// The link with what it opens.
///
/// # Errors
/// 503 when the database is away.
pub async fn show(app: &App, row: PortalLink, auth_key: &str) -> Result<PortalLinkWire, ApiError> {
    let mut conn = app.conn().await?;
    let opened = Opened::read(&mut conn, row.project_id, std::slice::from_ref(&row)).await?;
    Ok(opened.show(row, auth_key, app.settings.public_url.as_deref().unwrap_or_default()))
}
