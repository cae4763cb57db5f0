//! The same Mosquitto by MQTT 5, and what that has more: properties of a message, and shared subscriptions as the standard knows
//! them.

use rumqttc::v5::{
    AsyncClient, Event, Incoming, MqttOptions,
    mqttbytes::{QoS, v5::PublishProperties},
};
use serde_json::{Value, json};

use crate::{
    broker::{Broker, numbers},
    conformance::TestBroker,
    program::{SOON, eventually},
    world::World,
};

/// Read by MQTT 5.
pub struct Five(Broker);

impl TestBroker for Five {
    const KIND: &'static str = Broker::KIND;
    const REFUSAL: &'static str = Broker::REFUSAL;
    const IS_DEALT_OUT: bool = Broker::IS_DEALT_OUT;
    const NAMES_MESSAGES: bool = Broker::NAMES_MESSAGES;
    const TELLS_LAG: bool = Broker::TELLS_LAG;
    const MAKES_PLACES: bool = Broker::MAKES_PLACES;

    async fn start() -> Self {
        Self(<Broker as TestBroker>::start().await)
    }

    fn port(&self) -> u16 {
        self.0.port()
    }

    fn source(&self, place: &str, port: u16, password: &str) -> Value {
        let mut source = TestBroker::source(&self.0, place, port, password);
        source["mqtt"]["version"] = json!("5");
        source
    }

    async fn make(port: u16, place: &str) {
        Broker::make(port, place).await;
    }

    async fn try_publish(port: u16, place: &str, bodies: &[String]) -> Result<(), String> {
        Broker::try_publish(port, place, bodies).await
    }

    async fn stop(&mut self) {
        self.0.stop().await;
    }

    async fn resume(&mut self) {
        self.0.resume().await;
    }
}

async fn publish(broker: &Broker, body: &str, properties: PublishProperties) {
    let (client, mut events) = AsyncClient::new(MqttOptions::new("publisher", "127.0.0.1", broker.port), 10);
    client.try_publish_with_properties("t", QoS::AtLeastOnce, false, body.to_owned(), properties).unwrap();
    while !matches!(events.poll().await.unwrap(), Event::Incoming(Incoming::PubAck(_))) {}
}

#[tokio::test]
async fn properties_of_a_message_go_along() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let settings = broker.source_with("t", &json!({"version": 5, "session_expiry_seconds": 600, "qos": 2}));
    let source_id = world.source(&settings).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let user = [("X-Trace", "t"), ("x-convoy-message-type", "fanout"), ("traceparent", parent)];
    let properties = PublishProperties {
        user_properties: user.map(|(name, value)| (name.into(), value.into())).to_vec(),
        content_type: Some("text/x-order".into()),
        message_expiry_interval: Some(600),
        ..PublishProperties::default()
    };
    publish(&broker, r#"{"event_type":"a","data":0,"owner_id":"acme"}"#, properties.clone()).await;
    let event = world.wait_for(1).await.remove(0);
    assert_eq!(
        (&event.headers["X-Trace"], &event.headers["Posthouse-Traceparent"]),
        (&vec!["t".into()], &vec![parent.into()])
    );
    assert_eq!(event.target, posthouse_jobs::EventTarget::Fanout { owner_id: "acme".into() });
    publish(&broker, "no json", properties).await;
    let kept = world.wait_for_rejected(1).await.remove(0).metadata;
    assert_eq!((kept["topic"].as_str(), kept["content_type"].as_str()), ("t", "text/x-order"));
    assert!(kept["message_expiry_seconds"].parse::<u32>().unwrap() <= 600);
    assert_eq!(kept["header.X-Trace"], "t");
    assert!(broker.log().contains("(p5, c0,"), "it speaks MQTT 5");
    ingest.stop().await;
}

/// Two sources of one group divide the messages between them.
#[tokio::test]
async fn a_shared_subscription_is_shared() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let settings = broker.source_with("$share/g/t", &json!({"version": "5"}));
    let (one, two) = (world.source(&settings).await, world.source(&settings).await);
    let ingest = world.ingest().await;
    ingest.connected(one).await;
    ingest.connected(two).await;
    broker.publish("t", &numbers(0..100)).await;
    assert_eq!(world.wait_for_numbers(0..100, SOON).await.len(), 100);
    let events = world.events().await;
    for source_id in [one, two] {
        assert!(events.iter().any(|event| event.source_id == Some(source_id)), "each has a part of them");
    }
    // One that goes leaves what it did not answer, and everything new, to the other.
    world.delete(one).await;
    eventually("it is left", SOON, async || ingest.metric(&one.to_string()).is_none()).await;
    broker.publish("t", &numbers(100..150)).await;
    world.wait_for_numbers(0..150, SOON).await;
    ingest.stop().await;
}

/// What devices send bare becomes events by a template, and states are events where that is asked for.
#[tokio::test]
async fn bare_data_becomes_events_by_the_topic() {
    let (broker, world) = (Broker::start().await, World::new().await);
    broker.publish_retained("site/north/t1", "20.5").await;
    let settings = json!({"event_type": "site.{2}", "retained": "take"});
    let source_id = world.source(&broker.source_with("site/#", &settings)).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    world.wait_for(1).await;
    broker.publish("site/south/t2", &["on".to_owned()]).await;
    let mut events = world.wait_for(2).await;
    events.sort_by(|one, other| one.event_type.cmp(&other.event_type));
    let read: Vec<_> = events.iter().map(|event| (event.event_type.as_str(), event.data.get())).collect();
    assert_eq!(read, [("site.north", "20.5"), ("site.south", r#""on""#)]);
    assert!(events.iter().all(|event| event.target == posthouse_jobs::EventTarget::Broadcast));
    ingest.stop().await;
}
