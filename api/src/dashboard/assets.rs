//! Style sheet, script and icon, which browsers keep for ever: a changed one has another name.

use posthouse_boxed::boxed;
use posthouse_pages::assets::ASSETS;
use salvo::{
    http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    prelude::*,
};

/// Serves one.
#[handler]
#[boxed]
pub async fn serve(req: &mut Request, res: &mut Response) {
    let name = req.param::<String>("name").unwrap_or_default();
    let Some(asset) = ASSETS.find(&name) else {
        res.status_code(StatusCode::NOT_FOUND);
        return;
    };
    res.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    res.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    if let Err(error) = res.write_body(asset.content) {
        tracing::error!(%error, "An asset could not be written.");
    }
}
