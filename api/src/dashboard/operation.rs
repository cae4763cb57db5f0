//! Operations of the API, done for who is signed in or holds a portal link: the same handlers that programs reach, with the
//! same checks and the same line in the audit log, in this process.

use std::sync::Arc;

use posthouse_pages::form::Problem;
use posthouse_schema::words::AuditedWay;
use salvo::{
    Handler,
    http::{ReqBody, ResBody, StatusCode, header::CONTENT_TYPE, header::HeaderValue},
    prelude::*,
};
use serde_json::Value;

use super::origin::Origin;
use crate::{
    app::App,
    audit::{self, Actor, routes},
    auth::{Caller, PortalHolder},
    error::ApiError,
};

/// What an operation is asked to do.
#[derive(Debug, Default)]
pub struct Operation {
    params: Vec<(&'static str, String)>,
    query: Vec<(String, String)>,
    body: Option<String>,
    origin: Origin,
}

/// What it said.
#[derive(Debug)]
pub struct Done {
    /// The status code.
    pub code: StatusCode,
    /// For people.
    pub message: String,
    /// What it answered with.
    pub data: Value,
}

impl Operation {
    /// An operation on what these parts of the path name.
    pub fn on(params: &[(&'static str, String)]) -> Self {
        Self { params: params.to_vec(), ..Self::default() }
    }

    /// The same with this query.
    pub fn with_query(self, query: &[(String, String)]) -> Self {
        Self { query: query.to_vec(), ..self }
    }

    /// The same with this body.
    pub fn with_body(self, body: Value) -> Self {
        Self { body: Some(body.to_string()), ..self }
    }

    /// The same with this body, which is JSON.
    pub fn with_text(self, body: String) -> Self {
        Self { body: Some(body), ..self }
    }

    /// The same, as it comes from there.
    pub fn coming_from(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// Does it. What changes something leaves its line in the audit log, as it does by the handler's route.
    ///
    /// # Errors
    /// What the operation answers with 403 and with 500 or more, and an answer that cannot be read.
    pub async fn run(self, handler: impl Handler, app: &Arc<App>, caller: Option<Caller>) -> Result<Done, ApiError> {
        let mut depot = Depot::new();
        depot.insert_typed(AuditedWay::Dashboard);
        if let Some(caller) = caller {
            depot.insert_typed(caller);
            depot.insert_typed(actor(caller));
        }
        self.call(handler, app, depot).await
    }

    /// The same for the holder of a portal link.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_as_holder(
        self,
        handler: impl Handler,
        app: &Arc<App>,
        holder: PortalHolder,
    ) -> Result<Done, ApiError> {
        let mut depot = Depot::new();
        depot.insert_typed(holder);
        self.call(handler, app, depot).await
    }

    async fn call(self, handler: impl Handler, app: &Arc<App>, mut depot: Depot) -> Result<Done, ApiError> {
        let (mut req, mut res) = (Request::new(), Response::new());
        let route = routes::of(&handler);
        *req.method_mut() = route.method;
        *req.matched_path_mut() = route.path;
        self.origin.put(&mut req, &mut res);
        for (name, value) in self.params {
            req.params_mut().insert(name, value);
        }
        for (name, value) in self.query {
            req.queries_mut().insert(name, value);
        }
        if let Some(body) = self.body {
            req.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            req.replace_body(ReqBody::Once(body.into()));
        }
        depot.insert_typed(Arc::clone(app));
        FlowCtrl::new(vec![Arc::new(audit::record), Arc::new(handler)]).call_next(&mut req, &mut depot, &mut res).await;
        read(res)
    }
}

fn actor(caller: Caller) -> Actor {
    match caller {
        Caller::User { user } => Actor::person(user, None),
        // Nobody signs in with a project's key.
        Caller::Project { .. } => Actor::NOBODY,
    }
}

/// What an operation's answer says.
fn read(mut res: Response) -> Result<Done, ApiError> {
    let code = res.status_code.unwrap_or(StatusCode::OK);
    let answer: Value = match res.take_body() {
        ResBody::Once(bytes) => serde_json::from_slice(&bytes).map_err(|error| ApiError::Internal(error.into()))?,
        _ => Value::Null,
    };
    let message = answer.get("message").and_then(Value::as_str).unwrap_or_default().to_string();
    match code {
        StatusCode::FORBIDDEN => Err(ApiError::Forbidden("Unauthorized")),
        StatusCode::SERVICE_UNAVAILABLE => {
            Err(ApiError::Unavailable { what: "what it needs", cause: anyhow::anyhow!(message) })
        }
        StatusCode::GATEWAY_TIMEOUT => Err(ApiError::TooSlow),
        code if code.is_server_error() => Err(ApiError::Internal(anyhow::anyhow!(message))),
        _ => Ok(Done { code, message, data: answer.get("data").cloned().unwrap_or_default() }),
    }
}

impl Done {
    /// What was wrong with what was asked for; `None`: it is done.
    pub fn problem(&self, fields: &[&str]) -> Option<Problem> {
        (!self.code.is_success()).then(|| Problem::of(&self.message, fields))
    }

    /// A text of what it answered with.
    pub fn text(&self, pointer: &str) -> String {
        self.data.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_string()
    }
}
