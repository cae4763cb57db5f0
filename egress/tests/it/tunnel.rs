//! CONNECT: bytes both ways once allowed, a refusal that says why, and no way around the rules.

use posthouse_egress::proxy::{FixedNames, Resolver};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{Origin, Proxy, connect_to, header, policy, read_all, read_head, settings};

#[tokio::test]
async fn bytes_pass_both_ways_and_an_end_is_passed_on() {
    let origin = Origin::echo().await;
    let proxy = Proxy::start(settings(&[origin.address])).await;
    let mut tunnel = proxy.tunnel(&origin.address.to_string()).await;
    let sent: Vec<u8> = (0..=255_u8).cycle().take(300_000).collect();
    let expected = sent.clone();
    let (mut from, mut to) = tunnel.split();
    let (_, received) = tokio::join!(
        async {
            to.write_all(&sent).await.unwrap();
            to.shutdown().await.unwrap();
        },
        async {
            let mut received = Vec::new();
            from.read_to_end(&mut received).await.unwrap();
            received
        }
    );
    assert!(received == expected, "{} of {} bytes came back", received.len(), expected.len());
    proxy.stop().await;
}

#[tokio::test]
async fn bytes_sent_along_with_the_request_reach_the_origin() {
    let origin = Origin::echo().await;
    let proxy = Proxy::start(settings(&[origin.address])).await;
    let mut stream = proxy.connect().await;
    stream.write_all(format!("{}early", connect_to(&origin.address.to_string())).as_bytes()).await.unwrap();
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    stream.shutdown().await.unwrap();
    assert_eq!(read_all(&mut stream).await, "early");
    proxy.stop().await;
}

#[tokio::test]
async fn a_tunnel_tells_where_it_leads() {
    let origin = Origin::echo().await;
    let mut settings = settings(&[origin.address]);
    settings.resolver = Resolver::Fixed(FixedNames::default().with("a.example", &[&["127.0.0.1"]]));
    let proxy = Proxy::start(settings).await;
    let told = async |host: &str| {
        let mut stream = proxy.connect().await;
        let target = format!("{host}:{}", origin.address.port());
        stream.write_all(connect_to(&target).as_bytes()).await.unwrap();
        let told = header(&read_head(&mut stream).await, "x-egress-connection").unwrap();
        told.split(' ').map(|part| part.split_once('=').unwrap().0.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told("a.example").await, ["address", "dns_us", "connect_us"]);
    assert_eq!(told("127.0.0.1").await, ["address", "connect_us"], "a literal address is not resolved");
    proxy.stop().await;
}

#[tokio::test]
async fn internal_destinations_are_refused_with_their_code() {
    let origin = Origin::echo().await;
    let proxy = Proxy::start(settings(&[])).await;
    let port = origin.address.port();
    for (target, code) in [
        (format!("127.0.0.1:{port}"), "loopback"),
        (format!("[::1]:{port}"), "loopback"),
        (format!("[::ffff:127.0.0.1]:{port}"), "loopback"),
        (format!("localhost:{port}"), "denied_host"),
        ("169.254.169.254:80".to_string(), "metadata"),
        ("10.0.0.1:443".to_string(), "private_address"),
        ("192.168.1.1:443".to_string(), "private_address"),
        ("8.8.8.8:22".to_string(), "port_not_allowed"),
    ] {
        assert_eq!(proxy.refused(&target).await, (407, code.to_string()), "{target}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_permission_opens_one_port_of_one_address() {
    let (origin, other) = (Origin::echo().await, Origin::echo().await);
    let proxy = Proxy::start(settings(&[origin.address])).await;
    proxy.tunnel(&origin.address.to_string()).await;
    assert_eq!(proxy.refused(&other.address.to_string()).await.1, "loopback");
    assert_eq!(proxy.refused(&format!("127.0.0.2:{}", origin.address.port())).await.1, "loopback");
    proxy.stop().await;
}

#[tokio::test]
async fn the_proxy_does_not_connect_to_itself() {
    let mut settings = settings(&["127.0.0.1:1".parse().unwrap()]);
    settings.policy = policy(posthouse_egress::Rules::with_allowed(vec!["127.0.0.0/8".parse().unwrap()]));
    let probes = Origin::echo().await;
    settings.own_ports = vec![probes.address.port()];
    let proxy = Proxy::start(settings).await;
    for port in [proxy.address.port(), probes.address.port()] {
        assert_eq!(proxy.refused(&format!("127.0.0.1:{port}")).await, (407, "self_connection".into()));
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_stock_client_can_tell_a_refusal_from_an_answer() {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let origin = Origin::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let proxy = Proxy::start(settings(&[origin.address])).await;
    let through = reqwest::Proxy::all(format!("http://{}", proxy.address)).unwrap();
    let client = reqwest::Client::builder().proxy(through).build().unwrap();
    let plain = client.get(format!("http://{}/hook", origin.address)).send().await.unwrap();
    assert_eq!((plain.status().as_u16(), plain.text().await.unwrap()), (200, "ok".into()));
    let refused = client.get("http://169.254.169.254/latest").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["x-egress-error"].to_str().unwrap()), (407, "metadata"));
    let error = client.get("https://169.254.169.254/latest").send().await.unwrap_err();
    assert!(format!("{error:?}").contains("ProxyAuthRequired"), "{error:?}");
    proxy.stop().await;
}
