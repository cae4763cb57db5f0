//! What connections prove and believe in TLS.

use std::sync::Arc;

use rustls::{
    ClientConfig,
    client::danger::ServerCertVerifier,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
};
use rustls_platform_verifier::Verifier;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// An authority's certificate cannot be read.
    #[error("a certificate of an authority cannot be read")]
    Authority(#[source] pem::Error),
    /// The library refuses what it is given.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// A certificate chain and its key.
pub type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Whom connections believe. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trust {
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
}

impl Trust {
    /// The system's authorities, and those of `authorities`, certificates in PEM.
    ///
    /// # Errors
    /// A certificate cannot be read, or there is none at all.
    pub fn new(authorities: &[u8]) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let authorities = CertificateDer::pem_slice_iter(authorities).collect::<Result<Vec<_>, _>>();
        let verifier = Verifier::new_with_extra_roots(authorities.map_err(TlsError::Authority)?, Arc::clone(&provider));
        Ok(Self { provider, verifier: Arc::new(verifier.map_err(TlsError::Setup)?) })
    }

    /// Settings of connections that prove themselves with `identity`, where there is one.
    ///
    /// # Errors
    /// The certificate or its key cannot be used.
    pub fn settings(&self, identity: Option<Identity>) -> Result<Arc<ClientConfig>, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&self.verifier));
        let mut settings = match identity {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
            None => builder.with_no_client_auth(),
        };
        settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(settings))
    }
}
