//! The audit: clean where the rules hold, and it finds the hole where they do not.

use posthouse_egress::{
    AddressRule, Rules,
    audit::{self, Asked, Report},
    client::TlsIdentity,
    proxy::{FixedNames, Resolver, Settings},
};
use url::Url;

use crate::world::{Proxy, policy, settings};

fn url(proxy: &Proxy) -> Url {
    format!("http://{}", proxy.address).parse().unwrap()
}

async fn run(proxy: &Url, allow: &[AddressRule]) -> anyhow::Result<Report> {
    audit::run(Asked { proxy, identity: &TlsIdentity::default(), project: None }, allow).await
}

#[tokio::test]
async fn a_proxy_with_the_built_in_rules_lets_nothing_through() {
    let proxy = Proxy::start(settings(&[])).await;
    let report = run(&url(&proxy), &[]).await.unwrap();
    assert!(report.is_clean(), "{report}");
    proxy.stop().await;
}

#[tokio::test]
async fn a_hole_is_found_and_named_unless_it_is_meant() {
    let rules = Rules::with_allowed(vec!["127.0.0.2".parse().unwrap(), "[ff02::1/128]:80".parse().unwrap()]);
    let proxy = Proxy::start(Settings { policy: policy(rules), ..settings(&[]) }).await;
    let report = run(&url(&proxy), &["127.0.0.2".parse().unwrap()]).await.unwrap();
    assert_eq!(report.leaks().len(), 2, "{report}");
    assert!(report.leaks().iter().all(|leak| leak.contains("[ff02::1]")), "{report}");
    let report = run(&url(&proxy), &[]).await.unwrap();
    assert!(!report.is_clean() && report.to_string().contains("let through: CONNECT 127.0.0.2:80"), "{report}");
    proxy.stop().await;
}

#[tokio::test]
async fn a_name_that_is_only_resolved_is_let_through() {
    let rules = Rules::default().with_hosts(vec!["localhost".parse().unwrap()], Vec::new());
    let proxy = Proxy::start(Settings { policy: policy(rules), ..settings(&[]) }).await;
    let report = run(&url(&proxy), &[]).await.unwrap();
    assert!(report.leaks().iter().any(|leak| leak.contains("CONNECT LOCALHOST:443 (502 dns_failure)")), "{report}");
    proxy.stop().await;
}

#[tokio::test]
async fn an_open_proxy_fails_the_audit_in_many_ways() {
    let rules = Rules::new(
        vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
        Vec::new(),
        posthouse_egress::rules::Ports::all(),
    );
    let resolver = Resolver::Fixed(FixedNames::default());
    // Nothing leaves this machine: whatever is let through has a few milliseconds to connect.
    let connect_timeout = std::time::Duration::from_millis(20);
    let proxy = Proxy::start(Settings { policy: policy(rules), resolver, connect_timeout, ..settings(&[]) }).await;
    let report = run(&url(&proxy), &[]).await.unwrap();
    assert!(report.leaks().len() > 200, "{report}");
    proxy.stop().await;
}

#[tokio::test]
async fn a_proxy_that_is_away_or_asks_for_credentials_cannot_be_audited() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert!(run(&format!("http://{gone}").parse().unwrap(), &[]).await.is_err());
    assert!(run(&"https://127.0.0.1:1".parse().unwrap(), &[]).await.is_err());
}
