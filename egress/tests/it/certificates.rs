//! Certificates of a test, as files: an authority, a server's and a client's.

use std::{path::PathBuf, sync::Arc};

use posthouse_egress::{
    client::TlsIdentity,
    proxy::{ClientTls, TlsFiles},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa, KeyIdMethod, KeyPair,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::world::write;

const CLIENT_SERIAL: u64 = 7;

pub struct Certificates {
    folder: tempfile::TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    /// With a certificate for a client of this name.
    pub fn make(client: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let certificates = Self { authority, folder };
        certificates.issue("server", &["localhost", "127.0.0.1"], 1);
        certificates.issue("client", &[client], CLIENT_SERIAL);
        write(&certificates.path("authority.pem"), &certificates.authority.pem());
        certificates.revoke(&[]);
        certificates
    }

    /// Files of a new certificate for these names: `NAME.pem` and `NAME.key`.
    pub fn issue(&self, file: &str, names: &[&str], serial: u64) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.serial_number = Some(SerialNumber::from(serial));
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        write(&self.path(&format!("{file}.key")), &key.serialize_pem());
        write(&self.path(&format!("{file}.pem")), &certificate.pem());
    }

    /// A new list of revoked certificates, with the client's on it.
    pub fn revoke_client(&self) {
        self.revoke(&[CLIENT_SERIAL]);
    }

    fn revoke(&self, serials: &[u64]) {
        let of = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            // Long ago: an old list counts.
            next_update: date_time_ymd(2025, 2, 1),
            crl_number: SerialNumber::from(serials.len() as u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(of).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        write(&self.path("revoked.pem"), &list.signed_by(&self.authority).unwrap().pem().unwrap());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a proxy is given; clients have to prove themselves.
    pub fn files(&self) -> TlsFiles {
        TlsFiles {
            chain: self.path("server.pem"),
            key: self.path("server.key"),
            authorities: Some(self.path("authority.pem")),
            revoked: Some(self.path("revoked.pem")),
        }
    }

    pub fn tls(&self) -> ClientTls {
        ClientTls::read(self.files()).unwrap()
    }

    /// What a client is given.
    pub fn identity(&self) -> TlsIdentity {
        let certificate = Some((self.path("client.pem"), self.path("client.key")));
        TlsIdentity { authorities: Some(self.path("authority.pem")), certificate }
    }

    pub fn connector(&self, with_certificate: bool) -> tokio_rustls::TlsConnector {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = if with_certificate {
            let chain = vec![CertificateDer::from_pem_file(self.path("client.pem")).unwrap()];
            builder
                .with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(self.path("client.key")).unwrap())
                .unwrap()
        } else {
            builder.with_no_client_auth()
        };
        tokio_rustls::TlsConnector::from(Arc::new(config))
    }
}
