//! One trace follows an event through every role that it passes, into the receiver.

use std::time::Duration;

use posthouse_e2e::{
    deployment::Deployment,
    folder::RunFolder,
    sender::event,
    services::{Mosquitto, Place},
};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};

use crate::{
    collector::{Collector, Span},
    world::{World, ground, root},
};

const LIMIT: Duration = Duration::from_secs(60);
const TOPIC: &str = "posthouse/traces";

/// A world whose roles export to this collector.
async fn world(name: &str, collector: &str) -> World {
    let mut ground = ground(name).await;
    let flags = || vec!["--otlp-endpoint".to_string(), collector.to_string()];
    ground.shared.extra = ["api", "worker", "ingest", "egress", "scheduler"].map(|role| (role, flags())).to_vec();
    let each_second = ["--search-schedule", "* * * * * *"].map(str::to_string).to_vec();
    ground.shared.extra.push(("scheduler", each_second));
    let (deployment, client) = ground.roles().await.unwrap();
    World { deployment, client, ground }
}

async fn publish(port: u16, message: String) {
    let (client, mut events) = AsyncClient::new(MqttOptions::new("traces", "127.0.0.1", port), 4);
    client.publish(TOPIC, QoS::AtLeastOnce, false, message).await.unwrap();
    while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::PubAck(_))) {}
}

fn only<'s>(spans: &'s [Span], service: &str, name: &str) -> &'s Span {
    let found: Vec<&Span> =
        spans.iter().filter(|span| (span.service.as_str(), span.name.as_str()) == (service, name)).collect();
    assert_eq!(found.len(), 1, "{service}, {name}: {spans:#?}");
    found[0]
}

/// What every trace of a delivered event ends with, below the span that accepted it.
fn holds_the_way(spans: &[Span], accepted: &Span, event: &str, delivery: &Value, traceparent: &str) {
    let trace: Vec<Span> = spans.iter().filter(|span| span.trace == accepted.trace).cloned().collect();
    let stored = only(&trace, "posthouse-worker", "store event");
    assert_eq!((stored.parent.as_str(), stored.attribute("posthouse.event.id")), (accepted.id.as_str(), Some(event)));
    let delivered = only(&trace, "posthouse-worker", "deliver event");
    assert_eq!(delivered.parent, accepted.id);
    assert_eq!(delivered.attribute("posthouse.delivery.id"), delivery["uid"].as_str());
    assert_eq!(delivered.attribute("http.response.status_code"), Some("200"));
    assert_eq!(delivered.attribute("server.address"), Some("127.0.0.1"));
    assert!(!delivered.has_failed, "{delivered:?}");
    assert_eq!(traceparent, format!("00-{}-{}-01", delivered.trace, delivered.id), "what the receiver is told");
    let egress = only(&trace, "posthouse-egress", "egress");
    assert_eq!((&egress.parent, egress.attribute("server.address")), (&delivered.id, Some("127.0.0.1")));
}

async fn told(world: &World, delivery: &Value) -> String {
    let path = format!("eventdeliveries/{}/deliveryattempts", delivery["uid"].as_str().unwrap());
    let attempts = world.client.get(&path).await.unwrap().data().unwrap();
    let headers = attempts[0]["request_http_header"].as_object().unwrap();
    let named = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("traceparent")).unwrap();
    named.1.as_str().unwrap().to_string()
}

#[tokio::test]
async fn an_event_is_one_trace_from_its_sender_to_its_receiver() {
    let collector = Collector::start().await;
    let world = world("it-traces", &format!("http://{}", collector.address)).await;
    let endpoint = world.endpoint("a").await;
    let folder = RunFolder::create(&root(), "it-traces-broker").unwrap();
    let mut broker = Mosquitto::start(Place::new(folder.data(), folder.logs()).unwrap()).await.unwrap();
    let mqtt = json!({
        "host": "127.0.0.1", "port": broker.port(), "topic": TOPIC, "qos": 1, "client_id": "", "auth": null, "tls": false,
    });
    let source = json!({"name": "sensors", "type": "pub_sub", "pub_sub": {"type": "mqtt", "workers": 1, "mqtt": mqtt}});
    world.client.create("sources", &source).await.unwrap();
    broker.wait_for_subscriber(TOPIC, LIMIT).await.unwrap();

    assert_eq!(world.client.post("events", &event(&endpoint, "by the API")).await.unwrap().status, 201);
    let mut message = event(&endpoint, "by a broker");
    message["custom_headers"] = json!({"x-convoy-message-type": "single"});
    publish(broker.port(), message.to_string()).await;
    let deliveries = world.wait_for_successes(2, LIMIT).await;
    let mut ways = Vec::new();
    for delivery in &deliveries {
        let event = delivery["event_id"].as_str().unwrap().to_string();
        ways.push((event, delivery.clone(), told(&world, delivery).await));
    }
    // What is not exported yet is, when a role stops.
    world.stop().await;
    broker.process().stop().await.unwrap();

    let spans = collector.spans();
    let mut began = Vec::new();
    for (event, delivery, traceparent) in &ways {
        let accepts = |span: &&Span| {
            matches!(span.name.as_str(), "api request" | "ingest message")
                && span.attribute("posthouse.event.id") == Some(event.as_str())
        };
        let accepted = spans.iter().find(accepts).unwrap_or_else(|| panic!("nobody accepted {event}: {spans:#?}"));
        holds_the_way(&spans, accepted, event, delivery, traceparent);
        began.push(accepted.service.as_str());
    }
    began.sort_unstable();
    assert_eq!(began, ["posthouse-api", "posthouse-ingest"]);
    let indexing = spans.iter().find(|span| span.attribute("posthouse.schedule") == Some("index_events"));
    assert!(indexing.is_none(), "what ran all the while hides the rest: {indexing:?}");
}

/// Exporting fails all the while, and nothing else does.
#[tokio::test]
async fn a_collector_that_is_away_costs_nothing_but_spans() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let world = world("it-traces-away", &format!("http://{closed}")).await;
    let endpoint = world.endpoint("a").await;
    for number in 0..20 {
        assert_eq!(world.client.post("events", &event(&endpoint, &number.to_string())).await.unwrap().status, 201);
    }
    world.wait_for_successes(20, LIMIT).await;
    let World { deployment, ground, .. } = world;
    Deployment::stop(deployment).await.unwrap();
    ground.stage.stop().await.unwrap();
}
