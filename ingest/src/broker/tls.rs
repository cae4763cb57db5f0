//! How a broker's certificate is checked: against the public authorities, or against those of the source's settings.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// The configuration for one broker; `field` names the setting with the certificates in errors.
///
/// # Errors
/// The certificate authority is no PEM certificate; in words for the source's owner.
pub(crate) fn client_config(ca_certificate: Option<&str>, field: &str) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match ca_certificate {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|_| format!("{field} is not PEM"))?;
                roots.add(certificate).map_err(|_| format!("{field} is no certificate"))?;
            }
            if roots.is_empty() {
                return Err(format!("{field} holds no certificate"));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
