//! Who may use the proxy, with which rules, and what happens when these change.

use std::time::Duration;

use posthouse_egress::{
    audit::{self, Asked},
    client::TlsIdentity,
    proxy::Settings,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{Origin, Proxy, header, read_head, status, until, with_file, write};

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
    let url = |user: &str| format!("http://{user}{}", proxy.address).parse().unwrap();
    let identity = TlsIdentity::default();
    let asked = |proxy| Asked { proxy, identity: &identity, project: None };
    let (unknown, known) = (url(""), url("mine:secret@"));
    assert!(audit::run(asked(&unknown), &[]).await.is_err(), "an audit needs credentials");
    assert!(audit::run(asked(&known), &[]).await.unwrap().is_clean());
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
