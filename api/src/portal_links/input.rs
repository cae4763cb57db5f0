//! From what a caller wrote to what is stored: every field is checked, and the message names it.

use posthouse_schema::{
    endpoint_owner,
    ids::{EndpointId, ProjectId},
    pool::PooledConnection,
    portal_link::{PortalLink, PortalLinkValues},
    words::PortalAuthType,
};

use super::wire::PortalLinkBody;
use crate::{
    body::{bounded, required},
    error::ApiError,
};

/// Endpoints that a link lists.
const ENDPOINTS_MAX: usize = 1_000;
const NO_OWNER: &str = "owner_id:please provide an owner id";

/// The values of a new link, or of a changed one where `old` is given.
///
/// # Errors
/// 400 naming the field.
pub async fn values(
    body: PortalLinkBody,
    project: ProjectId,
    conn: &mut PooledConnection,
    old: Option<&PortalLink>,
) -> Result<PortalLinkValues, ApiError> {
    let name = required("name", body.name, "please provide a valid name")?;
    let endpoint_ids = match body.endpoints {
        Some(texts) => endpoints(&texts, project, conn).await?,
        None => old.map(|old| old.endpoint_ids.clone()).unwrap_or_default(),
    };
    let named = body.owner_id.map(|owner| owner.trim().to_string());
    let owner_id = match (named, old) {
        (Some(owner), _) => owner,
        (None, Some(old)) => old.owner_id.clone(),
        (None, None) => String::new(),
    };
    bounded("owner_id", &owner_id)?;
    // A new link has an owner; a changed one may do without, and then opens exactly what it lists.
    if owner_id.is_empty() && (old.is_none() || endpoint_ids.is_empty()) {
        return Err(ApiError::invalid(NO_OWNER));
    }
    Ok(PortalLinkValues {
        name,
        owner_id,
        endpoint_ids,
        can_manage_endpoint: body.can_manage_endpoint.or(old.map(|old| old.can_manage_endpoint)).unwrap_or(false),
        auth_type: auth_type(body.auth_type.as_deref(), old)?,
    })
}

fn auth_type(given: Option<&str>, old: Option<&PortalLink>) -> Result<PortalAuthType, ApiError> {
    match given.filter(|word| !word.is_empty()) {
        None => Ok(old.map_or(PortalAuthType::StaticToken, |old| old.auth_type)),
        Some(word) => PortalAuthType::parse(word)
            .ok_or_else(|| ApiError::invalid("auth_type: one of static_token, refresh_token is expected")),
    }
}

async fn endpoints(
    texts: &[String],
    project: ProjectId,
    conn: &mut PooledConnection,
) -> Result<Vec<Option<EndpointId>>, ApiError> {
    if texts.len() > ENDPOINTS_MAX {
        return Err(ApiError::invalid(format!("endpoints: at most {ENDPOINTS_MAX} are accepted")));
    }
    let unknown = || ApiError::invalid("endpoints: one of them is no endpoint of this project");
    let mut ids: Vec<EndpointId> =
        texts.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(|_| unknown())?;
    ids.sort_unstable();
    ids.dedup();
    if !ids.is_empty() {
        let live = endpoint_owner::count_live(conn, project, &ids).await?;
        if usize::try_from(live) != Ok(ids.len()) {
            return Err(unknown());
        }
    }
    Ok(ids.into_iter().map(Some).collect())
}
