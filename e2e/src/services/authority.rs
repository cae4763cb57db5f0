//! Certificates of a run's own: an authority that nobody else knows, and what it has signed.

use std::{
    fs,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::Certificates;

/// One that signs.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, in PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Authority {
    /// A new one. OpenSSL knows authorities by their names.
    ///
    /// # Errors
    /// No key can be made.
    pub fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new()).context("name an authority")?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().context("make an authority's key")?;
        Ok(Self(CertifiedIssuer::self_signed(params, key).context("sign an authority")?))
    }

    /// Its own certificate, in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these hosts or names; the first one is its common name.
    ///
    /// # Errors
    /// A name that can stand in no certificate.
    pub fn signs(&self, names: &[&str]) -> Result<Identity> {
        let key = KeyPair::generate().context("make a key")?;
        let alternatives: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(alternatives).context("name a certificate")?;
        params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or_default());
        let certificate = params.signed_by(&key, &self.0).context("sign a certificate")?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// What encrypted connections on this machine take: one authority, a server's certificate for it and a client's.
#[derive(Debug)]
pub struct Encryption {
    folder: PathBuf,
    /// What servers are given.
    pub server: Certificates,
}

impl Encryption {
    /// Files in this new folder: `authority.pem`, and `server` and `client` as `.pem` and `.key`.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn create(folder: &Path) -> Result<Self> {
        let authority = Authority::new("Posthouse tests")?;
        let (server, client) = (authority.signs(&["localhost", "127.0.0.1"])?, authority.signs(&["posthouse"])?);
        fs::create_dir(folder).with_context(|| format!("create {}", folder.display()))?;
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
            written.with_context(|| format!("write {}", path.display()))
        };
        write("authority.pem", &authority.pem())?;
        for (name, identity) in [("server", &server), ("client", &client)] {
            write(&format!("{name}.pem"), &identity.certificate)?;
            write(&format!("{name}.key"), &identity.key)?;
        }
        let Identity { certificate, key } = server;
        Ok(Self { folder: folder.into(), server: Certificates { certificate, key, client_authority: authority.pem() } })
    }

    /// The path of one of its files.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The URL of a database with what it takes to reach it.
    #[must_use]
    pub fn of_database(&self, url: &str) -> String {
        let [authority, certificate, key] = ["authority.pem", "client.pem", "client.key"].map(|name| self.file(name));
        format!("{url}?sslmode=verify-full&sslrootcert={authority}&sslcert={certificate}&sslkey={key}")
    }

    /// Flags that name the authority, our certificate and its key: those of `--redis-…`, `--egress-…` and the like.
    #[must_use]
    pub fn flags(&self, authority: &str, certificate: &str, key: &str) -> Vec<String> {
        let files = [(authority, "authority.pem"), (certificate, "client.pem"), (key, "client.key")];
        files.into_iter().flat_map(|(flag, name)| [flag.to_owned(), self.file(name)]).collect()
    }
}
