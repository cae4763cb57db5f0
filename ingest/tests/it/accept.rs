//! From a message to a job, and what becomes of a message that will never be one.

use posthouse_jobs::EventTarget;
use posthouse_schema::ids::EndpointId;
use serde_json::json;

use crate::{
    broker::{Broker, numbered},
    program::{SOON, eventually},
    world::World,
};

#[tokio::test]
async fn a_message_becomes_a_job_with_the_exact_bytes_of_its_data() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("orders/+")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    let endpoint_id = EndpointId::generate();
    let body = format!(
        r#"{{"endpoint_id":"{endpoint_id}","event_type":"order.paid","data": {{ "b":1.00, "ä" : "\u00e4" }} ,"custom_headers":{{"X-Trace":"7"}},"idempotency_key":"k"}}"#
    );
    broker.publish("orders/eu", &[body]).await;
    let events = world.wait_for(1).await;
    let event = &events[0];
    assert_eq!(event.data.get(), r#"{ "b":1.00, "ä" : "\u00e4" }"#);
    assert_eq!((event.project_id, event.source_id), (world.project_id, Some(source_id)));
    assert_eq!(event.target, EventTarget::Single { endpoint_id });
    assert_eq!((event.event_type.as_str(), event.idempotency_key.as_str()), ("order.paid", "k"));
    assert_eq!(event.headers["X-Trace"], ["7"]);
    assert_eq!(event.headers["x-trace"], ["7"]);
    assert_eq!(ingest.metric("ingest_received_total{source_kind=\"mqtt\""), Some(1.0));
    assert_eq!(ingest.metric("ingest_accepted_total{source_kind=\"mqtt\""), Some(1.0));
    assert!(ingest.metric("ingest_last_message_timestamp_seconds{").unwrap() > 1.7e9);
    ingest.stop().await;
}

#[tokio::test]
async fn message_types_choose_the_target() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("t")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    let endpoint_id = EndpointId::generate();
    let typed = |kind: &str| {
        json!({"endpoint_id": endpoint_id.to_string(), "owner_id": "acme", "event_type": "a", "data": {}, "custom_headers": {"x-convoy-message-type": kind}})
            .to_string()
    };
    broker.publish("t", &[typed("single"), typed("fanout"), typed("broadcast")]).await;
    let targets: Vec<EventTarget> = world.wait_for(3).await.into_iter().map(|event| event.target).collect();
    for target in
        [EventTarget::Single { endpoint_id }, EventTarget::Fanout { owner_id: "acme".into() }, EventTarget::Broadcast]
    {
        assert!(targets.contains(&target), "{target:?}");
    }
    ingest.stop().await;
}

#[tokio::test]
async fn in_an_incoming_project_the_source_is_the_target() {
    let (broker, world) = (Broker::start().await, World::new().await);
    world.set_incoming().await;
    let source_id = world.source(&broker.source("t")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    broker.publish("t", &[numbered(1)]).await;
    assert_eq!(world.wait_for(1).await[0].target, EventTarget::Source { source_id });
    ingest.stop().await;
}

#[tokio::test]
async fn a_refused_message_is_acknowledged_counted_and_stops_nothing() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("t")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    let too_large = format!(r#"{{"event_type":"a","data":"{}"}}"#, "x".repeat(2 << 20));
    let refused = [
        "no json",
        r#"{"event_type":"a","data":1,"nope":1}"#,
        r#"{"event_type":"a","data":1,"endpoint_id":"x"}"#,
        &too_large,
    ];
    broker.publish("t", &refused.map(str::to_owned)).await;
    broker.publish("t", &[numbered(7)]).await;
    assert_eq!(world.wait_for(1).await[0].data.get(), "7");
    for reason in ["not_json", "shape", "invalid_field", "too_large"] {
        let series = format!("ingest_rejected_total{{source_kind=\"mqtt\",reason=\"{reason}\"}}");
        assert_eq!(ingest.metric(&series), Some(1.0), "{reason}");
    }
    ingest.stop().await;
    // Acknowledged means that the broker does not bring them again.
    let again = world.ingest().await;
    again.connected(source_id).await;
    broker.publish("t", &[numbered(8)]).await;
    assert_eq!(world.wait_for_numbers(7..9, SOON).await, [7, 8]);
    assert_eq!(again.metric("ingest_rejected_total{"), None);
    again.stop().await;
}

#[tokio::test]
async fn a_retained_message_is_a_state_and_no_event() {
    let (broker, world) = (Broker::start().await, World::new().await);
    broker.publish_retained("t", &numbered(1)).await;
    let source_id = world.source(&broker.source("t")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    // Published while the source reads, it is an event like any other.
    broker.publish_retained("t", &numbered(2)).await;
    eventually("the retained one is counted", SOON, async || ingest.metric("reason=\"retained\"") == Some(1.0)).await;
    assert_eq!(world.wait_for_numbers(2..3, SOON).await, [2]);
    ingest.stop().await;
}
