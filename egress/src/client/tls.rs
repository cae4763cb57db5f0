//! TLS: towards proxies, with authorities and a certificate from files, and through them to destinations.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use rustls_platform_verifier::Verifier;

use super::error::ClientError;

/// Whom a client believes and what it proves itself with, as files in PEM.
#[derive(Debug, Clone, Default)]
pub struct TlsIdentity {
    /// Authorities besides the system's.
    pub authorities: Option<PathBuf>,
    /// A certificate chain and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

impl TlsIdentity {
    /// Settings of connections to proxies.
    ///
    /// # Errors
    /// A file cannot be used.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, ClientError> {
        let authorities = match &self.authorities {
            Some(path) => certificates(path)?,
            None => Vec::new(),
        };
        let provider = Arc::new(ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let builder = builder.dangerous().with_custom_certificate_verifier(believing(authorities, provider)?);
        let config = match &self.certificate {
            Some((chain, key)) => {
                let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
                builder.with_client_auth_cert(certificates(chain)?, private)?
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Arc::new(config))
    }
}

/// Settings of connections to destinations that the system's authorities vouch for.
///
/// # Errors
/// The system has none.
pub(super) fn to_destinations() -> Result<Arc<ClientConfig>, ClientError> {
    TlsIdentity::default().config()
}

fn believing(
    authorities: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<Verifier>, rustls::Error> {
    Verifier::new_with_extra_roots(authorities, provider).map(Arc::new)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    found.map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> ClientError {
    ClientError::File(path.into(), error.to_string())
}
