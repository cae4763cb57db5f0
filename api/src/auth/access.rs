//! How far a caller reaches in a project: everywhere, or only to the endpoints that a portal link opens and what belongs
//! to them. Lists take the reach into their query; what is read by its id is checked before it is shown or changed.

use std::sync::Arc;

use posthouse_schema::{
    endpoint_owner,
    event::{Event, EventTargets},
    ids::EndpointId,
    portal_link::PortalLink,
    project::Project,
    words::TargetKind,
};
use salvo::prelude::*;

use super::{Need, authorized, portal_holder, portal_link};
use crate::{
    app::{App, app},
    error::ApiError,
};

/// Endpoints of one owner that a portal link opens: the newest ones where there are more.
const ENDPOINTS_MAX: i64 = 5_000;

/// How far a caller reaches in a project.
#[derive(Debug, Clone)]
pub struct Access(Option<Reach>);

#[derive(Debug, Clone)]
struct Reach {
    link: Arc<PortalLink>,
    /// Sorted.
    endpoints: Vec<EndpointId>,
}

/// As [`authorized`], for routes that are open to portal links too: with how far the caller reaches.
///
/// # Errors
/// As [`authorized`]; 403 for a link that may not change endpoints.
pub async fn scoped(req: &Request, depot: &Depot, need: Need) -> Result<(Arc<App>, Arc<Project>, Access), ApiError> {
    let Some(holder) = portal_holder(depot) else {
        let (app, project) = authorized(req, depot, need).await?;
        return Ok((app, project, Access(None)));
    };
    let app = app(depot)?;
    let link = portal_link(&app, holder).await?;
    let project = app.project(holder.project).await?.ok_or(ApiError::BadCredentials)?;
    if need == Need::ManageEndpoints && !link.can_manage_endpoint {
        return Err(ApiError::Forbidden("Unauthorized"));
    }
    let mut endpoints = if link.owner_id.is_empty() {
        link.endpoint_ids.iter().copied().flatten().collect()
    } else {
        endpoint_owner::ids_of(&mut *app.conn().await?, project.id, &link.owner_id, ENDPOINTS_MAX).await?
    };
    endpoints.sort_unstable();
    Ok((app, project, Access(Some(Reach { link, endpoints }))))
}

impl Access {
    /// Whether the caller holds a portal link: credentials of others are hidden from it.
    pub const fn is_portal(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the caller may see what signs for an endpoint.
    pub fn sees_secrets(&self) -> bool {
        self.0.as_ref().is_none_or(|reach| reach.link.can_manage_endpoint)
    }

    /// The endpoints within reach; `None`: all.
    pub fn own_endpoints(&self) -> Option<&[EndpointId]> {
        self.0.as_ref().map(|reach| reach.endpoints.as_slice())
    }

    /// Whether this endpoint is within reach.
    pub fn reaches(&self, endpoint: EndpointId) -> bool {
        self.0.as_ref().is_none_or(|reach| reach.endpoints.binary_search(&endpoint).is_ok())
    }

    /// The owner of the endpoints that the caller makes, instead of the one that it names.
    ///
    /// # Errors
    /// 403 for a link that lists its endpoints: a new one would be out of its reach.
    pub fn new_owner(&self, named: Option<String>) -> Result<Option<String>, ApiError> {
        match &self.0 {
            None => Ok(named),
            Some(reach) if reach.link.owner_id.is_empty() => Err(ApiError::Forbidden("Unauthorized")),
            Some(reach) => Ok(Some(reach.link.owner_id.clone())),
        }
    }

    /// Lets through what belongs to an endpoint within reach.
    ///
    /// # Errors
    /// 401.
    pub fn admit(&self, endpoint: EndpointId) -> Result<(), ApiError> {
        if self.reaches(endpoint) { Ok(()) } else { Err(ApiError::OutOfReach) }
    }

    /// Lets through what belongs to at least one endpoint within reach: reading it tells nothing of the others.
    ///
    /// # Errors
    /// 401.
    pub fn admit_any(&self, endpoints: &[Option<EndpointId>]) -> Result<(), ApiError> {
        if self.0.is_none() || endpoints.iter().flatten().any(|id| self.reaches(*id)) {
            Ok(())
        } else {
            Err(ApiError::OutOfReach)
        }
    }

    /// Lets through an event that can be replayed without touching anybody else. It is matched again, by the subscriptions
    /// of now: so what counts beside the endpoints that it went to is whom it is for.
    ///
    /// # Errors
    /// 401.
    pub fn admit_replay(&self, event: &Event) -> Result<(), ApiError> {
        let Some(targets) = self.replayable() else { return Ok(()) };
        event.endpoint_ids.iter().flatten().try_for_each(|id| self.admit(*id))?;
        let is_own = match event.target_kind {
            TargetKind::Single => event.target.parse().is_ok_and(|id| targets.endpoint_ids.contains(&id)),
            TargetKind::Fanout => !targets.owner_id.is_empty() && event.target == targets.owner_id,
            TargetKind::Broadcast | TargetKind::Dynamic | TargetKind::Source => false,
        };
        if is_own { Ok(()) } else { Err(ApiError::OutOfReach) }
    }

    /// Whom events must be for that the caller may replay; `None`: anybody.
    pub fn replayable(&self) -> Option<EventTargets> {
        self.0
            .as_ref()
            .map(|reach| EventTargets { endpoint_ids: reach.endpoints.clone(), owner_id: reach.link.owner_id.clone() })
    }

    /// The endpoints that a query may touch, of those that the caller asks for or, where it names none, of all. An empty
    /// list means all to a query, so a link that opens no endpoint asks for one that cannot be.
    ///
    /// # Errors
    /// 401 when one that is asked for is out of reach.
    pub fn endpoints(&self, asked: Vec<EndpointId>) -> Result<Vec<EndpointId>, ApiError> {
        asked.iter().try_for_each(|id| self.admit(*id))?;
        match &self.0 {
            Some(reach) if asked.is_empty() && reach.endpoints.is_empty() => Ok(vec![EndpointId::NONE]),
            Some(reach) if asked.is_empty() => Ok(reach.endpoints.clone()),
            _ => Ok(asked),
        }
    }
}
