//! Who may use the proxy, with which rules, and what happens when these change.

use std::{io::Write as _, path::Path, sync::Arc, time::Duration};

use posthouse_egress::{
    policy::{Base, PolicyStore},
    proxy::{ClientTls, Settings},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{Origin, PATIENCE, Proxy, header, read_head, settings, status, until};

fn write(path: &Path, text: &str) {
    // As editors and configuration tools do: the new file takes the old one's place.
    let next = path.with_extension("next");
    std::fs::File::create(&next).unwrap().write_all(text.as_bytes()).unwrap();
    std::fs::rename(next, path).unwrap();
}

fn with_file(path: &Path, text: &str) -> Settings {
    write(path, text);
    let policy = Arc::new(PolicyStore::read(Base::default(), Some(path.into())).unwrap());
    Settings { policy, ..settings(&[]) }
}

fn connect_as(target: &str, credentials: &str) -> String {
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: {credentials}\r\n\r\n")
}

#[tokio::test]
async fn a_client_needs_a_role_and_gets_its_rules() {
    let (mine, theirs) = (Origin::echo().await, Origin::echo().await);
    let folder = tempfile::tempdir().unwrap();
    // The SHA-256 of `secret` and of `test`.
    let rules = format!(
        "[roles.mine]\ntokens_sha256 = [\"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"]\nallow = [\"127.0.0.1:{}\"]\n\
         [roles.theirs]\ntokens_sha256 = [\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"]\nallow = [\"127.0.0.1:{}\"]\n",
        mine.address.port(),
        theirs.address.port()
    );
    let proxy = Proxy::start(with_file(&folder.path().join("rules.toml"), &rules)).await;
    for (credentials, target, expected) in [
        ("Bearer secret", &mine, "200"),
        ("Bearer secret", &theirs, "407 loopback"),
        ("Bearer test", &theirs, "200"),
        // mine:secret, mine:test
        ("Basic bWluZTpzZWNyZXQ=", &mine, "200"),
        ("Basic bWluZTp0ZXN0", &mine, "407 unauthenticated"),
        ("Bearer wrong", &mine, "407 unauthenticated"),
    ] {
        let answer = if expected == "200" {
            let mut stream = proxy.connect().await;
            stream.write_all(connect_as(&target.address.to_string(), credentials).as_bytes()).await.unwrap();
            read_head(&mut stream).await
        } else {
            proxy.exchange(&connect_as(&target.address.to_string(), credentials)).await
        };
        let code = header(&answer, "x-egress-error").map(|code| format!(" {code}")).unwrap_or_default();
        assert_eq!(format!("{}{code}", status(&answer)), expected, "{credentials}: {answer}");
        let asks = header(&answer, "proxy-authenticate").is_some();
        assert_eq!(asks, expected.ends_with("unauthenticated"), "{answer}");
    }
    for request in [
        crate::world::connect_to(&mine.address.to_string()),
        format!("GET http://{}/ HTTP/1.1\r\nHost: x\r\n\r\n", mine.address),
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_string(),
    ] {
        let answer = proxy.exchange(&request).await;
        assert_eq!(header(&answer, "x-egress-error").as_deref(), Some("unauthenticated"), "{request}: {answer}");
    }
    let url = format!("http://{}", proxy.address).parse().unwrap();
    assert!(posthouse_egress::audit::run(&url, &[]).await.is_err(), "an audit needs credentials");
    let url = format!("http://mine:secret@{}", proxy.address).parse().unwrap();
    assert!(posthouse_egress::audit::run(&url, &[]).await.unwrap().is_clean());
    proxy.stop().await;
}

#[tokio::test]
async fn a_stock_client_sends_the_credentials_of_its_proxys_url() {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let origin = Origin::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let folder = tempfile::tempdir().unwrap();
    let rules = format!(
        "[roles.worker]\ntokens_sha256 = [\"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"]\nallow = [\"127.0.0.1:{}\"]\n",
        origin.address.port()
    );
    let proxy = Proxy::start(with_file(&folder.path().join("rules.toml"), &rules)).await;
    let through = reqwest::Proxy::all(format!("http://worker:secret@{}", proxy.address)).unwrap();
    let client = reqwest::Client::builder().proxy(through).build().unwrap();
    let answer = client.get(format!("http://{}/", origin.address)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    // The origin speaks no TLS, but the tunnel to it is opened.
    client.get(format!("https://{}/", origin.address)).send().await.unwrap_err();
    let metrics = proxy.metrics.encode();
    assert!(metrics.contains("egress_decisions_total{code=\"allow\"} 2"), "{metrics}");
    let [first, ..] = &origin.requests()[..] else { panic!("no request") };
    assert_eq!(header(first, "proxy-authorization"), None, "{first}");
    proxy.stop().await;
}

#[tokio::test]
async fn rules_change_under_an_open_tunnel_and_a_bad_file_changes_nothing() {
    let origin = Origin::echo().await;
    let target = origin.address.to_string();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.toml");
    let open = format!("allow = [\"{target}\"]\n").replace("127.0.0.1:", "127.0.0.1/32:");
    let settings = Settings { idle_timeout: Duration::from_secs(60), ..with_file(&path, &open) };
    let proxy = Proxy::start(settings).await;
    let mut tunnel = proxy.tunnel(&target).await;
    let is_open = async || proxy.reaches(&target).await;
    write(&path, "");
    until("the rules are closed", async || !is_open().await).await;
    tunnel.write_all(b"x").await.unwrap();
    assert_eq!(tunnel.read_u8().await.unwrap(), b'x', "an open tunnel goes on");
    write(&path, "nonsense = true");
    until("the bad file was seen", async || proxy.metrics.encode().contains("result=\"failed\"} 1")).await;
    assert!(!is_open().await);
    write(&path, &open);
    until("the rules are open again", is_open).await;
    drop(tunnel);
    proxy.stop().await;
}

#[tokio::test]
async fn what_is_only_reported_is_let_through_and_counted() {
    let origin = Origin::echo().await;
    let port = origin.address.port();
    let folder = tempfile::tempdir().unwrap();
    let rules = format!("report_only = true\nallow = [\"127.0.0.1:{port}\"]\ndeny = [\"127.0.0.0/8:{port}\"]\n");
    let proxy = Proxy::start(with_file(&folder.path().join("rules.toml"), &rules)).await;
    proxy.tunnel(&origin.address.to_string()).await;
    assert_eq!(proxy.refused(&format!("127.0.0.2:{port}")).await.1, "loopback", "what is built in refuses");
    assert!(
        proxy.metrics.encode().contains("egress_reported_total{code=\"denied_rule\"} 1"),
        "{}",
        proxy.metrics.encode()
    );
    proxy.stop().await;
}

/// An authority with a certificate for a server and one for a client, as files.
struct Certificates {
    folder: tempfile::TempDir,
    authority: CertificateDer<'static>,
}

impl Certificates {
    fn make(client: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        for (file, name) in [("server", "localhost"), ("client", client)] {
            let key = KeyPair::generate().unwrap();
            let certificate =
                CertificateParams::new(vec![name.to_string()]).unwrap().signed_by(&key, &authority).unwrap();
            std::fs::write(folder.path().join(format!("{file}.pem")), certificate.pem()).unwrap();
            std::fs::write(folder.path().join(format!("{file}.key")), key.serialize_pem()).unwrap();
        }
        std::fs::write(folder.path().join("authority.pem"), authority.pem()).unwrap();
        Self { authority: authority.der().clone(), folder }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn connector(&self, with_certificate: bool) -> tokio_rustls::TlsConnector {
        use rustls::pki_types::pem::PemObject as _;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.authority.clone()).unwrap();
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

#[tokio::test]
async fn a_certificate_proves_a_role_and_the_tunnel_runs_inside_tls() {
    let origin = Origin::echo().await;
    let certificates = Certificates::make("worker.example");
    let rules = format!(
        "[roles.worker]\ncertificates = [\"worker.example\"]\nallow = [\"127.0.0.1:{}\"]\n",
        origin.address.port()
    );
    let tls = ClientTls::read(
        &certificates.path("server.pem"),
        &certificates.path("server.key"),
        Some(&certificates.path("authority.pem")),
    );
    let settings = with_file(&certificates.path("rules.toml"), &rules);
    let proxy = Proxy::start(Settings { tls: Some(tls.unwrap()), ..settings }).await;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = certificates.connector(true).connect(name.clone(), proxy.connect().await).await.unwrap();
    stream.write_all(crate::world::connect_to(&origin.address.to_string()).as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tokio::time::timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&head));
    let sent: Vec<u8> = (0..=250_u8).cycle().take(300_000).collect();
    let (mut from, mut to) = tokio::io::split(stream);
    let (_, received) = tokio::join!(
        async {
            to.write_all(&sent).await.unwrap();
            to.flush().await.unwrap();
        },
        async {
            let mut received = vec![0; sent.len()];
            tokio::time::timeout(PATIENCE, from.read_exact(&mut received)).await.unwrap().unwrap();
            received
        }
    );
    assert!(received == sent);
    // Without a certificate there is no connection, or at least no answer on it.
    let plain = certificates.connector(false).connect(name, proxy.connect().await).await;
    if let Ok(mut stream) = plain {
        let _sent = stream.write_all(crate::world::connect_to(&origin.address.to_string()).as_bytes()).await;
        let mut answer = Vec::new();
        let _end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), "");
    }
    drop((from, to));
    proxy.stop().await;
}

#[tokio::test]
async fn a_certificate_of_another_name_has_no_role() {
    let certificates = Certificates::make("stranger.example");
    let tls = ClientTls::read(
        &certificates.path("server.pem"),
        &certificates.path("server.key"),
        Some(&certificates.path("authority.pem")),
    );
    let rules = "[roles.worker]\ncertificates = [\"worker.example\"]\n";
    let settings = with_file(&certificates.path("rules.toml"), rules);
    let proxy = Proxy::start(Settings { tls: Some(tls.unwrap()), ..settings }).await;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = certificates.connector(true).connect(name, proxy.connect().await).await.unwrap();
    stream.write_all(crate::world::connect_to("example.com:443").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert_eq!(header(&answer, "x-egress-error").as_deref(), Some("unauthenticated"), "{answer}");
    proxy.stop().await;
}

#[test]
fn files_that_hold_something_else_are_named() {
    let certificates = Certificates::make("worker.example");
    let (chain, key) = (certificates.path("server.pem"), certificates.path("server.key"));
    let fault = ClientTls::read(&chain, &chain, None).unwrap_err();
    assert!(fault.contains("server.pem cannot be used"), "{fault}");
    let fault = ClientTls::read(&chain, &key, Some(&certificates.path("nothing.pem"))).unwrap_err();
    assert!(fault.contains("nothing.pem cannot be used"), "{fault}");
    assert!(ClientTls::read(&chain, &certificates.path("client.key"), None).is_err(), "the key of another certificate");
}
