//! The TLS settings of a connection, from the files that its URL names.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::{
    address::{RootCert, Ssl, SslMode},
    verifier::{AnyCertificate, AnyName},
};

/// The name of PostgreSQL's protocol, which a server may ask for.
const PROTOCOL: &[u8] = b"postgresql";

/// Errors are sentences that name the file.
pub(super) async fn settings(ssl: &Ssl) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let verifier = verifier(ssl, provider).await?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut settings = match &ssl.identity {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let chain = certificates("sslcert", cert).await?;
            let text = read("sslkey", key).await?;
            let key = PrivateKeyDer::from_pem_slice(&text)
                .map_err(|_| format!("sslkey: {key} holds no key in PEM, or one with a password"))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("sslcert and sslkey cannot be used together: {error}"))?
        }
    };
    settings.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(settings)
}

async fn verifier(ssl: &Ssl, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let Some(root_cert) = &ssl.root_cert else { return Ok(Arc::new(AnyCertificate::new(&provider))) };
    let mut roots = RootCertStore::empty();
    match root_cert {
        RootCert::File(file) => {
            for certificate in certificates("sslrootcert", file).await? {
                roots.add(certificate).map_err(|error| format!("sslrootcert: {file} cannot be used: {error}"))?;
            }
        }
        RootCert::System => {
            let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
            roots.add_parsable_certificates(found.map_err(|error| error.to_string())?.certs);
            if roots.is_empty() {
                return Err("sslrootcert=system: the system trusts no authority (ca-certificates is missing)".into());
            }
        }
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifier = verifier.build().map_err(|error| error.to_string())?;
    Ok(if ssl.mode == SslMode::VerifyFull { verifier } else { Arc::new(AnyName::new(verifier)) })
}

async fn certificates(keyword: &str, file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(keyword, file).await?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(format!("{keyword}: {file} holds no certificate in PEM")),
    }
}

async fn read(keyword: &str, file: &str) -> Result<Vec<u8>, String> {
    tokio::fs::read(file).await.map_err(|error| format!("{keyword}: {file} cannot be read: {error}"))
}
