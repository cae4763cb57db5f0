//! The job board: apalis' own pages over our queues, on a listener of its own because their paths are compiled in. They
//! have no login and can push jobs; here they are behind the dashboard's login and personal keys, and only read.

pub mod address;
pub mod entry;
mod guard;
mod schedules;

use std::sync::Arc;

use apalis_board::salvo::{
    framework::salvo::ui::ServeApp,
    framework::{ApiBuilder, RegisterRoute},
};
use posthouse_boxed::boxed;
use posthouse_pages::{Markup, job_board};
use salvo::{
    affix_state,
    catcher::Catcher,
    http::{
        ResBody,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY},
    },
    prelude::*,
};
use serde_json::Value;

use crate::{
    app::{App, app},
    conventions,
    drain::LastAnswers,
};

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

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
    let guarded = Router::new()
        .hoop(guard::admit)
        .push(api.build())
        .push(guard::key_router())
        .push(schedules::router())
        .push(ServeApp::router().hoop(lead_back));
    let router = Router::new()
        .hoop(affix_state::inject(app))
        .hoop(conventions::standard_headers)
        .hoop(protect)
        .push(Router::with_path(entry::PATH).get(entry::enter))
        .push(guarded);
    Service::new(router).hoop(last_answers).catcher(Catcher::default().hoop(conventions::catch))
}

/// Headers of every answer. What the board shows is not everybody's, so no cache keeps it; its scripts say so themselves.
#[handler]
#[boxed]
async fn protect(res: &mut Response) {
    let headers = res.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let own = HeaderValue::from_static("same-origin");
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), own);
}

/// Puts the dashboard's navigation into the board's page.
#[handler]
#[boxed]
async fn lead_back(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let dashboard = app(depot).ok().and_then(|app| address::dashboard(address::host(req).as_deref(), &app.settings));
    ctrl.call_next(req, depot, res).await;
    let is_page = res.headers().get(CONTENT_TYPE) == Some(&HTML);
    let (Some(dashboard), true) = (dashboard, is_page) else { return };
    match res.take_body() {
        ResBody::Once(bytes) => {
            let navigation = job_board::navigation(&dashboard).into_string();
            let page = String::from_utf8_lossy(&bytes).replacen("</body>", &format!("{navigation}</body>"), 1);
            res.body(page);
        }
        other => drop(res.replace_body(other)),
    }
}

/// Shows a page of our own.
fn show(res: &mut Response, code: StatusCode, page: Markup) {
    res.status_code(code);
    res.headers_mut().insert(CONTENT_TYPE, HTML);
    res.body(page.into_string());
}
