//! The small HTTP listener for probes. It answers three paths, gives a slow client ten seconds, and holds nothing open for
//! long: it may face a whole cluster's scrapers.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::Checks;
use crate::metrics::{CONTENT_TYPE, Metrics};

const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECTIONS_MAX: usize = 256;

/// Serves the probes at `addr` until `shutdown`; returns the address in use and the task that ends with it.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve(
    addr: SocketAddr,
    checks: Arc<Checks>,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(addr)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("{addr} cannot be bound: {error}")))?;
    let bound = listener.local_addr()?;
    tracing::info!(listen = %bound, "Probes are served.");
    let task = tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let accepted = tokio::select! {
                () = shutdown.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(50)).await; // Out of file handles: they come back.
                continue;
            };
            let (checks, metrics) = (Arc::clone(&checks), metrics.clone());
            tokio::spawn(async move {
                connection(stream, &checks, &metrics).await;
                drop(place);
            });
        }
    });
    Ok((bound, task))
}

async fn connection(stream: TcpStream, checks: &Checks, metrics: &Metrics) {
    let service =
        service_fn(async |request: Request<Incoming>| Ok::<_, Infallible>(answer(&request, checks, metrics).await));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_TIMEOUT, serving).await {
        tracing::debug!(error = %error, "A probe's connection ended badly.");
    }
}

async fn answer(request: &Request<Incoming>, checks: &Checks, metrics: &Metrics) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return response(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET and HEAD are allowed\n".into());
    }
    match request.uri().path() {
        "/healthz" => response(StatusCode::OK, "application/json", r#"{"status":"ok"}"#.into()),
        "/readyz" => {
            let readiness = checks.run().await;
            let status = if readiness.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            response(status, "application/json", serde_json::to_string(&readiness).unwrap_or_default())
        }
        "/metrics" => response(StatusCode::OK, CONTENT_TYPE, metrics.encode()),
        _ => response(StatusCode::NOT_FOUND, "text/plain", "/healthz, /readyz and /metrics are here\n".into()),
    }
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn get(addr: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn each_path_has_its_answer_until_shutdown() {
        let checks = Checks::new().add("redis", || async { Err("refused".to_string()) }.boxed());
        let shutdown = CancellationToken::new();
        let addr = "127.0.0.1:0".parse().unwrap();
        let (addr, task) = serve(addr, Arc::new(checks), Metrics::new("test"), shutdown.clone()).await.unwrap();
        for (path, status, part) in [
            ("/healthz", "200", r#"{"status":"ok"}"#),
            ("/readyz", "503", r#""redis":"refused""#),
            ("/metrics", "200", "posthouse_build_info"),
            ("/other", "404", "/healthz"),
        ] {
            let text = get(addr, path).await;
            assert!(text.starts_with(&format!("HTTP/1.1 {status}")) && text.contains(part), "{path}: {text}");
        }
        shutdown.cancel();
        task.await.unwrap();
        assert!(TcpStream::connect(addr).await.is_err());
    }
}
