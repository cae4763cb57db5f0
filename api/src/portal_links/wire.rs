//! Portal links on the wire, contract section 2.12.

use chrono::{DateTime, Utc};
use posthouse_schema::{portal_link::PortalLink, words::PortalAuthType};
use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};

use crate::{endpoints::wire::EndpointWire, locked};

/// What a portal link is made or changed with.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PortalLinkBody {
    /// What it is called.
    pub name: Option<String>,
    /// Whose endpoints it opens. Required when a link is made; an empty one in a change lets the link open exactly the
    /// `endpoints` that it lists.
    pub owner_id: Option<String>,
    /// Whether its holder may make, change, pause and delete endpoints, and see their secrets.
    pub can_manage_endpoint: Option<bool>,
    /// `static_token` (the link's own token, until it is revoked) or `refresh_token` (keys that last an hour).
    pub auth_type: Option<String>,
    /// Endpoints of the link. They become its owner's, if it has one.
    pub endpoints: Option<Vec<String>>,
}

/// A portal link.
#[derive(Debug, Serialize, ToSchema)]
pub struct PortalLinkWire {
    /// The link.
    pub uid: String,
    /// What it is called.
    pub name: String,
    /// Its project.
    pub project_id: String,
    /// Whose endpoints it opens; empty for those listed.
    pub owner_id: String,
    /// The endpoints that it opens; the newest hundred where there are more.
    pub endpoints: Vec<String>,
    /// How many endpoints it opens.
    pub endpoint_count: i64,
    /// Whether its holder may change endpoints.
    pub can_manage_endpoint: bool,
    /// Its own token; it proves its holder where `auth_type` is `static_token`.
    pub token: String,
    /// Enough of `endpoints` to recognise them.
    pub endpoints_metadata: Vec<EndpointWire>,
    /// Where its holder goes.
    pub url: String,
    /// `static_token` or `refresh_token`.
    pub auth_type: String,
    /// A new key, where the link was just made or changed; empty otherwise: ask for one by `refresh_token`.
    pub auth_key: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Always null: revoked links are not shown.
    pub deleted_at: Option<DateTime<Utc>>,
}

impl PortalLinkWire {
    /// The link with the endpoints that it opens, how many they are, and a key if there is a new one.
    pub fn new(row: PortalLink, endpoints: Vec<EndpointWire>, count: i64, auth_key: &str, public_url: &str) -> Self {
        let token = locked::shown(row.token()).unwrap_or_default();
        let mut url = format!("{public_url}/portal?token={token}");
        if !auth_key.is_empty() {
            url = format!("{url}&auth_token={auth_key}");
        }
        Self {
            uid: row.id.to_string(),
            name: row.name,
            project_id: row.project_id.to_string(),
            owner_id: row.owner_id,
            endpoints: endpoints.iter().map(|endpoint| endpoint.uid.clone()).collect(),
            endpoint_count: count,
            can_manage_endpoint: row.can_manage_endpoint,
            token,
            endpoints_metadata: endpoints,
            url,
            auth_type: row.auth_type.to_string(),
            auth_key: auth_key.to_string(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: None,
        }
    }

    /// The link without what opens it.
    #[must_use]
    pub fn without_token(mut self) -> Self {
        self.token = String::new();
        self.url = String::new();
        self
    }

    /// The link as its holder sees it. The token of a link with keys is nobody's proof, and none of the holder's.
    #[must_use]
    pub fn for_holder(self) -> Self {
        if self.auth_type == PortalAuthType::RefreshToken.as_str() { self.without_token() } else { self }
    }
}
