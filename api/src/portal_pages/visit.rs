//! A visit of the portal: who reads, what is around the page, and asking the portal's operations as its holder.

use std::sync::Arc;

use posthouse_pages::{
    Markup,
    frame::Flash,
    portal::{
        frame::{PortalFrame, PortalPlace},
        strings::Strings,
    },
};
use posthouse_schema::project::Project;
use salvo::{
    Handler,
    conn::SocketAddr,
    http::{
        HeaderMap, Method, ReqBody,
        header::{CONTENT_TYPE, HeaderValue},
    },
    prelude::*,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{Answer, PageError};
use crate::{
    app::App,
    audit,
    auth::PortalHolder,
    dashboard::{Done, read},
    error::ApiError,
};

/// The header with a request's id.
pub const REQUEST_ID: &str = "x-request-id";

/// Who reads, and what is around the page.
pub struct Visit {
    /// The shared state.
    pub app: Arc<App>,
    /// The project.
    pub project: Arc<Project>,
    /// What is around the page.
    pub frame: PortalFrame,
    /// The text by which the page was opened: its forms are bound to it.
    pub credential: String,
    /// As whom operations are asked.
    pub asker: Asker,
}

/// As whom operations are asked, and what the audit log tells of where the request came from.
pub struct Asker {
    /// The holder of the link.
    pub holder: PortalHolder,
    /// The peer.
    pub peer: SocketAddr,
    /// Headers that name the client.
    pub headers: HeaderMap,
    /// The request's id.
    pub request_id: Option<HeaderValue>,
}

/// An operation of the portal, and what it is asked.
pub struct Call {
    method: Method,
    /// Below `/portal-api`, as it is written in the router.
    route: &'static str,
    params: Vec<(&'static str, String)>,
    query: Vec<(String, String)>,
    body: Option<Value>,
}

impl Call {
    fn new(method: Method, route: &'static str) -> Self {
        Self { method, route, params: Vec::new(), query: Vec::new(), body: None }
    }

    /// Reads.
    pub fn get(route: &'static str) -> Self {
        Self::new(Method::GET, route)
    }

    /// Makes, or begins.
    pub fn post(route: &'static str) -> Self {
        Self::new(Method::POST, route)
    }

    /// Changes.
    pub fn put(route: &'static str) -> Self {
        Self::new(Method::PUT, route)
    }

    /// Ends.
    pub fn delete(route: &'static str) -> Self {
        Self::new(Method::DELETE, route)
    }

    /// The same on what this part of the path names.
    pub fn on(mut self, name: &'static str, id: &str) -> Self {
        self.params.push((name, id.to_string()));
        self
    }

    /// The same with this query.
    pub fn with_query(self, query: Vec<(String, String)>) -> Self {
        Self { query, ..self }
    }

    /// The same with this body.
    pub fn with_body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }
}

impl Visit {
    /// The visit of who came in.
    ///
    /// # Errors
    /// 401 where nobody did, which the router rules out.
    pub fn of(depot: &Depot) -> Result<Arc<Self>, PageError> {
        depot.get_typed::<Arc<Self>>().cloned().map_err(|_| ApiError::Unauthenticated.into())
    }

    /// The texts in the reader's language.
    pub const fn strings(&self) -> &'static Strings {
        self.frame.language.strings
    }

    /// What is around a page of this place.
    pub fn at(&self, place: PortalPlace) -> PortalFrame {
        PortalFrame { place, ..self.frame.clone() }
    }

    /// The same, and it says why something was not done.
    pub fn saying(&self, place: PortalPlace, text: String) -> PortalFrame {
        PortalFrame { flash: Some(Flash { is_good: false, text }), ..self.at(place) }
    }

    /// The way to another page, which says what was done.
    pub fn done(&self, rest: &str, query: &[(String, String)], what: &str) -> Answer {
        let mut all = query.to_vec();
        all.push(("done".into(), what.into()));
        Answer::Redirect(self.frame.link(rest, &all))
    }

    /// Asks an operation as the holder of the link, with the same checks and the same line of the audit log as by
    /// `/portal-api`.
    ///
    /// # Errors
    /// What it answers with 403 and with 500 or more, and an answer that cannot be read.
    pub async fn ask(&self, handler: impl Handler, call: Call) -> Result<Done, ApiError> {
        let mut req = Request::new();
        *req.method_mut() = call.method;
        *req.matched_path_mut() = format!("portal-api/{}", call.route);
        for (name, value) in call.params {
            req.params_mut().insert(name, value);
        }
        for (key, value) in call.query {
            req.queries_mut().insert(key, value);
        }
        *req.headers_mut() = self.asker.headers.clone();
        *req.remote_addr_mut() = self.asker.peer.clone();
        if let Some(body) = call.body {
            req.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            req.replace_body(ReqBody::Once(body.to_string().into()));
        }
        let (mut depot, mut res) = (Depot::new(), Response::new());
        depot.insert_typed(Arc::clone(&self.app));
        depot.insert_typed(self.asker.holder);
        if let Some(id) = &self.asker.request_id {
            res.headers_mut().insert(REQUEST_ID, id.clone());
        }
        let steps: Vec<Arc<dyn Handler>> = vec![Arc::new(audit::record), Arc::new(handler)];
        let mut ctrl = FlowCtrl::new(steps);
        ctrl.call_next(&mut req, &mut depot, &mut res).await;
        read(res)
    }

    /// Asks for something that is to be shown.
    ///
    /// # Errors
    /// 404 where it is not there or not the reader's, which look the same; else as [`Self::ask`].
    pub async fn read<T: DeserializeOwned>(&self, handler: impl Handler, call: Call) -> Result<T, PageError> {
        let done = self.ask(handler, call).await?;
        if !done.code.is_success() {
            return Err(absent(&done));
        }
        serde_json::from_value(done.data).map_err(|error| ApiError::Internal(error.into()).into())
    }

    /// Asks for a change. `Some`: why it was not made.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn change(&self, handler: impl Handler, call: Call) -> Result<Result<Value, String>, PageError> {
        let done = self.ask(handler, call).await?;
        match done.code {
            code if code.is_success() => Ok(Ok(done.data)),
            StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => Err(absent(&done)),
            _ => Ok(Err(done.message)),
        }
    }
}

fn absent(done: &Done) -> PageError {
    // A link that was revoked meanwhile is told from what is not its own.
    if done.code == StatusCode::UNAUTHORIZED && done.message == ApiError::BadCredentials.to_string() {
        return ApiError::BadCredentials.into();
    }
    PageError::not_found()
}

/// A page.
pub const fn page(markup: Markup) -> Answer {
    Answer::Page(markup)
}

/// A part of the path, which operations judge.
pub fn part(req: &Request, name: &str) -> String {
    req.param::<String>(name).unwrap_or_default()
}
