//! Trying functions of subscriptions and sources, on the engine that workers use.

mod message;
mod wire;

use posthouse_boxed::boxed;
use posthouse_transform::{FUNCTION_BYTES_MAX, TransformError};
use salvo::prelude::*;

use self::wire::{FunctionTestBody, FunctionTestWire};
use crate::{
    app::App,
    auth::{Need, authorized, scoped},
    body::{no_nul, read_json},
    error::{ApiError, ApiResult},
    reply::Reply,
};

/// Tries a subscription's function
///
/// Runs `transform(payload)` and shows what it returns and what it wrote to the console. Nothing is stored or sent.
#[endpoint(tags("Subscriptions"), operation_id = "TestSubscriptionFunction", request_body = FunctionTestBody)]
#[boxed]
pub async fn test_subscription_function(req: &mut Request, depot: &mut Depot) -> ApiResult<FunctionTestWire> {
    let (app, project, _) = scoped(req, depot, Need::View).await?;
    let body: FunctionTestBody = read_json(req, &app).await?;
    let tried = run(&app, project.id.to_bits(), body).await?;
    Ok(Reply::ok("Function run successfully", tried))
}

/// Tries a source's function
///
/// Runs `transform(payload)` and shows what it returns and what it wrote to the console. With `type` `body` it must return a
/// message, with `header` an object of texts. Nothing is stored or sent.
#[endpoint(
    tags("Sources"),
    operation_id = "PostV1ProjectsProjectIDSourcesTestFunction",
    request_body = FunctionTestBody
)]
#[boxed]
pub async fn test_source_function(req: &mut Request, depot: &mut Depot) -> ApiResult<FunctionTestWire> {
    let (app, project) = authorized(req, depot, Need::View).await?;
    let body: FunctionTestBody = read_json(req, &app).await?;
    let check = match body.kind.as_deref() {
        None | Some("" | "body") => message::check_body,
        Some("header") => message::check_headers,
        Some(_) => return Err(ApiError::invalid("type: body or header is expected")),
    };
    let tried = run(&app, project.id.to_bits(), body).await?;
    check(tried.payload.get()).map_err(ApiError::invalid)?;
    Ok(Reply::ok("Function run successfully", tried))
}

async fn run(app: &App, tenant: u128, body: FunctionTestBody) -> Result<FunctionTestWire, ApiError> {
    let function =
        checked("function", body.function)?.ok_or_else(|| ApiError::invalid("function: please provide a function"))?;
    let payload = body.payload.map_or_else(|| "null".into(), |payload| payload.get().to_string());
    let transformed = app.transformer.run(tenant, function.into(), payload).await.map_err(|error| match error {
        TransformError::Crowded | TransformError::Unavailable(_) => {
            ApiError::Unavailable { what: "running functions", cause: error.into() }
        }
        error => ApiError::invalid(error.to_string()),
    })?;
    FunctionTestWire::new(transformed).map_err(|error| ApiError::Internal(error.into()))
}

/// A function as it is stored; `None` for an empty text.
///
/// # Errors
/// 400 for one that is too long or holds NUL.
pub fn checked(field: &'static str, function: Option<String>) -> Result<Option<String>, ApiError> {
    let Some(function) = function.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    no_nul(field, &function)?;
    if function.len() > FUNCTION_BYTES_MAX {
        return Err(ApiError::invalid(format!("{field}: at most {FUNCTION_BYTES_MAX} bytes are accepted")));
    }
    Ok(Some(function))
}
