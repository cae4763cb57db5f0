//! Whether the API lives and can work. How much it does is told elsewhere: this listener is for the world.

use posthouse_boxed::boxed;
use salvo::prelude::*;

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
}

/// Alive
#[endpoint(tags("Operation"), operation_id = "Health")]
#[boxed]
pub async fn health() -> ApiResult<NoData> {
    Ok(Reply::ok(concat!("Posthouse v", env!("CARGO_PKG_VERSION")), NoData))
}

#[handler]
#[boxed]
async fn ready(depot: &mut Depot, res: &mut Response) -> Result<(), ApiError> {
    let readiness = app(depot)?.checks.run().await;
    let code = if readiness.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    render(res, code, &readiness);
    Ok(())
}
