//! Another proxy in front: it is asked for the judged address and never for a name, and its own failure is told apart.

use posthouse_egress::proxy::{FixedNames, Resolver, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{Origin, Proxy, header, settings, status};

#[tokio::test]
async fn tunnels_and_requests_go_through_the_other_proxy_by_address() {
    let (echo, origin) = (Origin::echo().await, Origin::keeping(10).await);
    // The other proxy knows no name: a name that reached it would be refused.
    let other = Proxy::start(settings(&[echo.address, origin.address])).await;
    let names = FixedNames::default().with("a.example", &[&["127.0.0.1"]]);
    let upstream = Some(format!("http://{}", other.address).parse().unwrap());
    let own = Settings { upstream, resolver: Resolver::Fixed(names), ..settings(&[echo.address, origin.address]) };
    let proxy = Proxy::start(own).await;
    let mut tunnel = proxy.tunnel(&format!("a.example:{}", echo.address.port())).await;
    tunnel.write_all(b"x").await.unwrap();
    assert_eq!(tunnel.read_u8().await.unwrap(), b'x');
    let port = origin.address.port();
    let answer =
        proxy.exchange(&format!("GET http://a.example:{port}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert!(other.metrics.encode().contains("egress_decisions_total{code=\"allow\"} 2"), "{}", other.metrics.encode());
    drop(tunnel);
    proxy.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn an_other_proxy_that_is_away_is_not_the_destinations_fault() {
    let origin = Origin::echo().await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let upstream = Some(format!("http://{gone}").parse().unwrap());
    let proxy = Proxy::start(Settings { upstream, ..settings(&[origin.address]) }).await;
    let answer = proxy.exchange(&crate::world::connect_to(&origin.address.to_string())).await;
    assert_eq!((status(&answer), header(&answer, "x-egress-error").as_deref()), (503, Some("upstream_failure")));
    assert_eq!(proxy.refused("10.0.0.1:443").await.1, "private_address", "the rules come first");
    proxy.stop().await;
}

#[tokio::test]
async fn what_the_other_proxy_says_of_the_destination_counts() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let other = Proxy::start(settings(&[closed])).await;
    let upstream = Some(format!("http://{}", other.address).parse().unwrap());
    let proxy = Proxy::start(Settings { upstream, ..settings(&[closed]) }).await;
    assert_eq!(proxy.refused(&closed.to_string()).await, (502, "connect_failure".into()));
    proxy.stop().await;
    other.stop().await;
}
