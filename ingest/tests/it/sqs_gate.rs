//! What stands before the test's SQS, which takes every key: it checks each request's signature (AWS Signature Version 4)
//! with code of its own, and refuses as the service does.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, header::HeaderMap, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// What anybody may do: tests make queues and send messages without a key.
const OPEN: [&str; 3] = ["AmazonSQS.CreateQueue", "AmazonSQS.SendMessage", "AmazonSQS.SendMessageBatch"];

/// Whose signature passes.
#[derive(Clone)]
pub struct Gate {
    pub access_key_id: &'static str,
    pub secret_key: &'static str,
    /// Where the service behind it listens.
    pub target: u16,
}

impl Gate {
    /// Listens until the task is aborted, and ends every connection then.
    pub async fn open(self, port: u16, tls: Option<TlsAcceptor>) -> JoinHandle<()> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let (gate, http) = (Arc::new(self), client());
        tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (gate, http, tls) = (Arc::clone(&gate), http.clone(), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => gate.serve(socket, http).await,
                        Some(tls) => {
                            if let Ok(socket) = tls.accept(socket).await {
                                gate.serve(socket, http).await;
                            }
                        }
                    }
                });
            }
        })
    }

    async fn serve(&self, socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, http: reqwest::Client) {
        let service = service_fn(async |request: Request<Incoming>| {
            Ok::<_, Infallible>(self.answer(request, &http).await.unwrap_or_else(|_| reply(502, "{}".into())))
        });
        http1::Builder::new().serve_connection(TokioIo::new(socket), service).await.ok();
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        http: &reqwest::Client,
    ) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let action = parts.headers.get("x-amz-target").map(|target| target.to_str().unwrap()).unwrap_or_default();
        if !OPEN.contains(&action) && !self.is_signed(&parts.headers, &body) {
            let refusal = r#"{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"The request signature we calculated does not match the signature you provided."}"#;
            return Ok(reply(403, refusal.into()));
        }
        let url = format!("http://127.0.0.1:{}/", self.target);
        let mut forwarded = http.post(url).body(body);
        for name in ["x-amz-target", "content-type"] {
            if let Some(value) = parts.headers.get(name) {
                forwarded = forwarded.header(name, value);
            }
        }
        let answer = forwarded.send().await?;
        Ok(reply(answer.status().as_u16(), answer.bytes().await?))
    }

    fn is_signed(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Some(authorization) = header("authorization").strip_prefix("AWS4-HMAC-SHA256 ") else { return false };
        let part = |name: &str| {
            authorization.split(", ").find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
        };
        let Some((id, scope)) = part("Credential").split_once('/') else { return false };
        let names = part("SignedHeaders");
        let is_whole = ["host", "x-amz-date", "x-amz-target"].iter().all(|name| names.split(';').any(|n| n == *name));
        let canonical_headers: String =
            names.split(';').map(|name| format!("{name}:{}\n", header(name).trim())).collect();
        let canonical = format!("POST\n/\n\n{canonical_headers}\n{names}\n{}", hex::encode(Sha256::digest(body)));
        let time = header("x-amz-date");
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex::encode(Sha256::digest(canonical.as_bytes())));
        let mut key = format!("AWS4{}", self.secret_key).into_bytes();
        for part in scope.split('/') {
            key = sign(&key, part);
        }
        let is_scope = scope.ends_with("/eu-central-1/sqs/aws4_request")
            && scope.split('/').next().is_some_and(|day| time.starts_with(day));
        is_whole && is_scope && id == self.access_key_id && part("Signature") == hex::encode(sign(&key, &to_sign))
    }
}

/// Speaks HTTP without encryption.
pub fn client() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(config).no_proxy().build().unwrap()
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn reply(status: u16, body: Bytes) -> Response<Full<Bytes>> {
    let reply = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    reply.body(Full::new(body)).unwrap()
}
