//! Answers that lead elsewhere: failures, unless the endpoint allows to follow them, and then each step under the same rules.

use posthouse_schema::{
    delivery_attempt::DeliveryAttempt,
    endpoint::EndpointValues,
    json::Redirect,
    project_config::ProjectConfig,
    words::{DeliveryMode, DeliveryStatus},
};
use serde_json::json;

use crate::{
    mutual_tls::Authority,
    receiver::{Received, Receiver},
    world::{DATA, World, config, direct, headers},
};

fn once() -> ProjectConfig {
    let mut once = config();
    once.strategy.retry_count = 1;
    once
}

fn to(status: &str, location: &str) -> String {
    format!("{status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

/// Delivers an event to `url`, and answers how its only delivery ended and its only attempt.
async fn delivered(
    world: &World,
    url: &str,
    change: impl FnOnce(&mut EndpointValues),
) -> (DeliveryStatus, DeliveryAttempt) {
    let endpoint = world.endpoint(url, |values, _| change(values)).await;
    let mut event = world.event(endpoint, "invoice.paid");
    event.headers = headers(&[("cookie", "session=1"), ("x-kept", "1")]);
    world.queues.push(&event).await.unwrap();
    let of_event = async || {
        let deliveries = world.deliveries().await;
        deliveries.into_iter().find(|delivery| delivery.event_id == event.event_id && delivery.status.is_final())
    };
    crate::world::until("the delivery ends", async || of_event().await.is_some()).await;
    let delivery = of_event().await.unwrap();
    let attempts = world.attempts(&delivery).await;
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    (delivery.status, attempts.into_iter().next().unwrap())
}

fn followed(values: &mut EndpointValues) {
    values.follow_redirects = true;
    let key = json!({"type": "api_key", "api_key": {"header_name": "X-Shop", "header_value": "k"}});
    values.authentication = Some(key);
}

fn path(request: &Received) -> &str {
    request.head.lines().next().unwrap()
}

fn error(attempt: &DeliveryAttempt) -> (Option<&str>, Option<&str>) {
    (attempt.error_class.as_deref(), attempt.error.as_deref())
}

#[tokio::test]
async fn an_endpoint_that_allows_none_has_its_redirect_recorded() {
    let (world, receiver, other) =
        (World::start(once(), direct(), None).await, Receiver::start().await, Receiver::start().await);
    receiver.then(&[&to("307 Temporary Redirect", &other.url())]);
    let (status, attempt) = delivered(&world, &receiver.url(), |_| {}).await;
    assert_eq!((status, attempt.status_code, error(&attempt)), (DeliveryStatus::Failure, Some(307), (None, None)));
    assert_eq!(attempt.response_headers.get("location"), Some(other.url().as_str()));
    assert_eq!((attempt.redirects, other.received().len()), (None, 0));
    world.stop().await;
}

#[tokio::test]
async fn a_redirect_is_followed_with_the_same_request_and_without_credentials_elsewhere() {
    let (world, receiver, other) =
        (World::start(once(), direct(), None).await, Receiver::start().await, Receiver::start().await);
    let away = format!("http://{}/away", other.address);
    receiver.then(&[&to("303 See Other", "/moved"), &to("301 Moved Permanently", &away)]);
    let (status, attempt) = delivered(&world, &receiver.url(), followed).await;
    assert_eq!((status, attempt.status_code, error(&attempt)), (DeliveryStatus::Success, Some(200), (None, None)));
    assert_eq!(attempt.url, receiver.url());
    let led = [(303, format!("http://{}/moved", receiver.address)), (301, away)];
    let led = led.map(|(status, url)| Redirect { status, url });
    assert_eq!(attempt.redirects.unwrap().0, led);
    let (first, then) = (receiver.received(), other.received());
    let [first, second] = &first[..] else { panic!("{first:?}") };
    let [last] = &then[..] else { panic!("{then:?}") };
    assert_eq!((path(second), path(last)), ("POST /moved HTTP/1.1", "POST /away HTTP/1.1"));
    for step in [second, last] {
        assert_eq!(step.body, DATA.as_bytes());
        for name in
            ["webhook-id", "webhook-timestamp", "webhook-signature", "x-convoy-signature", "content-type", "x-kept"]
        {
            assert!(step.header(name).is_some_and(|value| first.header(name) == Some(value)), "{name}");
        }
    }
    assert_eq!((second.header("x-shop"), second.header("cookie")), (Some("k"), Some("session=1")), "it is one origin");
    assert_eq!((last.header("x-shop"), last.header("cookie")), (None, None), "another port is another origin");
    assert_eq!(last.header("host"), Some(other.address.to_string().as_str()));
    world.stop().await;
}

#[tokio::test]
async fn every_step_is_judged() {
    let (world, receiver) = (World::start(once(), direct(), None).await, Receiver::start().await);
    for location in
        ["http://169.254.169.254/latest", "http://localhost/", "http://[::ffff:10.0.0.1]/", "//10.1.2.3:25/"]
    {
        receiver.then(&[&to("308 Permanent Redirect", location)]);
        let (status, attempt) = delivered(&world, &receiver.url(), followed).await;
        assert_eq!((status, attempt.status_code), (DeliveryStatus::Failure, None), "{location}");
        assert_eq!(attempt.error_class.as_deref(), Some("refused_by_egress"), "{location}");
        assert_eq!(attempt.redirects.unwrap().0.len(), 1, "{location}");
        assert_eq!(attempt.ip_address, None, "{location}");
    }
    world.stop().await;
}

#[tokio::test]
async fn circles_and_long_ways_fail() {
    let (world, receiver) = (World::start(once(), direct(), None).await, Receiver::start().await);
    receiver.then(&[&to("302 Found", "/a"), &to("302 Found", "/hook?x=1")]);
    let (status, attempt) = delivered(&world, &receiver.url(), followed).await;
    assert_eq!((status, attempt.status_code), (DeliveryStatus::Failure, Some(302)));
    assert_eq!(error(&attempt), (Some("redirect"), Some("the answer 302 led in a circle")));
    let steps: Vec<String> = ["/1", "/2", "/3", "/4"].iter().map(|path| to("307 Temporary Redirect", path)).collect();
    receiver.then(&steps.iter().map(String::as_str).collect::<Vec<_>>());
    let (_, attempt) = delivered(&world, &receiver.url(), followed).await;
    assert_eq!(error(&attempt), (Some("redirect"), Some("the answer 307 led further than 3 redirects")));
    assert_eq!((attempt.redirects.unwrap().0.len(), receiver.received().len()), (3, 6));
    receiver.then(&[&to("302 Found", "ftp://example.com/")]);
    let (_, attempt) = delivered(&world, &receiver.url(), followed).await;
    assert_eq!(error(&attempt), (Some("redirect"), Some("the answer 302 led to no usable URL")));
    world.stop().await;
}

#[tokio::test]
async fn at_most_once_does_not_repeat_what_was_led_astray() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    // Nobody is there, which alone would be tried again.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    receiver.then(&[&to("302 Found", "/hook?x=1"), &to("302 Found", &format!("http://{gone}/"))]);
    let endpoint = world
        .endpoint(&receiver.url(), |values, subscription| {
            values.follow_redirects = true;
            subscription.delivery_mode = DeliveryMode::AtMostOnce;
        })
        .await;
    for count in 1..=2 {
        world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
        world.ended(count, DeliveryStatus::Failure).await;
        assert_eq!(receiver.received().len(), count);
    }
    world.stop().await;
}

#[tokio::test]
async fn all_steps_share_one_timeout() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}/", listener.local_addr().unwrap());
    let (world, receiver) = (World::start(once(), direct(), None).await, Receiver::start().await);
    receiver.then(&[&to("307 Temporary Redirect", &silent)]);
    let (_, attempt) = delivered(&world, &receiver.url(), followed).await;
    assert_eq!(error(&attempt), (Some("timeout"), Some("no complete answer within 2 s")));
    assert_eq!(attempt.redirects.unwrap().0, [Redirect { status: 307, url: silent }]);
    world.stop().await;
}

#[tokio::test]
async fn encryption_and_certificates_are_not_given_away() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let plain = Receiver::start().await;
    let elsewhere = servers.serve(Some(&clients)).await;
    let lowering = servers.serve_with(None, &to("302 Found", &plain.url())).await;
    let leading = servers.serve_with(Some(&clients), &to("302 Found", &format!("https://{elsewhere}/"))).await;
    let world = World::start_trusting(once(), direct(), servers.pem().as_bytes()).await;
    let (_, attempt) = delivered(&world, &format!("https://{lowering}/"), followed).await;
    assert_eq!(error(&attempt), (Some("redirect"), Some("the answer 302 led from https to http")));
    assert!(plain.received().is_empty());
    let (cert, key) = clients.signs("posthouse");
    let identity = json!({"client_cert": cert.pem(), "client_key": key.serialize_pem()});
    let proven = |values: &mut EndpointValues| {
        followed(values);
        values.mtls_client_cert = Some(identity);
    };
    let (_, attempt) = delivered(&world, &format!("https://{leading}/"), proven).await;
    assert_eq!(attempt.redirects.as_ref().map(|list| list.0.len()), Some(1), "the first origin got the certificate");
    let (class, message) = error(&attempt);
    assert_eq!(class, Some("redirect"), "and the second one did not");
    assert!(message.unwrap().starts_with("where it was led, the TLS handshake failed: "), "{message:?}");
    world.stop().await;
}
