//! Endpoints behind TLS: an authority of one's own, and receivers that ask for a certificate.

use std::{net::SocketAddr, sync::Arc};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use posthouse_schema::{event_delivery::EventDelivery, words::DeliveryStatus};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::world::{World, config, direct};

pub struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap())
    }

    pub fn signs(&self, name: &str) -> (rcgen::Certificate, rcgen::KeyPair) {
        let key = rcgen::KeyPair::generate().unwrap();
        (rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap(), key)
    }

    /// Its certificate, in PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Takes TLS connections to 127.0.0.1.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::new(self.settings(None)))
    }

    fn settings(&self, clients: Option<&Self>) -> ServerConfig {
        // Another test of the process may have been first.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let (cert, key) = self.signs("127.0.0.1");
        let builder = match clients {
            None => ServerConfig::builder().with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.0.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
                ServerConfig::builder().with_client_cert_verifier(verifier)
            }
        };
        let chain = vec![CertificateDer::from(cert.der().to_vec())];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        builder.with_single_cert(chain, key).unwrap()
    }

    /// Answers 200 by HTTP/2 alone.
    pub async fn serve_http2(&self) -> SocketAddr {
        let mut settings = self.settings(None);
        settings.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(settings));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let answer = service_fn(|request: Request<Incoming>| async move {
                        let body = request.into_body().collect().await?.to_bytes();
                        Ok::<_, hyper::Error>(Response::new(Full::new(body)))
                    });
                    let serving = http2::Builder::new(TokioExecutor::new());
                    let _ended = serving.serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
        address
    }

    /// Answers 200 to whoever proves itself by a certificate of `clients`, or to all.
    pub async fn serve(&self, clients: Option<&Self>) -> SocketAddr {
        self.serve_with(clients, "200 OK\r\nContent-Length: 2\r\n\r\nok").await
    }

    /// Answers with this status line's end, headers and body.
    pub async fn serve_with(&self, clients: Option<&Self>, answer: &str) -> SocketAddr {
        let answer = format!("HTTP/1.1 {answer}");
        let acceptor = TlsAcceptor::from(Arc::new(self.settings(clients)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, answer) = (acceptor.clone(), answer.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut request = [0; 8_192];
                    while stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                        if stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }
}

/// Sends an event to the port, and answers how its delivery ended.
async fn delivered(world: &World, port: u16, identity: Option<serde_json::Value>, count: usize) -> EventDelivery {
    let endpoint =
        world.endpoint(&format!("https://127.0.0.1:{port}/"), |endpoint, _| endpoint.mtls_client_cert = identity).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    crate::world::until("the delivery ends", async || {
        let deliveries = world.deliveries().await;
        deliveries.len() == count && deliveries.iter().all(|delivery| delivery.status.is_final())
    })
    .await;
    world.deliveries().await.into_iter().find(|delivery| delivery.endpoint_id == endpoint).unwrap()
}

async fn error_of(world: &World, delivery: &EventDelivery) -> (String, String) {
    let [attempt] = &world.attempts(delivery).await[..] else { panic!("one attempt") };
    (attempt.error_class.clone().unwrap_or_default(), attempt.error.clone().unwrap_or_default())
}

#[tokio::test]
async fn receivers_are_proven_to_by_the_endpoint_s_certificate() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let address = servers.serve(Some(&clients)).await;
    let mut config = config();
    config.strategy.retry_count = 1;
    let world = World::start_trusting(config, direct(), servers.pem().as_bytes()).await;
    let (cert, key) = clients.signs("posthouse");
    let identity = serde_json::json!({"client_cert": cert.pem(), "client_key": key.serialize_pem()});
    let proven = delivered(&world, address.port(), Some(identity), 1).await;
    assert_eq!(proven.status, DeliveryStatus::Success);
    let unproven = delivered(&world, address.port(), None, 2).await;
    assert_eq!(unproven.status, DeliveryStatus::Failure, "the other endpoint's connections are not shared");
    assert_eq!(error_of(&world, &unproven).await.0, "tls");
    let (cert, key) = servers.signs("posthouse");
    let stranger = serde_json::json!({"client_cert": cert.pem(), "client_key": key.serialize_pem()});
    assert_eq!(delivered(&world, address.port(), Some(stranger), 3).await.status, DeliveryStatus::Failure);
    world.stop().await;
}

#[tokio::test]
async fn what_no_authority_signed_is_not_sent_to() {
    let (known, unknown) = (Authority::new(), Authority::new());
    let mut config = config();
    config.strategy.retry_count = 1;
    let world = World::start_trusting(config, direct(), known.pem().as_bytes()).await;
    let trusted = delivered(&world, known.serve(None).await.port(), None, 1).await;
    assert_eq!(trusted.status, DeliveryStatus::Success);
    let refused = delivered(&world, unknown.serve(None).await.port(), None, 2).await;
    assert_eq!(refused.status, DeliveryStatus::Failure);
    let (class, error) = error_of(&world, &refused).await;
    assert!(class == "tls" && error.contains("certificate"), "{class}: {error}");
    world.stop().await;
}
