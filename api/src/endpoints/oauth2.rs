//! Trying out an endpoint's OAuth 2 settings before they are used: a real exchange, whose failure is an answer like any
//! other.

use std::time::Duration;

use chrono::{DateTime, Utc};
use posthouse_boxed::boxed;
use posthouse_oauth2::{Settings, Token};
use posthouse_schema::ids::ProjectId;
use salvo::{oapi::ToSchema, prelude::*};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wire::zero_time;
use crate::{
    app::App,
    auth::{Need, authorized},
    body::read_json,
    error::{ApiError, ApiResult},
    outbound::OutboundError,
    reply::Reply,
};

/// The wait for the whole exchange.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(30);

/// Settings to try out.
#[derive(Debug, Deserialize, ToSchema)]
pub struct OAuth2TestBody {
    /// As in an endpoint's authentication: `url`, `client_id`, `authentication_type` (`shared_secret` with `client_secret`,
    /// or `client_assertion` with `signing_key` and `signing_algorithm`), and where you like `scope`, `audience`, `issuer`,
    /// `subject`, `field_mapping`, `expiry_time_unit`.
    pub oauth2: Option<Value>,
}

/// What came of an exchange.
#[derive(Debug, Serialize, ToSchema)]
pub struct OAuth2TestWire {
    /// Whether a token was given.
    pub success: bool,
    /// The token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// Mostly `Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// When another token would be asked for.
    pub expires_at: DateTime<Utc>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Tries an OAuth 2 token exchange
///
/// Asks for a token as a delivery would, under the same rules for destinations, and shows what came of it. The answer is
/// 200 also when no token was given; then `success` is false and `error` says why.
#[endpoint(tags("Endpoints"), operation_id = "TestOAuth2Connection", request_body = OAuth2TestBody)]
#[boxed]
pub async fn test_oauth2(req: &mut Request, depot: &mut Depot) -> ApiResult<OAuth2TestWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: OAuth2TestBody = read_json(req, &app).await?;
    let given = body.oauth2.filter(|value| !value.is_null()).ok_or_else(|| ApiError::invalid("oauth2: is required"))?;
    let settings = Settings::read(&given).map_err(|error| ApiError::invalid(format!("oauth2.{error}")))?;
    match exchange(&app, project.id, &settings).await? {
        Ok(token) => {
            let wire = OAuth2TestWire {
                success: true,
                access_token: Some(token.access_token),
                token_type: Some(token.token_type),
                expires_at: token.expires_at,
                error: None,
                message: Some("OAuth2 connection test successful".into()),
            };
            Ok(Reply::ok("OAuth2 connection test successful", wire))
        }
        Err(why) => {
            let error = Some(format!("failed to exchange token: {why}"));
            let (access_token, token_type, message) = (None, None, None);
            let expires_at = zero_time();
            let wire = OAuth2TestWire { success: false, access_token, token_type, expires_at, error, message };
            Ok(Reply::ok("OAuth2 connection test failed", wire))
        }
    }
}

/// The token, or in words why there is none.
async fn exchange(app: &App, project: ProjectId, settings: &Settings) -> Result<Result<Token, String>, ApiError> {
    let request = match settings.request(Utc::now()) {
        Ok(request) => request,
        Err(error) => return Ok(Err(error.to_string())),
    };
    match app.outbound.post_form(project, &request.url, request.form, EXCHANGE_LIMIT).await {
        Ok(answer) => Ok(settings.answer(answer.status, &answer.body, Utc::now()).map_err(|error| error.to_string())),
        Err(error @ OutboundError::Busy) => {
            Err(ApiError::Unavailable { what: "the connection test", cause: error.into() })
        }
        Err(error) => Ok(Err(error.to_string())),
    }
}
