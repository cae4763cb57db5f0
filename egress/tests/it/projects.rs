//! Projects: whose rules and source addresses a connection gets, and who may say for which it is.

use std::time::Duration;

use posthouse_egress::{
    audit::{self, Asked},
    client::{ClientSettings, Exits, TlsIdentity},
};
use tokio::io::AsyncWriteExt as _;
use url::Url;

use crate::world::{Origin, Proxy, header, read_head, status, until, with_file, write};

/// The SHA-256 of `secret`.
const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
/// The SHA-256 of `test`.
const TEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn rules(origin: &Origin) -> String {
    let port = origin.address.port();
    format!(
        "[roles.worker]\ntokens_sha256 = [\"{SECRET}\"]\nnames_projects = true\nallow = [\"127.0.0.1:{port}\"]\n\
         [roles.other]\ntokens_sha256 = [\"{TEST}\"]\nallow = [\"127.0.0.1:{port}\"]\n\
         [projects.p1]\nsources = [\"127.0.0.11\"]\n\
         [projects.p2]\nsources = [\"127.0.0.12\", \"127.0.0.13\"]\n\
         [projects.p3]\ndeny = [\"127.0.0.1\"]\n"
    )
}

fn connect(origin: &Origin, token: &str, project: &str) -> String {
    let at = origin.address;
    format!("CONNECT {at} HTTP/1.1\r\nHost: {at}\r\nProxy-Authorization: Bearer {token}\r\n{project}\r\n")
}

/// The status, and the code of a refusal.
async fn ask(proxy: &Proxy, request: &str) -> String {
    let mut stream = proxy.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = read_head(&mut stream).await;
    let code = header(&head, "x-egress-error").map(|code| format!(" {code}")).unwrap_or_default();
    format!("{}{code}", status(&head))
}

#[tokio::test]
async fn a_project_has_rules_and_sources_of_its_own() {
    let origin = Origin::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::start(with_file(&folder.path().join("rules.toml"), &rules(&origin))).await;
    for (token, project, expected) in [
        ("secret", "X-Egress-Project: p1\r\n", "200"),
        ("secret", "x-egress-project: p2\r\n", "200"),
        ("secret", "x-egress-project: p2\r\n", "200"),
        ("secret", "X-Egress-Project: p3\r\n", "407 denied_rule"),
        ("secret", "X-Egress-Project: unknown\r\n", "200"),
        ("secret", "", "200"),
        ("test", "X-Egress-Project: p1\r\n", "407 unauthenticated"),
        ("test", "", "200"),
        ("wrong", "X-Egress-Project: p1\r\n", "407 unauthenticated"),
        ("secret", "X-Egress-Project: p1\r\nX-Egress-Project: p2\r\n", "400 bad_target"),
        ("secret", "X-Egress-Project: p 1\r\n", "400 bad_target"),
    ] {
        assert_eq!(ask(&proxy, &connect(&origin, token, project)).await, expected, "{token} {project}");
    }
    until("all have arrived", async || origin.clients().len() == 6).await;
    let from: Vec<String> = origin.clients().iter().map(|client| client.ip().to_string()).collect();
    assert_eq!(from, ["127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.1", "127.0.0.1", "127.0.0.1"]);
    let url: Url = format!("http://worker:secret@{}", proxy.address).parse().unwrap();
    let identity = TlsIdentity::default();
    let permission = format!("127.0.0.1:{}", origin.address.port()).parse().unwrap();
    let report = audit::run(Asked { proxy: &url, identity: &identity, project: Some("p2") }, &[permission]).await;
    assert!(report.unwrap().is_clean());
    proxy.stop().await;
}

#[tokio::test]
async fn without_roles_a_project_changes_nothing() {
    let origin = Origin::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let rules = format!("allow = [\"127.0.0.1:{}\"]\n", origin.address.port());
    let proxy = Proxy::start(with_file(&folder.path().join("rules.toml"), &rules)).await;
    assert_eq!(ask(&proxy, &connect(&origin, "any", "X-Egress-Project: p1\r\n")).await, "200");
    proxy.stop().await;
}

#[tokio::test]
async fn a_connection_to_an_origin_is_not_shared_by_projects_that_leave_from_elsewhere() {
    let origin = Origin::keeping(100).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.toml");
    let proxy = Proxy::start(with_file(&path, &rules(&origin))).await;
    // Which connection the origin was asked over.
    let over = async |project: &str| {
        let at = origin.address;
        let project = if project.is_empty() { String::new() } else { format!("X-Egress-Project: {project}\r\n") };
        let answer = proxy
            .exchange(&format!(
                "GET http://{at}/ HTTP/1.1\r\nHost: {at}\r\nProxy-Authorization: Bearer secret\r\nConnection: close\r\n{project}\r\n"
            ))
            .await;
        assert_eq!(status(&answer), 200, "{answer}");
        answer.rsplit_once("\r\n\r\n").unwrap().1.to_string()
    };
    // A connection is kept a moment after its answer.
    let first = over("p1").await;
    until("it is used again", async || over("p1").await == first).await;
    assert_ne!(over("p2").await, first);
    let shared = over("").await;
    assert_ne!(shared, first);
    until("those without sources of their own share one", async || over("unknown").await == shared).await;
    for request in origin.requests() {
        assert_eq!(header(&request, "x-egress-project"), None, "{request}");
    }
    // New sources under the same name.
    write(&path, &rules(&origin).replace("127.0.0.11", "127.0.0.14"));
    until("the rules are read again", async || proxy.metrics.encode().contains("rules_reloads_total{result=\"ok\"} 1"))
        .await;
    assert_ne!(over("p1").await, first);
    proxy.stop().await;
}

#[tokio::test]
async fn sources_that_are_not_this_machines_change_nothing() {
    let origin = Origin::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.toml");
    let proxy = Proxy::start(with_file(&path, &rules(&origin))).await;
    write(&path, &rules(&origin).replace("127.0.0.11", "192.0.2.1"));
    until("the fault is seen", async || proxy.metrics.encode().contains("rules_reloads_total{result=\"failed\"} 1"))
        .await;
    assert_eq!(ask(&proxy, &connect(&origin, "secret", "X-Egress-Project: p1\r\n")).await, "200");
    until("it has arrived", async || !origin.clients().is_empty()).await;
    assert_eq!(origin.clients()[0].ip().to_string(), "127.0.0.11");
    proxy.stop().await;
}

#[tokio::test]
async fn a_client_tells_the_project_where_it_is_to() {
    let origin = Origin::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::start(with_file(&folder.path().join("rules.toml"), &rules(&origin))).await;
    let url = || vec![format!("http://worker:secret@{}", proxy.address).parse().unwrap()];
    let settings = ClientSettings { egress_check_interval: Duration::from_secs(60), ..ClientSettings::at(url()) };
    let target = origin.address.to_string();
    for (at, (egress_projects, source)) in [(true, "127.0.0.11"), (false, "127.0.0.1")].into_iter().enumerate() {
        let exits = Exits::new(&ClientSettings { egress_projects, ..settings.clone() }).unwrap().unwrap();
        let project = exits.project("p1").map(|(_, value)| value);
        drop(exits.tunnel(&target, project.as_ref()).await.unwrap());
        until("it has arrived", async || origin.clients().len() == at + 1).await;
        assert_eq!(origin.clients().last().unwrap().ip().to_string(), source);
    }
    proxy.stop().await;
}
