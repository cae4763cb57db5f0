//! The credentials of portal links: a link's own token, or a key of it that lasts an hour. What was checked is remembered
//! for five seconds, so that a revoked link is refused everywhere within that time.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use posthouse_boxed::boxed;
use posthouse_schema::{
    ids::{PortalLinkId, ProjectId},
    instance_secret,
    portal_key::{self, PortalKey},
    portal_link::{PortalLink, TOKEN_CHARS, token_hash},
    words::PortalAuthType,
};
use salvo::prelude::*;

use tokio::sync::OnceCell;

use crate::{app::App, cache::Cache, error::ApiError};

/// A revoked link is refused everywhere within this time.
const TTL: Duration = Duration::from_secs(5);
const ENTRIES_MAX: usize = 50_000;
/// The secret by which instances agree on who has come in to a portal's pages.
const PAGES_SECRET: &str = "portal_pages";

/// Who holds a valid credential of a portal link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortalHolder {
    /// The link's project.
    pub project: ProjectId,
    /// The link.
    pub link: PortalLinkId,
}

/// What a credential says.
#[derive(Debug, Clone, Copy)]
struct Credential {
    project: ProjectId,
    link: PortalLinkId,
    /// The kind of link that it opens.
    kind: PortalAuthType,
    expires_at: Option<DateTime<Utc>>,
}

/// Credentials by their hash, and links, that were read lately.
#[derive(Debug)]
pub struct PortalCache {
    credentials: Cache<Vec<u8>, Credential>,
    links: Cache<(ProjectId, PortalLinkId), Arc<PortalLink>>,
    pages_secret: OnceCell<Vec<u8>>,
}

impl Default for PortalCache {
    fn default() -> Self {
        Self {
            credentials: Cache::new(TTL, ENTRIES_MAX),
            links: Cache::new(TTL, ENTRIES_MAX),
            pages_secret: OnceCell::new(),
        }
    }
}

impl PortalCache {
    /// Reads the link again when it is next asked for. Its credentials are worth nothing without it.
    pub fn forget(&self, project: ProjectId, link: PortalLinkId) {
        self.links.forget(&(project, link));
    }
}

/// What signs who has come in to a portal's pages.
///
/// # Errors
/// 503 when the database is away.
pub async fn portal_pages_secret(app: &App) -> Result<&[u8], ApiError> {
    let read = async || Ok::<_, ApiError>(instance_secret::get_or_make(&mut *app.conn().await?, PAGES_SECRET).await?);
    app.portal.pages_secret.get_or_try_init(read).await.map(Vec::as_slice)
}

/// The holder of a portal link's credential. `None`: the text is none by its form.
///
/// # Errors
/// 401 alike for unknown, wrong, expired and revoked ones; 503 when it cannot be checked.
pub async fn check(text: &str, app: &App) -> Result<Option<PortalHolder>, ApiError> {
    Ok(open_portal(text, app).await?.map(|(holder, _)| holder))
}

/// As [`check`], with when the credential ends by itself.
///
/// # Errors
/// As [`check`].
pub async fn open_portal(text: &str, app: &App) -> Result<Option<(PortalHolder, Option<DateTime<Utc>>)>, ApiError> {
    let hash = match portal_key::parse(text) {
        Some(key) => key.hash(),
        None if text.len() == TOKEN_CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => token_hash(text),
        None => return Ok(None),
    };
    let credential = match app.portal.credentials.get(&hash) {
        Some(credential) => credential,
        None => {
            let found = read(text, app).await?.ok_or(ApiError::BadCredentials)?;
            app.portal.credentials.put(hash, found);
            found
        }
    };
    let Credential { project, link, kind, expires_at } = credential;
    let is_over = expires_at.is_some_and(|end| end <= Utc::now());
    let live = find(app, project, link).await?.ok_or(ApiError::BadCredentials)?;
    // A token that was replaced stays in the cache of credentials for a while.
    let is_replaced = kind == PortalAuthType::StaticToken && !live.has_token(text);
    if is_over || live.auth_type != kind || is_replaced {
        return Err(ApiError::BadCredentials);
    }
    Ok(Some((PortalHolder { project, link }, expires_at)))
}

async fn read(text: &str, app: &App) -> Result<Option<Credential>, ApiError> {
    let mut conn = app.conn().await?;
    let Some(key) = portal_key::parse(text) else {
        let link = PortalLink::find_by_token_in_all_projects(&mut conn, text).await?;
        return Ok(link.map(|link| Credential {
            project: link.project_id,
            link: link.id,
            kind: PortalAuthType::StaticToken,
            expires_at: None,
        }));
    };
    let row = PortalKey::find_in_all_projects(&mut conn, &key).await?;
    Ok(row.map(|row| Credential {
        project: row.project_id,
        link: row.portal_link_id,
        kind: PortalAuthType::RefreshToken,
        expires_at: Some(row.expires_at),
    }))
}

async fn find(app: &App, project: ProjectId, link: PortalLinkId) -> Result<Option<Arc<PortalLink>>, ApiError> {
    if let Some(found) = app.portal.links.get(&(project, link)) {
        return Ok(Some(found));
    }
    let found = PortalLink::find(&mut *app.conn().await?, project, link).await?.map(Arc::new);
    if let Some(found) = &found {
        app.portal.links.put((project, link), Arc::clone(found));
    }
    Ok(found)
}

/// The link whose holder calls, as it was within the last seconds.
///
/// # Errors
/// 401 when it was revoked meanwhile.
pub async fn portal_link(app: &App, holder: PortalHolder) -> Result<Arc<PortalLink>, ApiError> {
    find(app, holder.project, holder.link).await?.ok_or(ApiError::BadCredentials)
}

/// The holder of a portal link, if that is who calls.
pub fn portal_holder(depot: &Depot) -> Option<PortalHolder> {
    depot.get_typed::<PortalHolder>().ok().copied()
}

/// Refuses everyone but the holder of a portal link.
#[handler]
#[boxed]
pub async fn portal_only(depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    if portal_holder(depot).is_none() {
        ApiError::OutOfReach.answer(res);
        ctrl.skip_rest();
    }
}
