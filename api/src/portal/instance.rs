//! What a portal is told of the instance, contract section 2.15: nothing that is anybody's business but its operator's.

use posthouse_boxed::boxed;
use salvo::{oapi::ToSchema, prelude::*};
use serde::Serialize;
use serde_json::Value;

use crate::{error::ApiResult, reply::Reply};

/// The instance's configuration; secrets and storage are not part of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigurationWire {
    /// Always empty: there is one configuration.
    pub uid: String,
    /// Always false: nothing is reported to anyone.
    pub is_analytics_enabled: bool,
    /// Always false: a portal signs nobody up.
    pub is_signup_enabled: bool,
    /// Always null.
    pub storage_policy: Option<Value>,
    /// Always null.
    pub retention_policy: Option<Value>,
    /// The version of the server.
    pub api_version: String,
}

/// How people sign in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignInWire {
    /// Always `oss`: nothing is billed.
    pub billing_strategy: &'static str,
    /// Always false: a portal signs nobody up.
    pub is_signup_enabled: bool,
    /// Not offered to portals.
    pub google_oauth: ProviderWire,
    /// Not offered to portals.
    pub sso: ProviderWire,
}

/// A way to sign in with another service.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ProviderWire {
    /// Always false.
    pub enabled: bool,
    /// Always empty.
    pub client_id: String,
    /// Always empty.
    pub redirect_url: String,
}

/// What can be used. Nothing is licensed, so that all of it is there.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeaturesWire {
    /// This portal.
    pub portal_links: bool,
    /// Subscriptions to some event types only.
    pub advanced_subscriptions: bool,
    /// Timeouts, rate limits and addresses for notifications of endpoints.
    pub advanced_endpoint_management: bool,
}

/// Reads the configuration of the instance
#[endpoint(tags("Configuration"), operation_id = "GetConfiguration")]
#[boxed]
pub async fn get_configuration() -> ApiResult<Vec<ConfigurationWire>> {
    let configuration = ConfigurationWire {
        uid: String::new(),
        is_analytics_enabled: false,
        is_signup_enabled: false,
        storage_policy: None,
        retention_policy: None,
        api_version: concat!("v", env!("CARGO_PKG_VERSION")).into(),
    };
    Ok(Reply::ok("Configuration fetched successfully", vec![configuration]))
}

/// Reads how people sign in
#[endpoint(tags("Configuration"), operation_id = "GetAuthConfiguration")]
#[boxed]
pub async fn get_sign_in() -> ApiResult<SignInWire> {
    let options = SignInWire {
        billing_strategy: "oss",
        is_signup_enabled: false,
        google_oauth: ProviderWire::default(),
        sso: ProviderWire::default(),
    };
    Ok(Reply::ok("Auth configuration fetched successfully", options))
}

/// Reads which features there are
#[endpoint(tags("Configuration"), operation_id = "GetLicenseFeatures")]
#[boxed]
pub async fn get_features() -> ApiResult<FeaturesWire> {
    let features =
        FeaturesWire { portal_links: true, advanced_subscriptions: true, advanced_endpoint_management: true };
    Ok(Reply::ok("Features fetched successfully", features))
}
