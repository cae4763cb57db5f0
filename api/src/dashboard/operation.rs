//! Operations of the API, done for who is signed in: the same handlers that programs reach, with the same checks, in this
//! process.

use std::sync::Arc;

use posthouse_pages::form::Problem;
use salvo::{
    Handler,
    conn::SocketAddr,
    http::{HeaderMap, Method, ReqBody, ResBody, StatusCode, header::CONTENT_TYPE, header::HeaderValue},
    prelude::*,
};
use serde_json::Value;

use crate::{app::App, auth::Caller, error::ApiError};

/// What an operation is asked to do.
#[derive(Debug, Default)]
pub struct Operation {
    method: Method,
    params: Vec<(&'static str, String)>,
    query: Vec<(String, String)>,
    body: Option<String>,
    peer: Option<SocketAddr>,
    headers: HeaderMap,
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
        Self { method: Method::POST, params: params.to_vec(), ..Self::default() }
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

    /// The same, as it comes from where this request does: what counts attempts counts them by that.
    pub fn coming_from(mut self, req: &Request, app: &App) -> Self {
        if let Some(name) = &app.settings.accounts.client_address_header {
            self.headers = req.headers().get_all(name).iter().map(|value| (name.clone(), value.clone())).collect();
        }
        Self { peer: Some(req.remote_addr().clone()), ..self }
    }

    /// Does it.
    ///
    /// # Errors
    /// What the operation answers with 403 and with 500 or more, and an answer that cannot be read.
    pub async fn run(self, handler: impl Handler, app: &Arc<App>, caller: Option<Caller>) -> Result<Done, ApiError> {
        let mut req = Request::new();
        *req.method_mut() = self.method;
        for (name, value) in self.params {
            req.params_mut().insert(name, value);
        }
        for (name, value) in self.query {
            req.queries_mut().insert(name, value);
        }
        *req.headers_mut() = self.headers;
        if let Some(peer) = self.peer {
            *req.remote_addr_mut() = peer;
        }
        if let Some(body) = self.body {
            req.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            req.replace_body(ReqBody::Once(body.into()));
        }
        let (mut depot, mut res) = (Depot::new(), Response::new());
        depot.insert_typed(Arc::clone(app));
        if let Some(caller) = caller {
            depot.insert_typed(caller);
        }
        handler.handle(&mut req, &mut depot, &mut res, &mut FlowCtrl::new(Vec::new())).await;
        read(res)
    }
}

/// What an operation's answer says.
///
/// # Errors
/// As [`Operation::run`].
pub fn read(mut res: Response) -> Result<Done, ApiError> {
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
