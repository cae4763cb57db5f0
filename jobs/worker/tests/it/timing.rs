//! What an attempt tells of its time and its address: directly and through egress, over new connections and open ones.

use std::time::Duration;

use posthouse_egress::proxy::{FixedNames, Resolver, Settings, serve};
use posthouse_schema::{delivery_attempt::DeliveryAttempt, ids::EndpointId, words::DeliveryStatus};
use posthouse_service::metrics::Metrics;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    mutual_tls::Authority,
    receiver::Receiver,
    world::{World, config, direct, through},
};

/// Which of an attempt's times are known: name, connection, TLS, first byte.
fn known(attempt: &DeliveryAttempt) -> [bool; 4] {
    let timings = attempt.timings;
    [timings.dns_us, timings.connect_us, timings.tls_us, timings.first_byte_us].map(|time| time.is_some())
}

/// Sends an event to the endpoint, and answers the only attempt of its delivery, the `count`th of all that succeed.
async fn attempt(world: &World, endpoint: EndpointId, count: usize) -> DeliveryAttempt {
    let event = world.event(endpoint, "invoice.paid");
    world.queues.push(&event).await.unwrap();
    let deliveries = world.ended(count, DeliveryStatus::Success).await;
    let delivery = deliveries.iter().find(|delivery| delivery.event_id == event.event_id).unwrap();
    let attempts = world.attempts(delivery).await;
    assert_eq!(attempts.len(), 1);
    attempts.into_iter().next().unwrap()
}

#[tokio::test]
async fn a_new_connection_takes_time_and_an_open_one_none() {
    let (receiver, authority) = (Receiver::start().await, Authority::new());
    let secure = authority.serve(None).await;
    let world = World::start_trusting(config(), direct(), authority.pem().as_bytes()).await;
    let plain = world.endpoint(&receiver.url(), |_, _| {}).await;
    let secure = world.endpoint(&format!("https://{secure}/"), |_, _| {}).await;
    let http2 = world.endpoint(&format!("https://{}/", authority.serve_http2().await), |_, _| {}).await;
    for (at, (endpoint, expected)) in [
        (plain, [false, true, false, true]),
        (plain, [false, false, false, true]),
        (secure, [false, true, true, true]),
        (secure, [false, false, false, true]),
        (http2, [false, true, true, true]),
        (http2, [false, false, false, true]),
    ]
    .into_iter()
    .enumerate()
    {
        let attempt = attempt(&world, endpoint, at + 1).await;
        assert_eq!(known(&attempt), expected, "{at}: {attempt:?}");
        assert_eq!(attempt.ip_address.as_deref(), Some("127.0.0.1"), "{at}");
        assert!(attempt.timings.queue_ms.unwrap() >= 0, "{at}");
        let parts = [attempt.timings.connect_us, attempt.timings.tls_us].into_iter().flatten().sum::<i32>();
        assert!(attempt.timings.first_byte_us.unwrap() >= parts, "{at}: {attempt:?}");
    }
    world.stop().await;
}

#[tokio::test]
async fn egress_tells_where_it_went() {
    let (receiver, authority) = (Receiver::start().await, Authority::new());
    let secure = authority.serve(None).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let settings = Settings {
        resolver: Resolver::Fixed(FixedNames::default().with("shop.example", &[&["127.0.0.1"]])),
        drain_timeout: Duration::from_secs(1),
        ..Settings::new(posthouse_egress::Rules::with_allowed(vec!["127.0.0.1/32".parse().unwrap()]))
    };
    let stop = CancellationToken::new();
    let shutdown = stop.clone();
    let proxy = tokio::spawn(async move { serve(listener, settings, &Metrics::new("egress"), shutdown).await });
    let world = World::start_trusting(config(), through(vec![url]), authority.pem().as_bytes()).await;
    let named = world.endpoint(&format!("http://shop.example:{}/", receiver.address.port()), |_, _| {}).await;
    let secure = world.endpoint(&format!("https://{secure}/"), |_, _| {}).await;
    // In the clear egress resolves and judges each request, whether it has a connection or not.
    for (at, (endpoint, expected)) in
        [(named, [true, true, false, true]), (secure, [false, true, true, true]), (secure, [false, false, false, true])]
            .into_iter()
            .enumerate()
    {
        let attempt = attempt(&world, endpoint, at + 1).await;
        assert_eq!(known(&attempt), expected, "{at}: {attempt:?}");
        assert_eq!(attempt.ip_address.as_deref(), Some("127.0.0.1"), "{at}");
        assert_eq!(attempt.response_headers.get("x-egress-connection"), None, "{at}");
    }
    world.stop().await;
    stop.cancel();
    proxy.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_cut_off_still_tells_where_it_went() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let silent = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    let mut once = config();
    once.strategy.retry_count = 1;
    let world = World::start(once, direct(), None).await;
    let endpoint = world.endpoint(&format!("http://{address}/"), |values, _| values.http_timeout_seconds = 1).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    let [delivery] = &world.ended(1, DeliveryStatus::Failure).await[..] else { panic!("one delivery") };
    let [attempt] = &world.attempts(delivery).await[..] else { panic!("one attempt") };
    assert_eq!(attempt.error_class.as_deref(), Some("timeout"));
    assert_eq!(known(attempt), [false, true, false, false]);
    assert_eq!(attempt.ip_address.as_deref(), Some("127.0.0.1"));
    world.stop().await;
    silent.abort();
}
