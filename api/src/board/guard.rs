//! Who the board is for: those who run the instance, by the dashboard's login or by a personal key; to read, and never to
//! write.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use posthouse_boxed::boxed;
use posthouse_pages::job_board;
use salvo::{
    http::{
        Method,
        header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue, WWW_AUTHENTICATE},
    },
    prelude::*,
};

use super::{address, entry, show};
use crate::{
    app::{App, app},
    auth::{self, Caller},
    error::ApiError,
};

const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const KEY_PATH: &str = "key";

/// Where a browser asks for a key: for who cannot reach the dashboard.
pub fn key_router() -> Router {
    Router::with_path(KEY_PATH).get(to_the_board)
}

#[handler]
#[boxed]
async fn to_the_board(res: &mut Response) {
    entry::see_other(res, "/");
}

/// Lets those who run the instance read, and nobody write.
#[handler]
#[boxed]
pub async fn admit(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let admitted = match app(depot) {
        Ok(app) => check(req, &app).await.map_err(|error| (error, Some(app))),
        Err(error) => Err((error, None)),
    };
    match admitted {
        Ok(()) if is_reading(req) => return,
        Ok(()) => {
            res.status_code(StatusCode::METHOD_NOT_ALLOWED);
        }
        Err((error, app)) => refuse(req, res, &error, app.as_deref()),
    }
    ctrl.skip_rest();
}

fn is_reading(req: &Request) -> bool {
    matches!(*req.method(), Method::GET | Method::HEAD)
}

/// HTTP Basic, whose password is the personal key of who runs the instance (the user name is of no meaning), or else the
/// cookie of a visit.
async fn check(req: &Request, app: &App) -> Result<(), ApiError> {
    let Some(header) = req.headers().get(AUTHORIZATION) else { return entry::admit(req, app).await };
    let (scheme, credential) =
        header.to_str().ok().and_then(|value| value.split_once(' ')).ok_or(ApiError::Unauthenticated)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(ApiError::Unauthenticated);
    }
    let decoded = STANDARD.decode(credential.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (_, password) = decoded.as_deref().and_then(|text| text.split_once(':')).ok_or(ApiError::BadCredentials)?;
    let Caller::User { user } = auth::check(password, app).await? else { return Err(ApiError::BadCredentials) };
    // The queues hold the jobs of every organisation, and anybody may have one: this is for those who run the instance.
    auth::permit_instance(app, user).await
}

/// Browsers are sent to the dashboard, or get a page that says why not; programs get what the API answers.
fn refuse(req: &Request, res: &mut Response, error: &ApiError, app: Option<&App>) {
    let dashboard = app.and_then(|app| address::dashboard(address::host(req).as_deref(), &app.settings));
    let (wants_page, asks_for_key) = (wants_page(req), req.uri().path().trim_matches('/') == KEY_PATH);
    match (error, app, dashboard) {
        (ApiError::Unauthenticated, Some(app), Some(dashboard)) if wants_page && !asks_for_key => {
            return entry::begin(res, app, &dashboard);
        }
        (ApiError::Forbidden(_), _, dashboard) if wants_page => {
            let to = dashboard.map_or_else(|| ("/".to_string(), "Try again"), |to| (to, "To the dashboard"));
            return show(res, error.status(), job_board::refused(entry::REFUSAL, (&to.0, to.1)));
        }
        _ => error.answer(res),
    }
    // A browser would ask for a key in the middle of a page that has lost its session.
    let is_of_page = req.headers().get(FETCH_MODE).is_some_and(|mode| mode != "navigate");
    if matches!(error, ApiError::Unauthenticated | ApiError::BadCredentials) && !is_of_page {
        let realm = HeaderValue::from_static("Basic realm=\"Posthouse job board\", charset=\"UTF-8\"");
        res.headers_mut().insert(WWW_AUTHENTICATE, realm);
    }
}

fn wants_page(req: &Request) -> bool {
    let accept = req.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    is_reading(req) && accept.contains("text/html")
}
