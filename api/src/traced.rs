//! A span for each request that is more than a probe, where traces are made. What follows the request's trace, such as the
//! event that it brings, follows this span.

use posthouse_boxed::boxed;
use posthouse_service::traces::{self, Beginning, Kind, Place};
use salvo::{
    http::header::{HeaderName, HeaderValue},
    prelude::*,
};

const PARENT: HeaderName = HeaderName::from_static("traceparent");
const STATE: HeaderName = HeaderName::from_static("tracestate");

/// Makes it.
#[handler]
#[boxed]
pub async fn trace(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let parent = |req: &Request| {
        let mut named = req.headers().get_all(PARENT).iter();
        let only = named.next().filter(|_| named.next().is_none());
        only.and_then(|value| Place::parse(value.to_str().ok()?))
    };
    let begun =
        traces::begin("api request", Kind::Server, || Beginning { parent: parent(req), ..Beginning::default() });
    let Some(mut span) = begun else { return };
    if parent(req).is_none() {
        req.headers_mut().remove(STATE);
    }
    if let Ok(place) = HeaderValue::try_from(span.place().to_string()) {
        req.headers_mut().insert(PARENT, place);
    }
    ctrl.call_next(req, depot, res).await;
    let status = res.status_code.map_or(200, |code| code.as_u16());
    span.set_text("http.request.method", req.method());
    span.set_text("http.route", req.matched_path());
    span.set("http.response.status_code", i64::from(status));
    if let Some(event) = res.headers().get("x-posthouse-event-id").and_then(|id| id.to_str().ok()) {
        span.set_text("posthouse.event.id", event);
    }
    if status >= 500 {
        span.fail(format!("the answer was {status}"));
    }
}
