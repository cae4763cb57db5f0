//! The receiver's listener. Requests are answered one by one as their path says; a body over the limit is refused.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use bytes::Bytes;
use chrono::Utc;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{HeaderMap, Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    behaviour::Behaviour,
    ledger::{Ledger, Received},
    signature::{Verdict, judge},
};

const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Headers that name the delivery, the first that is there.
const WEBHOOK_ID_HEADERS: [&str; 3] = ["x-convoy-eventdelivery-id", "webhook-id", "x-convoy-idempotency-key"];

/// Secrets by path.
pub type Secrets = BTreeMap<String, String>;

#[derive(Debug, Default)]
struct State {
    ledger: Mutex<Ledger>,
    secrets: RwLock<Secrets>,
}

/// A receiver; clones share what they know.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    state: Arc<State>,
}

impl Receiver {
    /// Verifies requests to `path` with `secret` from now on.
    pub fn set_secret(&self, path: &str, secret: &str) {
        self.state.secrets.write().unwrap_or_else(PoisonError::into_inner).insert(path.into(), secret.into());
    }

    /// What it got so far.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.state.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers deliveries on `address`, for as long as the task is not aborted.
    ///
    /// # Errors
    /// The address is taken.
    pub async fn listen(&self, address: SocketAddr) -> std::io::Result<JoinHandle<()>> {
        let receiver = self.clone();
        serve(address, move |request| {
            let receiver = receiver.clone();
            async move { receiver.receive(request).await }
        })
        .await
    }

    async fn receive(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let Some(behaviour) = Behaviour::of(path) else {
            return answer(StatusCode::NOT_FOUND, &json!({"error": "no behaviour at this path"}));
        };
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            return answer(StatusCode::PAYLOAD_TOO_LARGE, &json!({"error": "body refused"}));
        };
        let verdict = self.verdict(path, &head.headers, &body.to_bytes());
        let status = self.record(path, &head.headers, behaviour, verdict);
        answer(status, &json!({"verified": verdict == Verdict::Good}))
    }

    fn verdict(&self, path: &str, headers: &HeaderMap, body: &[u8]) -> Verdict {
        let secrets = self.state.secrets.read().unwrap_or_else(PoisonError::into_inner);
        let now = u64::try_from(Utc::now().timestamp()).unwrap_or_default();
        judge(text(headers, "x-convoy-signature"), body, secrets.get(path).map(String::as_str), now)
    }

    fn record(&self, path: &str, headers: &HeaderMap, behaviour: Behaviour, verdict: Verdict) -> StatusCode {
        let webhook_id = WEBHOOK_ID_HEADERS.into_iter().find_map(|name| text(headers, name)).unwrap_or_default();
        let mut ledger = self.ledger();
        let status = behaviour.status(ledger.seen_before(path, webhook_id));
        ledger.record(Received {
            at: Utc::now(),
            path: path.into(),
            webhook_id: webhook_id.into(),
            idempotency_key: text(headers, "x-convoy-idempotency-key").unwrap_or_default().into(),
            verdict,
            status,
        });
        StatusCode::from_u16(status).expect("behaviours use known statuses")
    }
}

/// Answers every request on `address` with `handler`.
pub(super) async fn serve<H, F>(address: SocketAddr, handler: H) -> std::io::Result<JoinHandle<()>>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let listener = TcpListener::bind(address).await?;
    Ok(tokio::spawn(async move {
        loop {
            // A connection that fails while it is accepted concerns its client only.
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let handler = handler.clone();
            let service = service_fn(move |request| {
                let answer = handler(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let connection =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move { drop(connection.await) });
        }
    }))
}

pub(super) fn answer(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
