//! Where a form was sent from, as operations of the API have to know: attempts are counted by it, and the audit log notes it.

use salvo::{
    conn::SocketAddr,
    http::{
        HeaderMap,
        header::{HeaderName, HeaderValue, USER_AGENT},
    },
    prelude::*,
};

use crate::app::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where a request came from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    peer: Option<SocketAddr>,
    /// Of the request's, those that say where it came from.
    headers: HeaderMap,
    request_id: Option<HeaderValue>,
}

impl Origin {
    /// Where this request came from; its answer has its id.
    pub fn of(req: &Request, res: &Response, app: &App) -> Self {
        let mut headers = HeaderMap::new();
        for name in app.settings.accounts.client_address_header.clone().into_iter().chain([USER_AGENT]) {
            for value in req.headers().get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        let request_id = res.headers().get(REQUEST_ID).cloned();
        Self { peer: Some(req.remote_addr().clone()), headers, request_id }
    }

    /// Makes a request come from there, and its answer have its id.
    pub fn put(self, req: &mut Request, res: &mut Response) {
        *req.headers_mut() = self.headers;
        if let Some(peer) = self.peer {
            *req.remote_addr_mut() = peer;
        }
        if let Some(id) = self.request_id {
            res.headers_mut().insert(REQUEST_ID, id);
        }
    }
}
