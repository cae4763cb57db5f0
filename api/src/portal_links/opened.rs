//! What links open: their endpoints and how many they are, read for a whole page at once.

use std::collections::HashMap;

use posthouse_schema::{
    endpoint::Endpoint,
    endpoint_owner,
    ids::{EndpointId, ProjectId},
    pool::PooledConnection,
    portal_link::PortalLink,
};

use super::wire::PortalLinkWire;
use crate::{endpoints::wire::EndpointWire, error::ApiError};

/// Endpoints that one link shows in full.
const SHOWN_MAX: i64 = 100;

/// The endpoints of some links.
pub struct Opened {
    endpoints: HashMap<EndpointId, EndpointWire>,
    by_owner: HashMap<String, Vec<EndpointId>>,
    counts: HashMap<String, i64>,
}

impl Opened {
    /// Reads what these links open.
    ///
    /// # Errors
    /// 503 when the database is away.
    pub async fn read(conn: &mut PooledConnection, project: ProjectId, links: &[PortalLink]) -> Result<Self, ApiError> {
        let owners: Vec<&str> =
            links.iter().map(|link| link.owner_id.as_str()).filter(|owner| !owner.is_empty()).collect();
        let owned = endpoint_owner::newest_of(conn, project, &owners, SHOWN_MAX).await?;
        let counts = endpoint_owner::counts_of(conn, project, &owners).await?.into_iter().collect();
        let mut ids: Vec<EndpointId> = links.iter().flat_map(listed).collect();
        let mut by_owner: HashMap<String, Vec<EndpointId>> = HashMap::new();
        for endpoint in owned {
            ids.push(endpoint.id);
            by_owner.entry(endpoint.owner_id).or_default().push(endpoint.id);
        }
        let rows = Endpoint::find_many(conn, project, &ids).await?;
        let endpoints = rows.into_iter().map(|row| (row.id, EndpointWire::metadata(row))).collect();
        Ok(Self { endpoints, by_owner, counts })
    }

    /// The link with what it opens.
    #[must_use]
    pub fn show(&self, link: PortalLink, auth_key: &str, public_url: &str) -> PortalLinkWire {
        let own = |ids: &mut dyn Iterator<Item = EndpointId>| -> Vec<EndpointWire> {
            ids.filter_map(|id| self.endpoints.get(&id).cloned()).collect()
        };
        if link.owner_id.is_empty() {
            let endpoints = own(&mut listed(&link));
            let count = i64::try_from(endpoints.len()).unwrap_or(i64::MAX);
            return PortalLinkWire::new(link, endpoints, count, auth_key, public_url);
        }
        let endpoints = own(&mut self.by_owner.get(&link.owner_id).into_iter().flatten().copied());
        let count = self.counts.get(&link.owner_id).copied().unwrap_or(0);
        PortalLinkWire::new(link, endpoints, count, auth_key, public_url)
    }
}

/// What a link without an owner lists.
fn listed(link: &PortalLink) -> impl Iterator<Item = EndpointId> + '_ {
    link.endpoint_ids.iter().copied().flatten().filter(|_| link.owner_id.is_empty())
}
