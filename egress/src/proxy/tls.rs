//! TLS towards clients, and the names that their certificates prove.

use std::{fmt, io, path::Path, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// How clients are greeted.
#[derive(Clone)]
pub struct ClientTls(TlsAcceptor);

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

impl ClientTls {
    /// Proves the proxy with this certificate chain and key, in PEM. With authorities, clients have to prove themselves
    /// with a certificate of one of them.
    ///
    /// # Errors
    /// A file that cannot be read, or does not hold what it should.
    pub fn read(chain: &Path, key: &Path, authorities: Option<&Path>) -> Result<Self, String> {
        let fault = |path: &Path, error: &dyn fmt::Display| format!("{} cannot be used: {error}", path.display());
        let certificates = |path: &Path| {
            let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            found.map_err(|error| fault(path, &error))
        };
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match authorities {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(path)? {
                    roots.add(authority).map_err(|error| fault(path, &error))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| fault(path, &error))?)
            }
        };
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| fault(key, &error))?;
        let config = builder.with_single_cert(certificates(chain)?, private).map_err(|error| fault(chain, &error))?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.0.accept(stream).await
    }
}

/// The DNS names of the certificate that the client has proved.
pub(super) fn names(connection: &ServerConnection) -> Vec<String> {
    let chain = connection.peer_certificates().unwrap_or_default();
    let Some(certificate) = chain.first().and_then(|own| webpki::EndEntityCert::try_from(own).ok()) else {
        return Vec::new();
    };
    certificate.valid_dns_names().map(str::to_ascii_lowercase).collect()
}
