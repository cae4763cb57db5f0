//! Bounds on time and number, and the way to stop.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{Origin, PATIENCE, Proxy, header, read_all, settings, status, until};

#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let proxy = Proxy::start(settings(&[])).await;
    let mut stream = proxy.connect().await;
    stream.write_all(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nX-").await.unwrap();
    let began = Instant::now();
    read_all(&mut stream).await;
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    proxy.stop().await;
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_moves_is_closed() {
    let origin = Origin::echo().await;
    let mut settings = settings(&[origin.address]);
    settings.idle_timeout = Duration::from_millis(300);
    let proxy = Proxy::start(settings).await;
    let mut tunnel = proxy.tunnel(&origin.address.to_string()).await;
    let began = Instant::now();
    // What moves keeps it open.
    for _ in 0..5 {
        tunnel.write_all(b"x").await.unwrap();
        assert_eq!(tunnel.read_u8().await.unwrap(), b'x');
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    read_all(&mut tunnel).await;
    assert!(began.elapsed() > Duration::from_millis(500) && began.elapsed() < PATIENCE);
    proxy.stop().await;
}

#[tokio::test]
async fn one_more_tunnel_than_there_are_places_is_told_to_come_back() {
    let origin = Origin::echo().await;
    let mut settings = settings(&[origin.address]);
    settings.tunnels_max = 2;
    let proxy = Proxy::start(settings).await;
    let target = origin.address.to_string();
    let (first, _second) = (proxy.tunnel(&target).await, proxy.tunnel(&target).await);
    let answer = proxy.exchange(&crate::world::connect_to(&target)).await;
    assert_eq!((status(&answer), header(&answer, "retry-after").as_deref()), (503, Some("1")), "{answer}");
    drop(first);
    let began = Instant::now();
    while proxy.exchange(&format!("{}x", crate::world::connect_to(&target))).await.starts_with("HTTP/1.1 503") {
        assert!(began.elapsed() < PATIENCE, "an ended tunnel's place is free");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn stopping_lets_tunnels_end_and_cuts_those_that_do_not() {
    let origin = Origin::echo().await;
    let proxy = Proxy::start(settings(&[origin.address])).await;
    let address = proxy.address;
    let mut tunnel = proxy.tunnel(&origin.address.to_string()).await;
    let began = Instant::now();
    let (stopped, echoed) = tokio::join!(proxy.stop(), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        tunnel.write_all(b"x").await.unwrap();
        tunnel.read_u8().await.unwrap()
    });
    let () = stopped;
    assert_eq!(echoed, b'x', "an open tunnel goes on during the drain");
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nothing new is taken");
}

#[tokio::test]
async fn decisions_are_counted_by_code() {
    let origin = Origin::echo().await;
    let proxy = Proxy::start(settings(&[origin.address])).await;
    proxy.tunnel(&origin.address.to_string()).await;
    proxy.refused("169.254.169.254:80").await;
    let text = proxy.metrics.encode();
    assert!(text.lines().any(|line| line.contains("metadata") && line.ends_with(" 1")), "{text}");
    proxy.stop().await;
}

#[tokio::test]
async fn a_destination_has_as_many_tunnels_as_it_may() {
    let (origin, other) = (Origin::echo().await, Origin::echo().await);
    let mut settings = settings(&[origin.address, other.address]);
    settings.tunnels_per_destination_max = Some(1);
    let proxy = Proxy::start(settings).await;
    let first = proxy.tunnel(&origin.address.to_string()).await;
    let answer = proxy.exchange(&crate::world::connect_to(&origin.address.to_string())).await;
    assert_eq!((status(&answer), header(&answer, "x-egress-error").as_deref()), (429, Some("rate_limit")), "{answer}");
    assert_eq!(header(&answer, "retry-after").as_deref(), Some("1"));
    proxy.tunnel(&other.address.to_string()).await;
    drop(first);
    until("the place is free", async || proxy.reaches(&origin.address.to_string()).await).await;
    proxy.stop().await;
}

#[tokio::test]
async fn a_client_has_as_many_connections_as_it_may_its_tunnels_among_them() {
    let origin = Origin::echo().await;
    let mut settings = settings(&[origin.address]);
    settings.connections_per_client_max = Some(2);
    settings.head_timeout = Duration::from_secs(30);
    let proxy = Proxy::start(settings).await;
    let target = origin.address.to_string();
    let (tunnel, silent) = (proxy.tunnel(&target).await, proxy.connect().await);
    until("both are counted", async || {
        header(&proxy.exchange(&crate::world::connect_to(&target)).await, "x-egress-error").as_deref()
            == Some("rate_limit")
    })
    .await;
    // Who goes on all the same is not answered any more.
    let mut more = Vec::new();
    for _ in 0..4 {
        more.push(proxy.connect().await);
    }
    until("no answer", async || {
        let mut stream = proxy.connect().await;
        let _sent = stream.write_all(crate::world::connect_to(&target).as_bytes()).await;
        read_all(&mut stream).await.is_empty()
    })
    .await;
    drop((tunnel, silent, more));
    until("the places are free", async || proxy.reaches(&target).await).await;
    proxy.stop().await;
}

#[tokio::test]
async fn a_tunnel_ends_with_its_age_and_its_bytes() {
    let origin = Origin::echo().await;
    let mut old = settings(&[origin.address]);
    (old.idle_timeout, old.tunnel_lifetime) = (Duration::from_secs(60), Some(Duration::from_millis(200)));
    let proxy = Proxy::start(old).await;
    read_all(&mut proxy.tunnel(&origin.address.to_string()).await).await;
    proxy.stop().await;
    let mut spent = settings(&[origin.address]);
    (spent.idle_timeout, spent.tunnel_bytes_max) = (Duration::from_secs(60), Some(1_000));
    let proxy = Proxy::start(spent).await;
    let mut tunnel = proxy.tunnel(&origin.address.to_string()).await;
    tunnel.write_all(&[b'x'; 10_000]).await.unwrap();
    assert!(read_all(&mut tunnel).await.len() < 10_000);
    proxy.stop().await;
}

/// A client that reads nothing: what it was sent waits in the tunnel, and nothing else does.
#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let origin = Origin::echo().await;
    let proxy = Proxy::start(settings(&[origin.address])).await;
    let mut tunnel = proxy.tunnel(&origin.address.to_string()).await;
    let began = Instant::now();
    let chunk = [b'x'; 64 * 1024];
    let writing = async { while tunnel.write_all(&chunk).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), writing).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    proxy.stop().await;
}
