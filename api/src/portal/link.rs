//! The link behind the credentials.

use posthouse_boxed::boxed;
use salvo::prelude::*;

use crate::{
    app::app,
    auth::{portal_holder, portal_link},
    error::{ApiError, ApiResult},
    portal_links::{show, wire::PortalLinkWire},
    reply::Reply,
};

/// Reads the portal link of the caller
///
/// What it opens, and whether endpoints may be changed by it. The `token` of a link with keys is not shown.
#[endpoint(tags("Portal Links"), operation_id = "GetOwnPortalLink")]
#[boxed]
pub async fn get_own_link(depot: &mut Depot) -> ApiResult<PortalLinkWire> {
    let app = app(depot)?;
    let holder = portal_holder(depot).ok_or(ApiError::OutOfReach)?;
    let link = portal_link(&app, holder).await?;
    let shown = show(&app, link.as_ref().clone(), "").await?;
    Ok(Reply::ok("Portal link fetched successfully", shown.for_holder()))
}
