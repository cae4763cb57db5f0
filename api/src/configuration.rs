//! What the dashboard has to know of the instance, contract section 2.15.

use chrono::{DateTime, Utc};
use posthouse_boxed::boxed;
use posthouse_schema::retention::{InstanceRetention, RetentionPeriod};
use salvo::{oapi::ToSchema, prelude::*};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{app::app, error::ApiResult, reply::Reply};

/// Routes that need no credentials.
pub fn guest_router() -> Router {
    Router::with_path("configuration/auth").get(get_auth_configuration)
}

/// Routes of who is signed in.
pub fn router() -> Router {
    Router::with_path("configuration").get(get_configuration)
}

/// How the instance is set up.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigurationWire {
    /// Always `default`: there is one.
    pub uid: &'static str,
    /// Always false: nothing is reported to anybody.
    pub is_analytics_enabled: bool,
    /// Whether anybody may make an account.
    pub is_signup_enabled: bool,
    /// Always null.
    pub storage_policy: Option<Value>,
    /// `{"policy", "retention_policy_enabled"}`: how long events are kept, as the active scheduler has it; null before there
    /// was one.
    pub retention_policy: Option<Value>,
    /// Always null.
    pub license_synced_at: Option<DateTime<Utc>>,
    /// Which release answers.
    pub api_version: &'static str,
    /// Always the year 1.
    pub created_at: &'static str,
    /// Always the year 1.
    pub updated_at: &'static str,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// How one can sign in.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuthConfigurationWire {
    /// Always `oss`.
    pub billing_strategy: &'static str,
    /// Whether anybody may make an account.
    pub is_signup_enabled: bool,
    /// Signing in by Google.
    pub google_oauth: GoogleOauth,
    /// Signing in by single sign-on.
    pub sso: Sso,
}

/// Signing in by Google.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct GoogleOauth {
    /// Always false.
    pub enabled: bool,
    /// Always empty.
    pub client_id: String,
    /// Always empty.
    pub redirect_url: String,
}

/// Signing in by single sign-on.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Sso {
    /// Always false.
    pub enabled: bool,
    /// Always empty.
    pub redirect_url: String,
}

const YEAR_1: &str = "0001-01-01T00:00:00Z";

/// Reads how the instance is set up
#[endpoint(tags("Configuration"), operation_id = "GetConfiguration")]
#[boxed]
pub async fn get_configuration(depot: &mut Depot) -> ApiResult<Vec<ConfigurationWire>> {
    let app = app(depot)?;
    let retention = InstanceRetention::announced(&mut *app.conn().await?).await?;
    let data = ConfigurationWire {
        uid: "default",
        is_analytics_enabled: false,
        is_signup_enabled: app.settings.accounts.is_sign_up_open,
        storage_policy: None,
        retention_policy: retention.map(|days| {
            let hours = u32::from(days.events) * 24;
            json!({"policy": RetentionPeriod::of_hours(hours), "retention_policy_enabled": true})
        }),
        license_synced_at: None,
        api_version: concat!("v", env!("CARGO_PKG_VERSION")),
        created_at: YEAR_1,
        updated_at: YEAR_1,
        deleted_at: None,
    };
    Ok(Reply::ok("Configuration fetched successfully", vec![data]))
}

/// Reads how one can sign in
#[endpoint(tags("Configuration"), operation_id = "GetAuthConfiguration")]
#[boxed]
pub async fn get_auth_configuration(depot: &mut Depot) -> ApiResult<AuthConfigurationWire> {
    let data = AuthConfigurationWire {
        billing_strategy: "oss",
        is_signup_enabled: app(depot)?.settings.accounts.is_sign_up_open,
        google_oauth: GoogleOauth::default(),
        sso: Sso::default(),
    };
    Ok(Reply::ok("Auth configuration fetched successfully", data))
}
