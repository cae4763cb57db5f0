//! TLS to Redis: whose certificates are taken, and which one is shown.

use std::sync::Once;

use apalis_redis::Client;
use posthouse_service::settings::RedisSettings;
use redis::{ClientTlsConfig, ConnectionInfo, TlsCertificates};
use secrecy::ExposeSecret as _;

use super::{QueueError, error::Unreadable};

/// The files that the settings name. Without an authority's file the system's authorities are taken.
pub(crate) async fn certificates(settings: &RedisSettings) -> Result<TlsCertificates, QueueError> {
    let is_encrypted = settings.redis_url.expose_secret().starts_with("rediss");
    let files = [&settings.redis_ca_file, &settings.redis_tls_cert, &settings.redis_tls_key];
    if !is_encrypted && files.iter().any(|file| file.is_some()) {
        // A setting that does nothing would be taken for encryption.
        return Err(QueueError::Settings(
            "certificates are named for Redis, and its URL says redis where rediss is TLS",
        ));
    }
    let mut texts = [None, None, None];
    for (text, file) in texts.iter_mut().zip(files) {
        if let Some(file) = file {
            let read = tokio::fs::read(file).await;
            *text = Some(read.map_err(|error| QueueError::File(Unreadable { file: file.clone(), error }))?);
        }
    }
    let [root_cert, cert, key] = texts;
    let client_tls = match (cert, key) {
        (Some(client_cert), Some(client_key)) => Some(ClientTlsConfig { client_cert, client_key }),
        (None, None) => None,
        _ => return Err(QueueError::Settings("--redis-tls-cert and --redis-tls-key go together")),
    };
    if root_cert.as_deref().is_some_and(|text| !holds_certificate(text)) {
        return Err(QueueError::Settings("--redis-ca-file holds no certificate in PEM"));
    }
    Ok(TlsCertificates { client_tls, root_cert })
}

fn holds_certificate(text: &[u8]) -> bool {
    text.windows(27).any(|line| line == b"-----BEGIN CERTIFICATE-----")
}

/// The address with these certificates.
pub(crate) fn apply(info: ConnectionInfo, certificates: &TlsCertificates) -> Result<ConnectionInfo, QueueError> {
    prepare();
    Ok(Client::build_with_tls(info, certificates.clone())?.get_connection_info().clone())
}

/// The client library encrypts by what the process has chosen. Where nothing has been, that is ring.
fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Only another thread that chooses at the same moment can be first, and it chooses ring as well.
            rustls::crypto::ring::default_provider().install_default().ok();
        }
    });
}
