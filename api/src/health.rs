//! Whether the API lives, can work, and how much it does.

use posthouse_service::metrics::CONTENT_TYPE;
use salvo::{http::header::HeaderValue, prelude::*};

use crate::{
    app::app,
    error::{ApiError, ApiResult},
    reply::{NoData, Reply, render},
};

/// The routes at the root.
pub fn router() -> Router {
    Router::new()
        .push(Router::with_path("healthz").goal(health))
        .push(Router::with_path("health").goal(health))
        .push(Router::with_path("readyz").get(ready))
        .push(Router::with_path("metrics").get(metrics))
}

/// Alive
#[endpoint(tags("Operation"), operation_id = "Health")]
pub async fn health() -> ApiResult<NoData> {
    Ok(Reply::ok(concat!("Posthouse v", env!("CARGO_PKG_VERSION")), NoData))
}

#[handler]
async fn ready(depot: &mut Depot, res: &mut Response) -> Result<(), ApiError> {
    let readiness = app(depot)?.checks.run().await;
    let code = if readiness.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    render(res, code, &readiness);
    Ok(())
}

#[handler]
async fn metrics(depot: &mut Depot, res: &mut Response) -> Result<(), ApiError> {
    let text = app(depot)?.metrics.encode();
    res.render(Text::Plain(text));
    res.headers_mut().insert("content-type", HeaderValue::from_static(CONTENT_TYPE));
    Ok(())
}
