//! What a caller can set of an endpoint, and what of it is stored: secrets sealed for their places.

use diesel::{AsChangeset, Insertable};
use serde_json::Value;

use super::{AUTHENTICATION, CLIENT_CERT, SLACK, TEAMS, place};
use crate::{
    ids::{EndpointId, ProjectId},
    sealed::Sealed,
    tables::endpoints,
};

/// What a caller can set. Its `Debug` shows neither credentials nor URLs that are some.
#[derive(Clone)]
pub struct EndpointValues {
    /// Its name.
    pub name: String,
    /// Where requests go.
    pub url: String,
    /// For people.
    pub description: String,
    /// Its owner; empty for none.
    pub owner_id: String,
    /// Whether signatures carry a timestamp.
    pub advanced_signatures: bool,
    /// How the body is encoded.
    pub content_type: String,
    /// Longest wait for the whole answer.
    pub http_timeout_seconds: i32,
    /// Requests per duration.
    pub rate_limit: i32,
    /// The duration.
    pub rate_limit_duration_seconds: i32,
    /// How requests authenticate.
    pub authentication: Option<Value>,
    /// What its requests prove themselves with in TLS.
    pub mtls_client_cert: Option<Value>,
    /// What becomes of its lines of deliveries when the first fails, as `Ordering`.
    pub ordering: Option<Value>,
    /// Whether answers that lead elsewhere are followed.
    pub follow_redirects: bool,
    /// Who hears that it was disabled.
    pub support_email: String,
    /// Where notifications go.
    pub slack_webhook_url: String,
    /// Where notifications go.
    pub teams_webhook_url: String,
}

impl std::fmt::Debug for EndpointValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndpointValues").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The same as it is stored.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = endpoints, treat_none_as_null = true)]
pub(super) struct EndpointColumns<'v> {
    name: &'v str,
    url: &'v str,
    description: &'v str,
    owner_id: &'v str,
    advanced_signatures: bool,
    content_type: &'v str,
    http_timeout_seconds: i32,
    rate_limit: i32,
    rate_limit_duration_seconds: i32,
    authentication: Option<Sealed<Value>>,
    mtls_client_cert: Option<Sealed<Value>>,
    ordering: Option<&'v Value>,
    follow_redirects: bool,
    support_email: &'v str,
    slack_webhook_url: Sealed<String>,
    teams_webhook_url: Sealed<String>,
}

impl EndpointValues {
    pub(super) fn sealed(&self, key: (ProjectId, EndpointId)) -> EndpointColumns<'_> {
        let json = |column, value: &Option<Value>| value.as_ref().map(|value| Sealed::seal(value, &place(column, key)));
        // Whole, so that a value that is stored nowhere does not compile.
        let Self {
            name,
            url,
            description,
            owner_id,
            advanced_signatures,
            content_type,
            http_timeout_seconds,
            rate_limit,
            rate_limit_duration_seconds,
            authentication,
            mtls_client_cert,
            ordering,
            follow_redirects,
            support_email,
            slack_webhook_url,
            teams_webhook_url,
        } = self;
        EndpointColumns {
            name,
            url,
            description,
            owner_id,
            advanced_signatures: *advanced_signatures,
            content_type,
            http_timeout_seconds: *http_timeout_seconds,
            rate_limit: *rate_limit,
            rate_limit_duration_seconds: *rate_limit_duration_seconds,
            authentication: json(AUTHENTICATION, authentication),
            mtls_client_cert: json(CLIENT_CERT, mtls_client_cert),
            ordering: ordering.as_ref(),
            follow_redirects: *follow_redirects,
            support_email,
            slack_webhook_url: Sealed::seal(slack_webhook_url, &place(SLACK, key)),
            teams_webhook_url: Sealed::seal(teams_webhook_url, &place(TEAMS, key)),
        }
    }
}
