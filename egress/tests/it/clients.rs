//! Those who send through one of several proxies: which one they take, and when they take another one.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use posthouse_egress::{
    client::{ClientSettings, ExitError, Exits, OnceError},
    proxy::Settings,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use url::Url;

use crate::{
    certificates::Certificates,
    world::{Origin, Proxy, settings, until, with_file},
};

fn url(proxy: &Proxy) -> Url {
    format!("http://{}", proxy.address).parse().unwrap()
}

fn exits(urls: Vec<Url>) -> Exits {
    let egress_check_interval = Duration::from_millis(50);
    Exits::new(&ClientSettings { egress_check_interval, ..ClientSettings::at(urls) }).unwrap().unwrap()
}

/// Decisions of this proxy that let something through.
fn allowed(proxy: &Proxy) -> u32 {
    let text = proxy.metrics.encode();
    let line = text.lines().find_map(|line| line.strip_prefix("posthouse_egress_decisions_total{code=\"allow\"} "));
    line.unwrap().parse().unwrap()
}

/// A port on which nobody listens.
async fn nowhere() -> Url {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    format!("http://{address}").parse().unwrap()
}

async fn is_echoed(exits: &Exits, target: &str) -> bool {
    let Ok(mut tunnel) = exits.tunnel(target, None).await else { return false };
    tunnel.stream.write_all(b"x").await.unwrap();
    tunnel.stream.read_u8().await.unwrap() == b'x'
}

#[tokio::test]
async fn proxies_take_turns_and_one_that_is_away_is_passed_over_until_it_is_back() {
    let origin = Origin::echo().await;
    let target = origin.address.to_string();
    let (first, second) =
        (Proxy::start(settings(&[origin.address])).await, Proxy::start(settings(&[origin.address])).await);
    let exits = exits(vec![url(&first), url(&second)]);
    for _ in 0..4 {
        assert!(is_echoed(&exits, &target).await);
    }
    assert_eq!((allowed(&first), allowed(&second)), (2, 2));
    let address = second.address.to_string();
    second.stop().await;
    for _ in 0..6 {
        assert!(is_echoed(&exits, &target).await, "at once, by the other one");
    }
    until("it is taken out", async || !exits.all()[1].is_up()).await;
    let second = Proxy::start_at(&address, settings(&[origin.address])).await;
    until("it is taken in", async || exits.all()[1].is_up()).await;
    let before = allowed(&first);
    for _ in 0..4 {
        assert!(is_echoed(&exits, &target).await);
    }
    assert_eq!((allowed(&first) - before, allowed(&second)), (2, 2));
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn one_that_hangs_is_found_by_its_health_and_left_under_the_request() {
    let origin = Origin::echo().await;
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let well = Proxy::start(settings(&[origin.address])).await;
    let exits = exits(vec![hanging, url(&well)]);
    let target = origin.address.to_string();
    let both = async { (is_echoed(&exits, &target).await, is_echoed(&exits, &target).await) };
    assert_eq!(tokio::time::timeout(Duration::from_secs(30), both).await.unwrap(), (true, true));
    assert!(!exits.all()[0].is_up());
    drop(silent);
    well.stop().await;
}

#[tokio::test]
async fn a_full_proxy_or_one_that_does_not_know_us_is_passed_over_and_a_refusal_is_not() {
    let origin = Origin::echo().await;
    let target = origin.address.to_string();
    let full = Proxy::start(Settings { tunnels_max: 0, ..settings(&[origin.address]) }).await;
    let folder = tempfile::tempdir().unwrap();
    let strict = with_file(&folder.path().join("rules.toml"), "[roles.a]\ncertificates = [\"a\"]\n");
    let strict = Proxy::start(strict).await;
    let well = Proxy::start(settings(&[origin.address])).await;
    let only_bad = exits(vec![url(&full), url(&strict)]);
    for _ in 0..2 {
        assert!(only_bad.tunnel(&target, None).await.unwrap_err().is_proxys_own());
    }
    assert!(only_bad.all().iter().all(|exit| exit.is_up()), "they live");
    let exits = exits(vec![url(&full), url(&strict), url(&well)]);
    for _ in 0..3 {
        assert!(is_echoed(&exits, &target).await);
    }
    let refused = exits.tunnel("10.0.0.1:443", None).await.unwrap_err();
    assert_eq!(refused, ExitError::Answered { status: 407, code: Some("private_address".into()) });
    assert_eq!(allowed(&well), 3);
    for proxy in [full, strict, well] {
        proxy.stop().await;
    }
}

#[tokio::test]
async fn where_no_proxy_answers_the_last_one_says_why() {
    let exits = exits(vec![nowhere().await, nowhere().await]);
    assert!(matches!(exits.tunnel("example.com:443", None).await, Err(ExitError::Away(_))));
    assert!(exits.all().iter().all(|exit| !exit.is_up()));
}

#[tokio::test]
async fn proxies_in_tls_prove_themselves_and_are_proved_to() {
    let (origin, certificates) = (Origin::echo().await, Certificates::make("worker.example"));
    let rules = format!(
        "[roles.worker]\ncertificates = [\"worker.example\"]\nallow = [\"127.0.0.1:{}\"]\n",
        origin.address.port()
    );
    let proxy = with_file(&certificates.path("rules.toml"), &rules);
    let proxy = Proxy::start(Settings { tls: Some(certificates.tls()), ..proxy }).await;
    let settings = |host: &str| ClientSettings {
        egress_ca_file: Some(certificates.path("authority.pem")),
        egress_client_cert: Some(certificates.path("client.pem")),
        egress_client_key: Some(certificates.path("client.key")),
        egress_check_interval: Duration::from_millis(50),
        ..ClientSettings::at(vec![format!("https://{host}:{}", proxy.address.port()).parse().unwrap()])
    };
    for host in ["localhost", "127.0.0.1"] {
        let exits = Exits::new(&settings(host)).unwrap().unwrap();
        assert!(is_echoed(&exits, &origin.address.to_string()).await, "{host}");
    }
    // An authority that did not sign it.
    let other = Certificates::make("worker.example");
    let wrong = ClientSettings { egress_ca_file: Some(other.path("authority.pem")), ..settings("localhost") };
    let exits = Exits::new(&wrong).unwrap().unwrap();
    assert!(
        matches!(exits.tunnel("example.com:443", None).await, Err(ExitError::Away(why)) if why.starts_with("TLS: "))
    );
    let nothing = ClientSettings { egress_client_cert: None, egress_client_key: None, ..settings("localhost") };
    let exits = Exits::new(&nothing).unwrap().unwrap();
    assert!(exits.tunnel(&origin.address.to_string(), None).await.is_err());
    let exits = Exits::new(&settings("localhost")).unwrap().unwrap();
    let address = proxy.address.to_string();
    proxy.stop().await;
    until("it is away", async || exits.tunnel("example.com:443", None).await.is_err() && !exits.all()[0].is_up()).await;
    let again = with_file(&certificates.path("rules.toml"), &rules);
    let proxy = Proxy::start_at(&address, Settings { tls: Some(certificates.tls()), ..again }).await;
    until("its health is asked in TLS", async || exits.all()[0].is_up()).await;
    proxy.stop().await;
}

#[tokio::test]
async fn a_single_request_goes_through_whichever_works() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let full = Proxy::start(Settings { tunnels_max: 0, ..settings(&[origin.address]) }).await;
    let well = Proxy::start(settings(&[origin.address])).await;
    let exits = exits(vec![nowhere().await, url(&full), url(&well)]);
    let request = || Request::post("/").body(Full::new(Bytes::from_static(b"a=b"))).unwrap();
    for _ in 0..3 {
        let url = format!("http://{}/token?x=y", origin.address).parse().unwrap();
        let answer = exits.send_once(&url, request(), "p1").await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    }
    let requests = origin.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests[0].starts_with("POST /token?x=y HTTP/1.1\r\n") && requests[0].ends_with("a=b"), "{}", requests[0]);
    assert!(!requests[0].to_ascii_lowercase().contains("x-egress"), "{}", requests[0]);
    for (url, code) in [("http://10.0.0.1/", "private_address"), ("https://10.0.0.1/", "private_address")] {
        let refused = exits.send_once(&url.parse().unwrap(), request(), "p1").await.unwrap_err();
        let OnceError::Exit(ExitError::Answered { status: 407, code: Some(told) }) = refused else {
            panic!("{refused}")
        };
        assert_eq!(told, code);
    }
    full.stop().await;
    well.stop().await;
}
