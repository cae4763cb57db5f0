//! What holds for every request: request ids, the version header, the content type, and our own answers where the framework
//! would send its pages.

use posthouse_boxed::boxed;
use salvo::{
    http::{
        Body as _, StatusCode,
        header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue},
    },
    prelude::*,
};

use crate::{
    app::app,
    reply::{ErrorBody, render},
    version,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers of every answer. A request's own id is kept where it is sound.
#[handler]
#[boxed]
pub async fn standard_headers(req: &mut Request, res: &mut Response) {
    let given = req
        .headers()
        .get(REQUEST_ID)
        .filter(|id| id.len() <= 128 && id.to_str().is_ok_and(|id| !id.is_empty()))
        .cloned();
    let id = given.or_else(|| HeaderValue::from_str(&posthouse_schema::ids::EventId::generate().to_string()).ok());
    let headers = res.headers_mut();
    if let Some(id) = id {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert("x-convoy-version", HeaderValue::from_static(version::CURRENT));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
}

/// An answer that came before its request's body was read ends the connection: what is left of the body would be read as
/// the next request, or the client's next request fail under it.
#[handler]
#[boxed]
pub async fn end_unread(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    ctrl.call_next(req, depot, res).await;
    if res.status_code == Some(StatusCode::PAYLOAD_TOO_LARGE) || !req.body().is_end_stream() {
        res.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// 415, with an empty body, for anything but JSON, and forms where files are taken; before credentials are looked at.
#[handler]
#[boxed]
pub async fn content_type(req: &mut Request, res: &mut Response, ctrl: &mut FlowCtrl) {
    let is_json = req
        .headers()
        .get(CONTENT_TYPE)
        .is_none_or(|value| value.as_bytes().to_ascii_lowercase().starts_with(b"application/json"));
    let is_file = req.uri().path().trim_end_matches('/').ends_with("/onboard")
        && req
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().to_ascii_lowercase().starts_with(b"multipart/form-data"));
    if !is_json && !is_file {
        res.status_code(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        res.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        ctrl.skip_rest();
    }
}

/// Our answers where no handler gave one.
#[handler]
#[boxed]
pub async fn catch(depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let code = res.status_code.unwrap_or(StatusCode::NOT_FOUND);
    let message = match code {
        StatusCode::NOT_FOUND => "404 page not found".to_string(),
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::UNSUPPORTED_MEDIA_TYPE => return ctrl.skip_rest(),
        StatusCode::PAYLOAD_TOO_LARGE => {
            let limit = app(depot).map(|app| app.settings.body_bytes_max).unwrap_or_default();
            format!("request body too large: at most {limit} bytes are accepted")
        }
        code if code.is_server_error() => "internal server error".to_string(),
        code => code.canonical_reason().unwrap_or("the request was refused").to_string(),
    };
    render(res, code, &ErrorBody { status: false, message });
    ctrl.skip_rest();
}
