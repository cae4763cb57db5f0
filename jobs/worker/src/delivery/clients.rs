//! HTTP clients for endpoints that ask for a certificate (mutual TLS), and for projects that proxies are told: one for each
//! certificate and project, because the connections of a client prove themselves alike and leave alike. They are kept while
//! they are used, so that connections are pooled here too.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use posthouse_schema::ids::ProjectId;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::{connector::tls::Identity, send::Client};

/// Clients that are kept; beyond them, the one that was used least lately is dropped.
const KEPT_MAX: usize = 1_000;

/// A certificate chain with its key.
#[derive(Debug, Clone)]
pub struct ClientIdentity {
    digest: [u8; 32],
    pem: Arc<SecretString>,
}

impl ClientIdentity {
    /// As an endpoint's row holds it: `{"client_cert", "client_key"}`; `None` where it holds something else.
    #[must_use]
    pub fn of(stored: &serde_json::Value) -> Option<Self> {
        let part = |name: &str| stored.get(name).and_then(|value| value.as_str());
        let pem = format!("{}\n{}", part("client_cert")?, part("client_key")?);
        Some(Self { digest: Sha256::digest(&pem).into(), pem: Arc::new(pem.into()) })
    }

    /// For the TLS library.
    ///
    /// # Errors
    /// The chain or the key cannot be read.
    pub fn read(&self) -> Result<Identity, rustls::Error> {
        let pem = self.pem.expose_secret().as_bytes();
        let unreadable = |error| rustls::Error::General(format!("{error}"));
        let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(unreadable)?;
        Ok((chain, PrivateKeyDer::from_pem_slice(pem).map_err(unreadable)?))
    }
}

/// A client, and when it was last used.
type Kept = (Client, Instant);

/// What connections are alike in: the digest of their certificate, and the project that proxies are told.
type Key = (Option<[u8; 32]>, Option<ProjectId>);

/// Clients by certificate and project. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Clients {
    kept: Arc<Mutex<HashMap<Key, Kept>>>,
}

impl Clients {
    /// The client of this certificate and project, which `make` makes where there is none.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn of<E>(
        &self,
        identity: Option<&ClientIdentity>,
        project: Option<ProjectId>,
        make: impl FnOnce() -> Result<Client, E>,
    ) -> Result<Client, E> {
        let key = (identity.map(|identity| identity.digest), project);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((client, used_at)) = kept.get_mut(&key) {
            *used_at = Instant::now();
            return Ok(client.clone());
        }
        let client = make()?;
        if kept.len() >= KEPT_MAX {
            let oldest = kept.iter().min_by_key(|(_, (_, used_at))| *used_at).map(|(key, _)| *key);
            oldest.and_then(|key| kept.remove(&key));
        }
        kept.insert(key, (client.clone(), Instant::now()));
        Ok(client)
    }
}
