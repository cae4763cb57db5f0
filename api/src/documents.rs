//! The committed descriptions of the routes, as they are served. A test holds them against what the code describes; building
//! them anew in every process would cost it several megabytes for good.

use salvo::{
    http::header::{CONTENT_TYPE, HeaderValue},
    oapi::{
        Info, License, OpenApi, SecurityRequirement, SecurityScheme,
        security::{Http, HttpAuthScheme},
    },
    prelude::*,
};

use crate::{examples, path_parameters, query_parameters};

/// The API's.
pub const API: &str = include_str!("../openapi.json");
/// The dashboard's.
pub const UI: &str = include_str!("../ui-openapi.json");
/// The portal's.
pub const PORTAL: &str = include_str!("../portal-openapi.json");

/// What the code says of these routes.
pub fn describe(title: &str, description: &str, routes: &Router) -> OpenApi {
    let info = Info::new(title, env!("CARGO_PKG_VERSION")).description(description).license(License::new("Apache-2.0"));
    let mut openapi = OpenApi::with_info(info)
        .add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .security([SecurityRequirement::new("bearer", Vec::<String>::new())])
        .merge_router(routes);
    path_parameters::describe(&mut openapi);
    query_parameters::describe(&mut openapi);
    examples::describe(&mut openapi);
    openapi
}

/// Serves the documents.
pub fn router() -> Router {
    Router::new()
        .push(Router::with_path("openapi.json").get(Document(API)))
        .push(Router::with_path("ui/openapi.json").get(Document(UI)))
        .push(Router::with_path("portal-openapi.json").get(Document(PORTAL)))
}

struct Document(&'static str);

#[handler]
impl Document {
    async fn handle(&self, res: &mut Response) {
        res.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        // Writing text that is there already cannot fail.
        drop(res.write_body(self.0));
    }
}
