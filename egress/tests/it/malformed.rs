//! What is not a request of ours: answered or closed, never carried out, and the proxy goes on.

use proptest::prelude::*;
use tokio::io::AsyncWriteExt as _;

use crate::world::{Origin, Proxy, connect_to, header, read_all, settings, status};

#[tokio::test]
async fn malformed_requests_are_refused() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let proxy = Proxy::start(settings(&[origin.address])).await;
    let at = origin.address;
    for (request, expected) in [
        (format!("GET / HTTP/1.1\r\nHost: {at}\r\n\r\n"), 405),
        (format!("GET https://{at}/ HTTP/1.1\r\nHost: {at}\r\n\r\n"), 400),
        (format!("GET ftp://{at}/ HTTP/1.1\r\nHost: {at}\r\n\r\n"), 400),
        (format!("GET http://user:secret@{at}/ HTTP/1.1\r\nHost: {at}\r\n\r\n"), 400),
        (connect_to("127.0.0.1"), 400),
        (connect_to("127.0.0.1:0"), 400),
        // Other spellings of an address, which resolvers read differently.
        (connect_to(&format!("2130706433:{}", at.port())), 400),
        (connect_to(&format!("0x7f.1:{}", at.port())), 400),
        (connect_to("127.0.0.1:99999"), 400),
        (connect_to(&format!("user@{at}")), 400),
        (format!("CONNECT {at}/path HTTP/1.1\r\nHost: {at}\r\n\r\n"), 400),
        (format!("CONNECT http://{at} HTTP/1.1\r\nHost: {at}\r\n\r\n"), 400),
        ("\r\n\r\nnonsense\r\n\r\n".to_string(), 400),
        (format!("CONNECT {at} HTTP/1.1\r\nHost {at}\r\n\r\n"), 400),
    ] {
        let answer = proxy.exchange(&request).await;
        assert_eq!(status(&answer), expected, "{request:?}: {answer}");
    }
    let long = format!("GET http://{at}/ HTTP/1.1\r\nHost: {at}\r\nX-Long: {}\r\n\r\n", "a".repeat(20_000));
    assert!(matches!(status(&proxy.exchange(&long).await), 400 | 431));
    assert_eq!(origin.requests(), Vec::<String>::new());
    proxy.stop().await;
}

#[tokio::test]
async fn what_follows_a_refused_request_is_not_a_request() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let proxy = Proxy::start(settings(&[origin.address])).await;
    let second = format!("GET http://{0}/smuggled HTTP/1.1\r\nHost: {0}\r\n\r\n", origin.address);
    let answer = proxy.exchange(&format!("{}{second}", connect_to("169.254.169.254:80"))).await;
    assert_eq!((status(&answer), header(&answer, "connection").as_deref()), (407, Some("close")), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert_eq!(origin.requests(), Vec::<String>::new());
    proxy.stop().await;
}

#[test]
fn no_bytes_stop_the_proxy_or_pass_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (origin, proxy) = runtime.block_on(async {
        let origin = Origin::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        (origin, Proxy::start(settings(&[])).await)
    });
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let strategy = ("(CONNECT|GET|POST|X)", "[ -~\u{0}\u{ff}]{0,60}", proptest::collection::vec(any::<u8>(), 0..200));
    let result = runner.run(&strategy, |(method, target, rest)| {
        let answer = runtime.block_on(async {
            let mut stream = proxy.connect().await;
            stream.write_all(format!("{method} {target} HTTP/1.1\r\n").as_bytes()).await.unwrap();
            // The proxy may have answered and closed by now.
            let _sent = stream.write_all(&rest).await;
            let _ended = stream.write_all(b"\r\n\r\n").await;
            let _closed = stream.shutdown().await;
            read_all(&mut stream).await
        });
        prop_assert!(answer.is_empty() || (400..=504).contains(&status(&answer)), "{}", answer);
        Ok(())
    });
    result.unwrap();
    runtime.block_on(async {
        assert_eq!(proxy.refused(&origin.address.to_string()).await.1, "loopback");
        assert_eq!(origin.requests(), Vec::<String>::new());
        proxy.stop().await;
    });
}

/// Heads that name both an allowed and a forbidden address, in places that a proxy must not mix up.
fn head() -> impl Strategy<Value = String> {
    const HEADS: [&str; 12] = [
        "CONNECT {a} HTTP/1.1\r\nHost: {b}\r\n\r\n",
        "CONNECT {a} HTTP/1.1\r\nHost: {a}\r\nHost: {b}\r\n\r\n",
        "CONNECT {a}@{b} HTTP/1.1\r\nHost: {a}\r\n\r\n",
        "CONNECT {a} {b} HTTP/1.1\r\nHost: {a}\r\n\r\n",
        "CONNECT {a} HTTP/1.1\r\nHost: {a}\r\nForwarded: for={b}\r\nX-Forwarded-Host: {b}\r\n\r\n",
        "CONNECT {a} HTTP/1.1\r\nHost: {a}\r\nContent-Length: 9\r\n\r\nCONNECT {b} HTTP/1.1\r\n\r\n",
        "CONNECT {a} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nCONNECT {b} HTTP/1.1\r\n\r\n",
        "GET http://{a}/ HTTP/1.1\r\nHost: {b}\r\nConnection: close\r\n\r\n",
        "GET http://{a}@{b}/ HTTP/1.1\r\nHost: {a}\r\nConnection: close\r\n\r\n",
        "GET http://{a}#@{b}/ HTTP/1.1\r\nHost: {a}\r\nConnection: close\r\n\r\n",
        "POST http://{a}/ HTTP/1.1\r\nHost: {a}\r\nContent-Length: 3\r\n\r\nabcGET http://{b}/ HTTP/1.1\r\nHost: {b}\r\n\r\n",
        "GET {b} HTTP/1.1\r\nHost: {b}\r\n\r\nGET http://{b}/ HTTP/1.1\r\nHost: {b}\r\n\r\n",
    ];
    const PIECES: [&str; 22] = [
        "\r\n", "\r", "\n", " ", "\t", "\0", ":", "@", "/", "\\", "#", "?", "%0d%0a", "%00", "{a}", "{b}", "http://",
        "[", "]", "0x", "\u{ff}", ";",
    ];
    let place = 0..=1_000_usize;
    let change = (place, proptest::sample::select(&PIECES[..]), 0..4_usize);
    let changes = proptest::collection::vec(change, 0..4);
    (proptest::sample::select(&HEADS[..]), changes).prop_map(|(head, changes)| {
        let mut text: Vec<char> = head.chars().collect();
        for (place, piece, removed) in changes {
            let at = place * text.len() / 1_000;
            let end = (at + removed).min(text.len());
            text.splice(at..end, piece.chars());
        }
        text.into_iter().collect()
    })
}

#[test]
fn no_head_steers_the_proxy_to_what_it_must_not_reach() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (allowed, forbidden, proxy) = runtime.block_on(async {
        let (allowed, forbidden) = (Origin::echo().await, Origin::echo().await);
        let settings = settings(&[allowed.address]);
        (allowed, forbidden, Proxy::start(settings).await)
    });
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&head(), |head| {
        let head = head.replace("{a}", &allowed.address.to_string()).replace("{b}", &forbidden.address.to_string());
        runtime.block_on(async {
            let mut stream = proxy.connect().await;
            let _sent = stream.write_all(head.as_bytes()).await;
            let _closed = stream.shutdown().await;
            read_all(&mut stream).await
        });
        prop_assert_eq!(forbidden.clients(), [], "reached by {:?}", head);
        Ok(())
    });
    result.unwrap();
    assert!(!allowed.clients().is_empty(), "some heads are good ones");
    runtime.block_on(async {
        assert_eq!(proxy.refused(&forbidden.address.to_string()).await.1, "loopback");
        proxy.stop().await;
    });
}
