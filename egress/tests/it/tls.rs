//! TLS between clients and the proxy: certificates that prove a role, files that change, and certificates that are revoked.

use std::time::Duration;

use posthouse_egress::{
    audit::{self, Asked},
    client::{ExitError, Exits, TlsIdentity},
    proxy::{ClientTls, Settings, TlsFiles},
};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    certificates::Certificates,
    world::{Origin, PATIENCE, Proxy, header, read_head, until, with_file, write},
};

#[tokio::test]
async fn a_certificate_proves_a_role_and_the_tunnel_runs_inside_tls() {
    let origin = Origin::echo().await;
    let certificates = Certificates::make("worker.example");
    let rules = format!(
        "[roles.worker]\ncertificates = [\"worker.example\"]\nallow = [\"127.0.0.1:{}\"]\n",
        origin.address.port()
    );
    let settings = with_file(&certificates.path("rules.toml"), &rules);
    let proxy = Proxy::start(Settings { tls: Some(certificates.tls()), ..settings }).await;
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
    let rules = "[roles.worker]\ncertificates = [\"worker.example\"]\n";
    let settings = with_file(&certificates.path("rules.toml"), rules);
    let proxy = Proxy::start(Settings { tls: Some(certificates.tls()), ..settings }).await;
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
    let files = || certificates.files();
    let chain = certificates.path("server.pem");
    for (files, fault) in [
        (TlsFiles { key: chain.clone(), ..files() }, "server.pem cannot be used"),
        (TlsFiles { authorities: Some(certificates.path("nothing.pem")), ..files() }, "nothing.pem cannot be used"),
        (TlsFiles { revoked: Some(chain.clone()), ..files() }, "server.pem cannot be used"),
        (TlsFiles { authorities: Some(certificates.path("client.key")), ..files() }, "client.key cannot be used"),
        (TlsFiles { key: certificates.path("client.key"), ..files() }, "server.pem cannot be used"),
    ] {
        let told = ClientTls::read(files).unwrap_err();
        assert!(told.contains(fault), "{told}");
    }
}

/// A proxy that lets this client out to the origin.
async fn proxy_for(certificates: &Certificates, origin: &Origin) -> Proxy {
    let port = origin.address.port();
    let rules = format!("[roles.worker]\ncertificates = [\"worker.example\"]\nallow = [\"127.0.0.1:{port}\"]\n");
    let settings = with_file(&certificates.path("rules.toml"), &rules);
    let head_timeout = Duration::from_secs(60);
    Proxy::start(Settings { tls: Some(certificates.tls()), head_timeout, idle_timeout: head_timeout, ..settings }).await
}

#[tokio::test]
async fn files_that_change_are_read_again_and_open_tunnels_go_on() {
    let (origin, certificates) = (Origin::echo().await, Certificates::make("worker.example"));
    let proxy = proxy_for(&certificates, &origin).await;
    let target = origin.address.to_string();
    let url = format!("https://localhost:{}", proxy.address.port()).parse().unwrap();
    let exit = Exits::one(&url, &certificates.identity()).unwrap();
    let mut before = exit.tunnel(&target, None).await.unwrap().stream;
    let metrics = async |text: &str| proxy.metrics.encode().contains(text);
    // A certificate without its key is of no use.
    let (chain, new) = (certificates.path("server.pem"), Certificates::make("worker.example"));
    let good = std::fs::read_to_string(&chain).unwrap();
    write(&chain, &std::fs::read_to_string(new.path("server.pem")).unwrap());
    until("the fault is seen", async || metrics("tls_reloads_total{result=\"failed\"} 1").await).await;
    assert!(exit.tunnel(&target, None).await.is_ok(), "what was in force stays in force");
    write(&chain, &good);
    until("the old files are back", async || metrics("tls_reloads_total{result=\"ok\"} 1").await).await;
    certificates.issue("server", &["elsewhere.example"], 2);
    until(
        "the proxy has another certificate",
        async || matches!(exit.tunnel(&target, None).await, Err(ExitError::Away(why)) if why.contains("certificate")),
    )
    .await;
    before.write_all(b"x").await.unwrap();
    assert_eq!(before.read_u8().await.unwrap(), b'x', "an open tunnel goes on");
    proxy.stop().await;
}

#[tokio::test]
async fn a_revoked_certificate_proves_nothing_on_new_connections_and_old_ones() {
    let (origin, certificates) = (Origin::echo().await, Certificates::make("worker.example"));
    let proxy = proxy_for(&certificates, &origin).await;
    let target = origin.address.to_string();
    let connector = certificates.connector(true);
    let name = ServerName::try_from("localhost").unwrap();
    let mut tunnel = connector.connect(name.clone(), proxy.connect().await).await.unwrap();
    tunnel.write_all(crate::world::connect_to(&target).as_bytes()).await.unwrap();
    assert!(read_head(&mut tunnel).await.starts_with("HTTP/1.1 200 "));
    // Connected before, and asks after.
    let mut waiting = connector.connect(name.clone(), proxy.connect().await).await.unwrap();
    waiting.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    certificates.revoke_client();
    let url = format!("https://localhost:{}", proxy.address.port()).parse().unwrap();
    let exit = Exits::one(&url, &certificates.identity()).unwrap();
    until("the certificate is refused", async || exit.tunnel(&target, None).await.is_err()).await;
    waiting.write_all(format!("\r\n{}", crate::world::connect_to(&target)).as_bytes()).await.unwrap();
    let answers = read_until_end(&mut waiting).await;
    assert!(answers.starts_with("HTTP/1.1 200 ") && answers.contains("x-egress-error: unauthenticated"), "{answers}");
    tunnel.write_all(b"x").await.unwrap();
    assert_eq!(tunnel.read_u8().await.unwrap(), b'x', "an open tunnel goes on");
    drop((tunnel, waiting));
    proxy.stop().await;
}

#[tokio::test]
async fn an_audit_and_a_check_go_over_tls() {
    let (origin, certificates) = (Origin::echo().await, Certificates::make("worker.example"));
    let proxy = proxy_for(&certificates, &origin).await;
    let url: url::Url = format!("https://localhost:{}", proxy.address.port()).parse().unwrap();
    let port = origin.address.port();
    let identity = certificates.identity();
    let asked = Asked { proxy: &url, identity: &identity, project: None };
    let report = audit::run(asked, &[format!("127.0.0.1:{port}").parse().unwrap()]).await.unwrap();
    assert!(report.is_clean(), "{report}");
    let stranger = TlsIdentity { certificate: None, ..identity.clone() };
    let refused = audit::run(Asked { identity: &stranger, ..asked }, &[]).await;
    assert!(refused.is_err(), "who is not talked to cannot say that everything is refused");
    let check = async |target: String| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_posthouse-egress"));
        command.args(["check", &target, "--proxy", url.as_str(), "--ca-file"]).arg(certificates.path("authority.pem"));
        command.arg("--client-cert").arg(certificates.path("client.pem"));
        command.arg("--client-key").arg(certificates.path("client.key"));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (is_good, said) = check(format!("http://127.0.0.1:{port}/")).await;
    assert!(is_good && said.contains("was connected to (address=127.0.0.1 connect_us="), "{said}");
    let (is_good, said) = check("https://10.0.0.1/".into()).await;
    assert!(!is_good && said == "refused: it answered 407 private_address\n", "{said}");
    proxy.stop().await;
}

async fn read_until_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    // A reset after an answer is an end too.
    let _end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
