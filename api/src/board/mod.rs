//! The job board: apalis' own pages over our queues, on a listener of its own because their paths are compiled in. They
//! have no login and can push jobs; here they are behind our credentials, and only read.

mod schedules;

use std::sync::Arc;

use apalis_board::salvo::{
    framework::salvo::ui::ServeApp,
    framework::{ApiBuilder, RegisterRoute},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use salvo::{
    affix_state,
    catcher::Catcher,
    http::{
        Method,
        header::{HeaderValue, WWW_AUTHENTICATE},
    },
    prelude::*,
};
use serde_json::Value;

use crate::{
    app::{App, app},
    auth::{self, Caller},
    conventions,
    drain::LastAnswers,
    error::ApiError,
};

/// All of the board.
#[must_use]
pub fn service(app: Arc<App>) -> Service {
    let queues = posthouse_jobs::QUEUES;
    let boards = app.queues.boards(&queues);
    let builder = ApiBuilder::new(Router::with_path("api/v1"));
    let api = boards.into_iter().fold(builder, |builder, board| {
        let name = board.name().to_string();
        <ApiBuilder<Router> as RegisterRoute<_, Value>>::register(builder, &name, board)
    });
    let last_answers = LastAnswers(Arc::clone(&app.checks));
    let router = Router::new()
        .hoop(affix_state::inject(app))
        .hoop(conventions::standard_headers)
        .hoop(guard)
        .push(api.build())
        .push(schedules::router())
        .push(ServeApp::router());
    Service::new(router).hoop(last_answers).catcher(Catcher::default().hoop(conventions::catch))
}

/// Lets those who run the instance read, and nobody write.
#[handler]
async fn guard(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let headers = res.headers_mut();
    headers.insert("content-security-policy", HeaderValue::from_static("frame-ancestors 'none'"));
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    match admit(req, depot).await {
        Ok(()) if matches!(*req.method(), Method::GET | Method::HEAD) => {}
        Ok(()) => {
            res.status_code(StatusCode::METHOD_NOT_ALLOWED);
            ctrl.skip_rest();
        }
        Err(error) => {
            error.answer(res);
            if matches!(error, ApiError::Unauthenticated | ApiError::BadCredentials) {
                let realm = HeaderValue::from_static("Basic realm=\"Posthouse job board\", charset=\"UTF-8\"");
                res.headers_mut().insert(WWW_AUTHENTICATE, realm);
            }
            ctrl.skip_rest();
        }
    }
}

/// HTTP Basic, whose password is the personal key of who runs the instance; the user name is of no meaning.
async fn admit(req: &Request, depot: &Depot) -> Result<(), ApiError> {
    let app = app(depot)?;
    let header =
        req.headers().get("authorization").and_then(|value| value.to_str().ok()).ok_or(ApiError::Unauthenticated)?;
    let (scheme, credential) = header.split_once(' ').ok_or(ApiError::Unauthenticated)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(ApiError::Unauthenticated);
    }
    let decoded = STANDARD.decode(credential.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (_, password) = decoded.as_deref().and_then(|text| text.split_once(':')).ok_or(ApiError::BadCredentials)?;
    let Caller::User { user } = auth::check(password, &app).await? else { return Err(ApiError::BadCredentials) };
    // The queues hold the jobs of every organisation, and anybody may have one: this is for those who run the instance.
    auth::permit_instance(&app, user).await
}
