//! Destinations that would be SSRF, directly and through a real egress proxy; and a proxy that is away.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use posthouse_egress::{
    Rules,
    proxy::{FixedNames, Resolver, Settings, serve},
};
use posthouse_schema::words::DeliveryStatus;
use posthouse_service::metrics::Metrics;
use posthouse_worker::delivery::send::Way;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    receiver::Receiver,
    world::{World, config, through, until},
};

/// Delivers to `url`, which is refused, and returns what is recorded.
async fn refused(world: &World, url: &str, count: usize) -> String {
    let endpoint = world.endpoint(url, |_, _| {}).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    let deliveries = world.ended(count, DeliveryStatus::Failure).await;
    let delivery = deliveries.iter().find(|delivery| delivery.endpoint_id == endpoint).unwrap();
    let [attempt] = &world.attempts(delivery).await[..] else { panic!("one attempt: a refusal is not tried again") };
    assert_eq!((attempt.error_class.as_deref(), attempt.status_code), (Some("refused_by_egress"), None), "{url}");
    assert_eq!(attempt.ip_address, None, "{url}");
    attempt.error.clone().unwrap()
}

#[tokio::test]
async fn without_egress_the_same_rules_hold() {
    let receiver = Receiver::start().await;
    let world = World::start(config(), Way::Direct(Arc::new(Rules::default())), None).await;
    let port = receiver.address.port();
    for (at, (url, code)) in [
        (receiver.url(), "loopback"),
        (format!("http://localhost:{port}/"), "denied_host"),
        ("http://169.254.169.254/latest/meta-data".to_string(), "metadata"),
        ("http://[fd00::1]/".to_string(), "private_address"),
        ("https://10.1.2.3/".to_string(), "private_address"),
    ]
    .into_iter()
    .enumerate()
    {
        let error = refused(&world, &url, at + 1).await;
        assert!(error.contains(code), "{url}: {error}");
    }
    assert!(receiver.received().is_empty());
    world.stop().await;
}

/// A proxy that lets connections out to this address on this machine.
fn settings(allow: SocketAddr) -> Settings {
    Settings {
        resolver: Resolver::Fixed(FixedNames::default().with("inside.example", &[&["10.0.0.7"]])),
        connect_timeout: Duration::from_secs(2),
        drain_timeout: Duration::from_secs(1),
        ..Settings::new(Rules::with_allowed(vec![format!("{}/32:{}", allow.ip(), allow.port()).parse().unwrap()]))
    }
}

#[tokio::test]
async fn through_egress_a_refusal_is_recorded_and_an_allowed_receiver_is_reached() {
    let receiver = Receiver::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let stop = CancellationToken::new();
    let (settings, shutdown) = (settings(receiver.address), stop.clone());
    let proxy = tokio::spawn(async move { serve(listener, settings, &Metrics::new("egress"), shutdown).await });
    let world = World::start(config(), through(vec![url]), None).await;
    // The proxy says why, of a tunnel as well.
    assert!(refused(&world, "http://169.254.169.254/latest", 1).await.contains("metadata"));
    assert!(refused(&world, "http://inside.example/", 2).await.contains("private_address"));
    assert!(refused(&world, "https://inside.example/", 3).await.contains("private_address"));
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    until("the allowed receiver is reached", async || !receiver.received().is_empty()).await;
    world.stop().await;
    stop.cancel();
    proxy.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_egress_that_is_away_is_waited_for_and_costs_no_attempt() {
    let receiver = Receiver::start().await;
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let world = World::start(config(), through(vec![format!("http://{address}").parse().unwrap()]), None).await;
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let [delivery] = &world.deliveries().await[..] else { panic!("one delivery") };
    assert_eq!(delivery.attempt_count, 0, "{delivery:?}");
    let listener = TcpListener::bind(address).await.unwrap();
    let stop = CancellationToken::new();
    let (settings, shutdown) = (settings(receiver.address), stop.clone());
    let proxy = tokio::spawn(async move { serve(listener, settings, &Metrics::new("egress"), shutdown).await });
    let [delivery] = &world.ended(1, DeliveryStatus::Success).await[..] else { panic!("one delivery") };
    assert_eq!((delivery.attempt_count, receiver.received().len()), (1, 1));
    world.stop().await;
    stop.cancel();
    proxy.await.unwrap().unwrap();
}
