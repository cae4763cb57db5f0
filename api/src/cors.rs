//! Whether a browser lets pages of other origins read our answers. None may by default: the API is for servers.

use salvo::{
    http::{
        Method,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN,
            VARY,
        },
    },
    prelude::*,
};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, If-None-Match, X-Convoy-Version, X-Organisation-Id, X-Request-ID",
);
const ANSWER_HEADERS: HeaderValue = HeaderValue::from_static(
    "ETag, Retry-After, X-Convoy-Version, X-Posthouse-Event-ID, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-ID",
);
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The origins that may read.
pub struct Cors {
    origins: Vec<String>,
}

impl Cors {
    /// For these origins; `*` for all. Credentials are never allowed: a key is sent by whoever has it, not by the browser.
    pub const fn new(origins: Vec<String>) -> Self {
        Self { origins }
    }

    /// What to say to this origin, if it may read.
    fn allowed(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        let origin = origin?;
        if self.origins.iter().any(|known| known == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        self.origins.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }
}

/// Answers a browser's question before a request, and marks the answer to one.
#[handler]
impl Cors {
    async fn handle(&self, req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
        if self.origins.is_empty() {
            return;
        }
        // An answer that was kept for one origin is not the answer for another.
        res.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
        let Some(allowed) = self.allowed(req.headers().get(ORIGIN)) else { return };
        res.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if *req.method() == Method::OPTIONS && req.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            res.headers_mut().insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            res.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            res.headers_mut().insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
            res.status_code(StatusCode::NO_CONTENT);
            return ctrl.skip_rest();
        }
        res.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
        ctrl.call_next(req, depot, res).await;
    }
}
