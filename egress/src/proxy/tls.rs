//! TLS towards clients, and the names that their certificates prove. The files are read again when they change: whoever
//! connects then meets the new ones, and a client whose certificate has been revoked is asked again at its next request.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use rustls::{
    RootCertStore, ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime, pem, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::follow;

/// The files, in PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The proxy's certificate chain.
    pub chain: PathBuf,
    /// The key of that certificate.
    pub key: PathBuf,
    /// Authorities, one of which has to have signed a client's certificate.
    pub authorities: Option<PathBuf>,
    /// Their lists of revoked certificates.
    pub revoked: Option<PathBuf>,
}

/// How clients are greeted. Cheap to clone.
#[derive(Clone)]
pub struct ClientTls(Arc<Inner>);

struct Inner {
    files: TlsFiles,
    /// What the files held when they were last read, good or bad.
    seen: Mutex<Vec<String>>,
    current: RwLock<Greeting>,
}

#[derive(Clone)]
struct Greeting {
    config: Arc<ServerConfig>,
    /// Judges clients' certificates, where they need one.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    /// How many there were before.
    generation: u64,
}

/// The certificate that a client has proved, and which files it was judged by.
pub(super) struct Proof {
    chain: Vec<CertificateDer<'static>>,
    generation: u64,
}

impl Proof {
    pub(super) fn of(connection: &ServerConnection, generation: u64) -> Option<Self> {
        connection.peer_certificates().map(|chain| Self { chain: chain.to_vec(), generation })
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

impl ClientTls {
    /// Proves the proxy with this certificate chain and key. With authorities, clients have to prove themselves with a
    /// certificate of one of them; with lists of revoked certificates, with one that is not on its issuer's.
    ///
    /// # Errors
    /// A file that cannot be read, or does not hold what it should.
    pub fn read(files: TlsFiles) -> Result<Self, String> {
        let contents = files.contents().map_err(|(path, error)| fault(path, &error))?;
        let current = RwLock::new(files.greeting(&contents, 0)?);
        Ok(Self(Arc::new(Inner { files, seen: Mutex::new(contents), current })))
    }

    /// A connection in TLS, and the generation of the files by which its client was judged.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<(TlsStream<TcpStream>, u64)> {
        let Greeting { config, generation, .. } = self.current();
        Ok((TlsAcceptor::from(config).accept(stream).await?, generation))
    }

    /// Whether the certificate would be accepted now.
    pub(super) fn still_proves(&self, proof: &Proof) -> bool {
        let Greeting { verifier, generation, .. } = self.current();
        let Some(verifier) = verifier.filter(|_| generation != proof.generation) else { return true };
        let Some((own, rest)) = proof.chain.split_first() else { return false };
        verifier.verify_client_cert(own, rest, UnixTime::now()).is_ok()
    }

    fn current(&self) -> Greeting {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files if one has changed, or if somebody asks; whether there is something new.
    async fn reload(&self, is_asked: bool) -> Result<bool, String> {
        let files = self.0.files.clone();
        let read = tokio::task::spawn_blocking(move || files.contents().map_err(|(path, error)| fault(path, &error)));
        let contents = read.await.map_err(|error| error.to_string())?;
        {
            let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
            // A file that is away for a moment, or for ever, is told of once.
            let now = contents.clone().unwrap_or_else(|error| vec![error]);
            if *seen == now && !is_asked {
                return Ok(false);
            }
            *seen = now;
        }
        let generation = self.current().generation + 1;
        let greeting = self.0.files.greeting(&contents?, generation)?;
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = greeting;
        Ok(true)
    }
}

/// Reads the files again, for ever, when they change and on SIGHUP. `tell` hears whether they could be used.
pub(super) async fn follow(tls: Option<&ClientTls>, tell: impl Fn(bool)) {
    match tls {
        Some(tls) => follow::follow("files of TLS", |is_asked| tls.reload(is_asked), tell).await,
        None => std::future::pending().await,
    }
}

fn fault(path: &Path, error: &dyn fmt::Display) -> String {
    format!("{} cannot be used: {error}", path.display())
}

impl TlsFiles {
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let optional = [&self.authorities, &self.revoked].into_iter().flatten();
        [&self.chain, &self.key].into_iter().chain(optional).map(PathBuf::as_path)
    }

    fn contents(&self) -> Result<Vec<String>, (&Path, io::Error)> {
        self.paths().map(|path| std::fs::read_to_string(path).map_err(|error| (path, error))).collect()
    }

    /// What these contents of the files, in their order, make.
    fn greeting(&self, contents: &[String], generation: u64) -> Result<Greeting, String> {
        let of = |path: &Path| {
            let found = self.paths().zip(contents).find(|(own, _)| *own == path);
            found.map_or(&[][..], |(_, text)| text.as_bytes())
        };
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let verifier = match &self.authorities {
            None => None,
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for authority in all::<CertificateDer<'static>>(path, of(path))? {
                    roots.add(authority).map_err(|error| fault(path, &error))?;
                }
                let revoked = match &self.revoked {
                    Some(path) => all::<CertificateRevocationListDer<'static>>(path, of(path))?,
                    None => Vec::new(),
                };
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .with_crls(revoked)
                    // Those in between are the operator's own.
                    .only_check_end_entity_revocation();
                Some(verifier.build().map_err(|error| fault(self.revoked.as_ref().unwrap_or(path), &error))?)
            }
        };
        let builder = match &verifier {
            Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
            None => builder.with_no_client_auth(),
        };
        let chain = all::<CertificateDer<'static>>(&self.chain, of(&self.chain))?;
        let key = PrivateKeyDer::from_pem_slice(of(&self.key)).map_err(|error| fault(&self.key, &error))?;
        let config = builder.with_single_cert(chain, key).map_err(|error| fault(&self.chain, &error))?;
        Ok(Greeting { config: Arc::new(config), verifier, generation })
    }
}

/// Everything of a kind that the file holds; at least one.
fn all<T: pem::PemObject>(path: &Path, text: &[u8]) -> Result<Vec<T>, String> {
    let found = T::pem_slice_iter(text).collect::<Result<Vec<_>, _>>().map_err(|error| fault(path, &error))?;
    if found.is_empty() { Err(fault(path, &"it holds nothing of what it should")) } else { Ok(found) }
}

/// The DNS names of the certificate that the client has proved.
pub(super) fn names(connection: &ServerConnection) -> Vec<String> {
    let chain = connection.peer_certificates().unwrap_or_default();
    let Some(certificate) = chain.first().and_then(|own| webpki::EndEntityCert::try_from(own).ok()) else {
        return Vec::new();
    };
    certificate.valid_dns_names().map(str::to_ascii_lowercase).collect()
}
