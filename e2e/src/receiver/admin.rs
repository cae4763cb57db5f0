//! The receiver's second listener, for whoever set it up: `PUT /secrets` takes `{path: secret}`, `GET /requests` tells
//! what came, `GET /readyz` that it listens. It answers on another port than deliveries, which egress does not allow.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use serde_json::json;
use tokio::task::JoinHandle;

use super::serve::{Receiver, Secrets, answer, serve};

const BODY_BYTES_MAX: usize = 1024 * 1024;

impl Receiver {
    /// Answers whoever set the receiver up, on `address`.
    ///
    /// # Errors
    /// The address is taken.
    pub async fn listen_admin(&self, address: SocketAddr) -> std::io::Result<JoinHandle<()>> {
        let receiver = self.clone();
        serve(address, move |request| {
            let receiver = receiver.clone();
            async move { receiver.administer(request).await }
        })
        .await
    }

    async fn administer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/readyz") => answer(StatusCode::OK, &json!({"status": "ok"})),
            (&Method::GET, "/requests") => self.report(),
            (&Method::PUT, "/secrets") => self.take_secrets(request.into_body()).await,
            _ => answer(StatusCode::NOT_FOUND, &json!({"error": "no such page"})),
        }
    }

    fn report(&self) -> Response<Full<Bytes>> {
        let ledger = self.ledger();
        let requests: Vec<_> = ledger.requests("/").collect();
        answer(
            StatusCode::OK,
            &json!({"summary": ledger.summary("/"), "dropped": ledger.dropped, "requests": requests}),
        )
    }

    async fn take_secrets(&self, body: Incoming) -> Response<Full<Bytes>> {
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let Some(secrets) = body.ok().and_then(|body| serde_json::from_slice::<Secrets>(&body.to_bytes()).ok()) else {
            return answer(StatusCode::BAD_REQUEST, &json!({"error": "expected an object of path to secret"}));
        };
        secrets.iter().for_each(|(path, secret)| self.set_secret(path, secret));
        answer(StatusCode::OK, &json!({"secrets": secrets.len()}))
    }
}
