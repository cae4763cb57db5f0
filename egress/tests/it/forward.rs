//! Plain HTTP in absolute form.

use posthouse_egress::proxy::{FixedNames, Resolver};

use crate::world::{Origin, Proxy, header, settings, status};

#[tokio::test]
async fn a_request_goes_on_as_it_is_but_for_what_belongs_to_one_connection() {
    let origin = Origin::answering(
        "HTTP/1.1 202 Accepted\r\nX-Answer: yes\r\nX-Egress-Error: loopback\r\nX-Egress-Connection: address=192.0.2.1\r\nKeep-Alive: timeout=9\r\ncontent-length: 4\r\n\r\ndone",
    )
    .await;
    let proxy = Proxy::start(settings(&[origin.address])).await;
    let request = format!(
        "POST http://{}/hooks/a%20b?x=1&y HTTP/1.1\r\nHost: elsewhere.example\r\nX-Case: Kept\r\nProxy-Authorization: Basic eA==\r\n\
         Connection: x-hop, close\r\nX-Hop: gone\r\nContent-Length: 5\r\n\r\nhello",
        origin.address
    );
    let answer = proxy.exchange(&request).await;
    assert_eq!(status(&answer), 202, "{answer}");
    assert_eq!(header(&answer, "x-answer").as_deref(), Some("yes"));
    // An origin that says it was refused is not believed.
    assert_eq!(header(&answer, "x-egress-error"), None, "{answer}");
    let told = header(&answer, "x-egress-connection").unwrap();
    assert!(told.starts_with("address=127.0.0.1 connect_us=") && answer.matches("address=").count() == 1, "{answer}");
    assert_eq!(header(&answer, "keep-alive"), None, "{answer}");
    assert!(answer.ends_with("done"), "{answer}");
    let [seen] = &origin.requests()[..] else { panic!("{:?}", origin.requests()) };
    assert!(seen.starts_with("POST /hooks/a%20b?x=1&y HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("\r\nX-Case: Kept\r\n") && seen.ends_with("\r\n\r\nhello"), "{seen}");
    assert_eq!(header(seen, "host"), Some(origin.address.to_string()));
    for gone in ["proxy-authorization", "x-hop"] {
        assert_eq!(header(seen, gone), None, "{seen}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn an_internal_destination_is_refused() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let proxy = Proxy::start(settings(&[])).await;
    let answer = proxy.exchange(&format!("GET http://{}/ HTTP/1.1\r\nHost: example.com\r\n\r\n", origin.address)).await;
    assert_eq!((status(&answer), header(&answer, "x-egress-error").as_deref()), (407, Some("loopback")));
    assert!(!answer.contains("127.0.0.1"), "an answer names no address: {answer}");
    assert_eq!(origin.requests(), Vec::<String>::new());
    proxy.stop().await;
}

#[tokio::test]
async fn an_origin_that_is_not_there_is_a_bad_gateway() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = Proxy::start(settings(&[gone])).await;
    let answer = proxy.exchange(&format!("GET http://{gone}/ HTTP/1.1\r\nHost: {gone}\r\n\r\n")).await;
    assert_eq!((status(&answer), header(&answer, "x-egress-error").as_deref()), (502, Some("connect_failure")));
    let answer = proxy.exchange(&format!("CONNECT {gone} HTTP/1.1\r\nHost: {gone}\r\n\r\n")).await;
    assert_eq!((status(&answer), header(&answer, "x-egress-error").as_deref()), (502, Some("connect_failure")));
    proxy.stop().await;
}

/// Which of the origin's connections carried the request.
async fn connection_of(proxy: &Proxy, host: &str, port: u16) -> String {
    let request =
        format!("POST http://{host}:{port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
    let answer = proxy.exchange(&request).await;
    assert_eq!(status(&answer), 200, "{answer}");
    // The connection is kept once the whole answer has passed.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    answer.rsplit("\r\n").next().unwrap().to_string()
}

#[tokio::test]
async fn requests_to_one_name_share_a_connection_and_each_is_judged() {
    let origin = Origin::keeping(100).await;
    let mut settings = settings(&[origin.address]);
    let answers: &[&[&str]] = &[&["127.0.0.1"], &["127.0.0.1"], &["10.0.0.7"], &["127.0.0.1"]];
    let names = FixedNames::default().with("a.example", answers).with("b.example", &[&["127.0.0.1"]]);
    settings.resolver = Resolver::Fixed(names);
    let proxy = Proxy::start(settings).await;
    let port = origin.address.port();
    assert_eq!(connection_of(&proxy, "a.example", port).await, "1");
    assert_eq!(connection_of(&proxy, "a.example", port).await, "1");
    // The name points elsewhere now: the open connection does not help it.
    let answer = proxy.exchange(&format!("GET http://a.example:{port}/ HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    assert_eq!(header(&answer, "x-egress-error").as_deref(), Some("private_address"), "{answer}");
    assert_eq!(connection_of(&proxy, "a.example", port).await, "1");
    assert_eq!(connection_of(&proxy, "b.example", port).await, "2", "another name, another connection");
    proxy.stop().await;
}

#[tokio::test]
async fn a_connection_that_the_origin_closed_costs_no_request() {
    let origin = Origin::keeping(1).await;
    let proxy = Proxy::start(settings(&[origin.address])).await;
    for expected in ["1", "2", "3"] {
        assert_eq!(connection_of(&proxy, "127.0.0.1", origin.address.port()).await, expected);
    }
    assert_eq!(origin.requests().len(), 3, "each arrived once");
    proxy.stop().await;
}
