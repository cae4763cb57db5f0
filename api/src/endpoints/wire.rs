//! Endpoints on the wire, contract section 2.2.

use chrono::{DateTime, Utc};
use posthouse_schema::{
    endpoint::{Endpoint, EndpointSecret},
    words::EndpointStatus,
};
use posthouse_signature::Key;
use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};

use super::client_cert::ClientCertWire;
use crate::locked;

/// What an endpoint is made or changed with.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct EndpointBody {
    /// Where webhooks go: http or https.
    #[serde(alias = "URL", alias = "Url")]
    pub url: Option<String>,
    /// What it is called.
    #[serde(alias = "Name")]
    pub name: Option<String>,
    /// What signs; made for you where it is missing. `whsec_` or `whsk_` and base64 are keys of Standard Webhooks. Ignored
    /// when an endpoint is changed.
    pub secret: Option<String>,
    /// What kind of secret is made for you: `hmac`, or `ed25519` for one that receivers verify with a public key.
    pub secret_type: Option<String>,
    /// Its owner in your own terms: events can be sent to all endpoints of one owner.
    pub owner_id: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Whether signatures carry a timestamp.
    pub advanced_signatures: Option<bool>,
    /// Who hears that the endpoint was disabled.
    pub support_email: Option<String>,
    /// Where notifications go.
    pub slack_webhook_url: Option<String>,
    /// Where notifications go.
    pub teams_webhook_url: Option<String>,
    /// Seconds to wait for the whole answer; 0 means 10.
    #[salvo(schema(value_type = i64))]
    pub http_timeout: Option<Seconds>,
    /// Requests per duration; 0 for no limit.
    pub rate_limit: Option<i64>,
    /// The duration, in seconds.
    #[salvo(schema(value_type = i64))]
    pub rate_limit_duration: Option<Seconds>,
    /// `application/json` or `application/x-www-form-urlencoded`.
    pub content_type: Option<String>,
    /// How requests authenticate: `{"type": "api_key", "api_key": {"header_name", "header_value"}}`,
    /// `{"type": "basic_auth", "basic_auth": {"username", "password"}}` or `{"type": "oauth2", "oauth2": {…}}` with the
    /// fields that `endpoints/oauth2/test` takes. A credential that reads `[REDACTED]` stays as it is.
    pub authentication: Option<serde_json::Value>,
    /// The certificate and key with which requests prove themselves in TLS. Both empty take it away.
    pub mtls_client_cert: Option<ClientCertWire>,
    /// What becomes of events with an ordering key when the first of a line keeps failing: `{"failing_head": "block"}` (the
    /// default) lets the others wait until it has ended, `skip` lets them go on after so many `attempts`, `park` gives it up
    /// then.
    pub ordering: Option<serde_json::Value>,
    /// Whether answers that lead elsewhere (301, 302, 303, 307, 308) are followed, three of them at most; they are failures
    /// otherwise.
    pub follow_redirects: Option<bool>,
}

/// Seconds; clients of versions before 2024-01-01 write `10s`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Seconds {
    /// As a number.
    Number(i64),
    /// As a text.
    Text(String),
}

/// What rolls an endpoint's secret.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ExpireSecretBody {
    /// The new secret; made for you where it is missing.
    pub secret: Option<String>,
    /// What kind of secret is made for you: `hmac` or `ed25519`.
    pub secret_type: Option<String>,
    /// Seconds for which the old secrets go on signing.
    pub expiration: Option<i64>,
}

/// An endpoint.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EndpointWire {
    /// The endpoint.
    pub uid: String,
    /// Its project.
    pub project_id: String,
    /// Its owner.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub owner_id: String,
    /// Where webhooks go.
    pub url: String,
    /// What it is called.
    pub name: String,
    /// What signs; several while it rotates.
    pub secrets: Option<Vec<SecretWire>>,
    /// Whether signatures carry a timestamp.
    pub advanced_signatures: bool,
    /// For people.
    pub description: String,
    /// Where notifications go.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub slack_webhook_url: String,
    /// Where notifications go.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub teams_webhook_url: String,
    /// Who hears that it was disabled.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub support_email: String,
    /// `active`, `inactive` or `paused`.
    pub status: String,
    /// Seconds to wait for the whole answer.
    pub http_timeout: i32,
    /// How requests authenticate; passwords read `[REDACTED]`.
    pub authentication: Option<serde_json::Value>,
    /// The certificate with which requests prove themselves in TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtls_client_cert: Option<ClientCertWire>,
    /// What becomes of a line of deliveries when its first keeps failing, where that was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordering: Option<serde_json::Value>,
    /// Whether answers that lead elsewhere are followed; missing where they are not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub follow_redirects: bool,
    /// Requests per duration.
    pub rate_limit: i32,
    /// The duration, in seconds.
    pub rate_limit_duration: i32,
    /// How the body is encoded.
    pub content_type: String,
    /// Share of deliveries that failed lately.
    pub failure_rate: Option<f64>,
    /// State of the circuit breaker, in lists: `closed`, `open` or `half-open`.
    pub cb_state: Option<String>,
    /// Share of deliveries that failed in a period.
    pub period_failure_rate: Option<f64>,
    /// Deliveries that succeeded in a period.
    pub success_count: Option<i64>,
    /// Deliveries that failed in a period.
    pub failure_count: Option<i64>,
    /// Deliveries that were retried in a period.
    pub retry_count: Option<i64>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Always null: deleted endpoints are not shown.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// A secret of an endpoint.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SecretWire {
    /// The secret's id.
    pub uid: String,
    /// What signs.
    pub value: String,
    /// What receivers verify with, where a private key signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// When it stops signing.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it stopped signing; such secrets are shown for an hour.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// The wait for an endpoint that sets none.
const HTTP_TIMEOUT_DEFAULT: i32 = 10;

impl EndpointWire {
    /// The endpoint with those of `secrets` that are its own.
    #[must_use]
    pub fn new(row: Endpoint, secrets: &[EndpointSecret]) -> Self {
        let own = secrets.iter().filter(|secret| secret.endpoint_id == row.id).map(SecretWire::new).collect();
        let authentication = locked::document(row.authentication()).map(redact);
        Self { secrets: Some(own), authentication, ..Self::bare(row) }
    }

    /// As [`Self::new`], for whoever reads: no authentication is an empty object then, and null only where it was written.
    #[must_use]
    pub fn read(row: Endpoint, secrets: &[EndpointSecret]) -> Self {
        let mut wire = Self::new(row, secrets);
        wire.authentication.get_or_insert_with(|| serde_json::json!({}));
        wire
    }

    /// The endpoint as meta events tell of it: whoever receives them need not be who may sign.
    #[must_use]
    pub fn without_secrets(mut self) -> Self {
        self.hide_credentials();
        for secret in self.secrets.iter_mut().flatten() {
            secret.value = REDACTED.into();
        }
        self
    }

    /// Says that there are secrets, and not which.
    pub fn hide_secrets(&mut self) {
        for secret in self.secrets.iter_mut().flatten() {
            secret.value = "***".into();
        }
    }

    /// Hides what signs for receivers who only verify.
    pub fn hide_private_keys(&mut self) {
        for secret in self.secrets.iter_mut().flatten().filter(|secret| secret.public_key.is_some()) {
            secret.value = REDACTED.into();
        }
    }

    /// Hides what this endpoint's requests prove themselves with.
    pub fn hide_credentials(&mut self) {
        if let Some(authentication) = &mut self.authentication {
            hide(authentication, &[KEY_OF_PORTALS]);
        }
    }

    /// The endpoint without secrets and credentials.
    fn bare(row: Endpoint) -> Self {
        let slack_webhook_url = locked::shown(row.slack_webhook_url()).unwrap_or_default();
        let teams_webhook_url = locked::shown(row.teams_webhook_url()).unwrap_or_default();
        let client_cert = locked::shown(row.mtls_client_cert()).flatten();
        Self {
            uid: row.id.to_string(),
            project_id: row.project_id.to_string(),
            owner_id: row.owner_id,
            url: row.url,
            name: row.name,
            secrets: None,
            advanced_signatures: row.advanced_signatures,
            description: row.description,
            slack_webhook_url,
            teams_webhook_url,
            support_email: row.support_email,
            status: row.status.to_string(),
            http_timeout: if row.http_timeout_seconds == 0 { HTTP_TIMEOUT_DEFAULT } else { row.http_timeout_seconds },
            authentication: None,
            mtls_client_cert: client_cert.as_ref().and_then(ClientCertWire::of),
            ordering: row.ordering,
            follow_redirects: row.follow_redirects,
            rate_limit: row.rate_limit,
            rate_limit_duration: row.rate_limit_duration_seconds,
            content_type: row.content_type,
            failure_rate: None,
            cb_state: None,
            period_failure_rate: None,
            success_count: None,
            failure_count: None,
            retry_count: None,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: None,
        }
    }

    /// The endpoint as other resources show it: enough to recognise it.
    #[must_use]
    pub fn metadata(row: Endpoint) -> Self {
        Self {
            advanced_signatures: false,
            description: String::new(),
            slack_webhook_url: String::new(),
            teams_webhook_url: String::new(),
            http_timeout: 0,
            rate_limit: 0,
            rate_limit_duration: 0,
            content_type: String::new(),
            created_at: zero_time(),
            updated_at: zero_time(),
            ..Self::bare(row)
        }
    }

    /// What is shown of an endpoint that is gone.
    #[must_use]
    pub fn gone(id: String, project_id: String) -> Self {
        let status = EndpointStatus::Inactive.to_string();
        Self {
            uid: id,
            project_id,
            owner_id: String::new(),
            url: String::new(),
            name: String::new(),
            secrets: None,
            advanced_signatures: false,
            description: String::new(),
            slack_webhook_url: String::new(),
            teams_webhook_url: String::new(),
            support_email: String::new(),
            status,
            http_timeout: 0,
            authentication: None,
            mtls_client_cert: None,
            ordering: None,
            follow_redirects: false,
            rate_limit: 0,
            rate_limit_duration: 0,
            content_type: String::new(),
            failure_rate: None,
            cb_state: None,
            period_failure_rate: None,
            success_count: None,
            failure_count: None,
            retry_count: None,
            created_at: zero_time(),
            updated_at: zero_time(),
            deleted_at: None,
        }
    }
}

impl SecretWire {
    fn new(row: &EndpointSecret) -> Self {
        let value = locked::shown(row.value()).unwrap_or_default();
        Self {
            uid: row.id.to_string(),
            public_key: Key::parse(&value).ok().and_then(|key| key.public()),
            value,
            expires_at: row.expires_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: row.expires_at.filter(|expiry| *expiry <= Utc::now()),
        }
    }
}

/// The time that means none, contract section 1.6.
#[must_use]
pub fn zero_time() -> DateTime<Utc> {
    chrono::NaiveDate::from_ymd_opt(1, 1, 1)
        .and_then(|date| date.and_hms_opt(0, 0, 0))
        .map(|time| time.and_utc())
        .unwrap_or_default()
}

/// What can sign in elsewhere is shown to nobody. The value of an API key is, as clients of the contract read it back.
fn redact(mut authentication: serde_json::Value) -> serde_json::Value {
    hide(&mut authentication, &CREDENTIALS);
    authentication
}

/// Where an endpoint's authentication holds what is shown to nobody.
pub const CREDENTIALS: [&str; 8] = [
    "/basic_auth/password",
    "/oauth2/client_secret",
    "/oauth2/signing_key/d",
    "/oauth2/signing_key/p",
    "/oauth2/signing_key/q",
    "/oauth2/signing_key/dp",
    "/oauth2/signing_key/dq",
    "/oauth2/signing_key/qi",
];

fn hide(authentication: &mut serde_json::Value, places: &[&str]) {
    for place in places {
        if let Some(value) = authentication.pointer_mut(place) {
            *value = REDACTED.into();
        }
    }
}

/// What is hidden from portals and meta events besides.
pub const KEY_OF_PORTALS: &str = "/api_key/header_value";

/// Stands for a credential. Where it is written back, the stored one is kept.
pub const REDACTED: &str = "[REDACTED]";
