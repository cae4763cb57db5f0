//! Every way in which a request fails, at a real socket: what the attempt says of it, and that at most once means it.

use std::{net::SocketAddr, time::Duration};

use posthouse_schema::{
    delivery_attempt::DeliveryAttempt,
    words::{DeliveryMode, DeliveryStatus},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::world::{World, config, direct, until};

/// What a receiver does with a request that it has read.
#[derive(Debug, Clone, Copy)]
enum Does {
    /// Sends these parts, a moment apart, and closes.
    Sends(&'static [&'static str]),
    /// Sends this, and nothing more while it is waited for.
    Hangs(&'static str),
    /// Sends this, and then pieces of a body without end, a moment apart.
    Trickles(&'static str),
    /// Ends the connection by a reset.
    Resets,
}

async fn receiver(does: Does) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, does));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, does: Does) {
    let mut request = [0; 8_192];
    if stream.read(&mut request).await.unwrap_or(0) == 0 {
        return;
    }
    match does {
        Does::Sends(parts) => {
            for part in parts {
                if stream.write_all(part.as_bytes()).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Does::Hangs(head) => {
            drop(stream.write_all(head.as_bytes()).await);
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
        Does::Trickles(head) => {
            drop(stream.write_all(head.as_bytes()).await);
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Does::Resets => drop(stream.set_zero_linger()),
    }
}

/// The only attempt at this URL, within a second, and how its delivery ended.
async fn attempted(world: &World, url: &str, mode: DeliveryMode, count: usize) -> (DeliveryAttempt, DeliveryStatus) {
    let endpoint = world
        .endpoint(url, |endpoint, subscription| {
            endpoint.http_timeout_seconds = 1;
            subscription.delivery_mode = mode;
        })
        .await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    until("the delivery ends", async || {
        let deliveries = world.deliveries().await;
        deliveries.len() == count && deliveries.iter().all(|delivery| delivery.status.is_final())
    })
    .await;
    let deliveries = world.deliveries().await;
    let delivery = deliveries.iter().find(|delivery| delivery.endpoint_id == endpoint).unwrap();
    let mut attempts = world.attempts(delivery).await;
    assert_eq!(attempts.len(), 1, "{url}");
    (attempts.remove(0), delivery.status)
}

#[tokio::test]
async fn every_failure_has_its_class() {
    use Does::{Hangs, Resets, Sends, Trickles};
    let mut config = config();
    config.strategy.retry_count = 1;
    let world = World::start(config, direct(), None).await;
    let mut count = 0;
    for (what, does, class) in [
        ("closed without an answer", Sends(&[]), "closed"),
        ("reset", Resets, "closed"),
        ("no answer", Hangs(""), "timeout"),
        ("half a status line", Hangs("HTTP/1.1 2"), "timeout"),
        ("a head without end", Hangs("HTTP/1.1 200 OK\r\nX-A: b\r\n"), "timeout"),
        ("a body that stops", Hangs("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), "timeout"),
        ("a body that trickles", Trickles("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"), "timeout"),
        ("a body that breaks off", Sends(&["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"]), "response"),
        ("a chunk that is none", Sends(&["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]), "response"),
        ("no HTTP at all", Sends(&["SSH-2.0-OpenSSH_9.2\r\n\r\n"]), "protocol"),
        ("an impossible status", Sends(&["HTTP/1.1 9999 What\r\n\r\n"]), "protocol"),
        ("a header without a name", Sends(&["HTTP/1.1 200 OK\r\n: x\r\n\r\n"]), "protocol"),
    ] {
        count += 1;
        let url = format!("http://{}/", receiver(does).await);
        let (attempt, status) = attempted(&world, &url, DeliveryMode::AtMostOnce, count).await;
        assert_eq!(attempt.error_class.as_deref(), Some(class), "{what}: {attempt:?}");
        assert_eq!((attempt.is_success, attempt.status_code, status), (false, None, DeliveryStatus::Failure), "{what}");
        assert!(attempt.duration_ms < 3_000, "{what}: {} ms", attempt.duration_ms);
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let plain = receiver(Sends(&["HTTP/1.1 200 OK\r\n\r\n"])).await;
    for (what, url, class) in [
        ("nobody listens", format!("http://{nobody}/"), "connect"),
        ("no TLS there", format!("https://{plain}/"), "tls"),
        ("no such name", "http://nothing-has-this-name.invalid/".to_string(), "dns"),
    ] {
        count += 1;
        let (attempt, _) = attempted(&world, &url, DeliveryMode::AtLeastOnce, count).await;
        assert_eq!(attempt.error_class.as_deref(), Some(class), "{what}: {attempt:?}");
        assert!(attempt.error.is_some_and(|error| !error.contains("127.0.0.1")), "{what}: no address is told");
    }
    world.stop().await;
}

#[tokio::test]
async fn what_is_odd_and_no_failure_is_an_answer() {
    use Does::Sends;
    let mut config = config();
    config.strategy.retry_count = 1;
    let world = World::start(config, direct(), None).await;
    let mut count = 0;
    for (what, parts, code) in [
        ("an answer in pieces", &["HTTP/1.1 2", "00 OK\r\nContent-Le", "ngth: 2\r\n\r\no", "k"][..], 200),
        ("a body until the end", &["HTTP/1.1 201 Made\r\n\r\nall of it"], 201),
        (
            "what says that it is compressed",
            &["HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"],
            200,
        ),
        ("a hint before", &["HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"], 204),
    ] {
        count += 1;
        let url = format!("http://{}/", receiver(Sends(parts)).await);
        let (attempt, status) = attempted(&world, &url, DeliveryMode::AtLeastOnce, count).await;
        assert_eq!((attempt.status_code, status), (Some(code), DeliveryStatus::Success), "{what}: {attempt:?}");
    }
    world.stop().await;
}
