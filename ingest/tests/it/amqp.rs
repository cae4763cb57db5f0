//! What is particular to AMQP: queues are made and bound, refused messages go to a dead-letter exchange, and what the
//! broker knows of a message goes along.

use lapin::{
    BasicProperties, ExchangeKind,
    options::{BasicGetOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use serde_json::json;

use crate::{
    broker::{numbered, numbers},
    conformance::{RIGHT, TestBroker, publish},
    program::{SOON, eventually},
    rabbitmq::{RabbitMq, publish_to},
    world::World,
};

/// A trace that messages belong to.
pub const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn queues_bindings_dead_letters_and_headers() {
    let (broker, world) = (RabbitMq::start().await, World::new().await);
    let connection = RabbitMq::connection(broker.port()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let none = FieldTable::default;
    for (exchange, kind) in [("orders", ExchangeKind::Topic), ("dead", ExchangeKind::Fanout)] {
        let options = ExchangeDeclareOptions::default();
        channel.exchange_declare(exchange.into(), kind, options, none()).await.unwrap();
    }
    channel.queue_declare("graveyard".into(), QueueDeclareOptions::default(), none()).await.unwrap();
    channel
        .queue_bind("graveyard".into(), "dead".into(), "".into(), QueueBindOptions::default(), none())
        .await
        .unwrap();

    // The queue does not exist: the source makes it, bound and with its dead-letter exchange.
    let mut settings = broker.source("bound", broker.port(), RIGHT);
    let more = json!({"bindExchange": {"exchange": "orders", "routingKey": "eu.*"}, "deadLetterExchange": "dead", "prefetch": 2});
    settings["amqp"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let source_id = world.source(&settings).await;
    // An exchange that is not there is the owner's to make, and no other source waits for it.
    let mut unbound = settings.clone();
    unbound["amqp"]["queue"] = json!("unbound");
    unbound["amqp"]["bindExchange"]["exchange"] = json!("nowhere");
    let unbound = world.source(&unbound).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    let mut headers = FieldTable::default();
    headers.insert("X-Trace".into(), AMQPValue::LongString("t".into()));
    headers.insert("traceparent".into(), AMQPValue::LongString(PARENT.into()));
    headers.insert("x-convoy-message-type".into(), AMQPValue::LongString("fanout".into()));
    let properties = BasicProperties::default().with_headers(headers).with_message_id("order-7".into());
    let body = r#"{"event_type":"a","data":0,"owner_id":"acme","custom_headers":{"x-trace":"inside"}}"#;
    let options = BasicPublishOptions::default();
    channel.basic_publish("orders".into(), "eu.paid".into(), options, body.as_bytes(), properties).await.unwrap();
    let event = world.wait_for(1).await.remove(0);
    let of_message = ("x-broker-message-id", "order-7");
    for (name, value) in [("X-Trace", "t"), ("x-trace", "t"), of_message, ("Posthouse-Traceparent", PARENT)] {
        assert_eq!(event.headers[name], [value]);
    }
    assert_eq!(event.target, posthouse_jobs::EventTarget::Fanout { owner_id: "acme".into() });

    // Refused ones between good ones, more than the broker sends at once.
    let mut bodies = numbers(1..30);
    bodies.insert(3, "no json".to_owned());
    bodies.push("no json either".to_owned());
    publish(&broker, "bound", &bodies).await;
    assert_eq!(world.wait_for_numbers(0..30, SOON).await.len(), 30);
    let mut dead = Vec::new();
    eventually("the refused ones are in the other queue", SOON, async || {
        if let Some(message) = channel.basic_get("graveyard".into(), BasicGetOptions::default()).await.unwrap() {
            dead.push(String::from_utf8(message.delivery.data.clone()).unwrap());
        }
        dead.len() == 2
    })
    .await;
    dead.sort_unstable();
    assert_eq!(dead, ["no json", "no json either"]);
    assert!(!ingest.is_connected(unbound));
    channel
        .exchange_declare("nowhere".into(), ExchangeKind::Direct, ExchangeDeclareOptions::default(), none())
        .await
        .unwrap();
    // The waits between its attempts have grown meanwhile.
    eventually("it goes on when the exchange is there", SOON * 2, async || ingest.is_connected(unbound)).await;
    ingest.stop().await;
}

/// A queue of another kind is taken as it is, several workers are several consumers, and a prefetch of one is enough.
#[tokio::test]
async fn an_owners_queue_is_read_as_it_is() {
    let (broker, world) = (RabbitMq::start().await, World::new().await);
    let connection = RabbitMq::connection(broker.port()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-priority".into(), AMQPValue::LongInt(5));
    channel.queue_declare("owned".into(), QueueDeclareOptions::default(), arguments).await.unwrap();
    let mut settings = broker.source("owned", broker.port(), RIGHT);
    settings["workers"] = json!(3);
    settings["amqp"]["prefetch"] = json!(1);
    let source_id = world.source(&settings).await;
    let ingest = world.ingest().await;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    eventually("three consume", SOON, async || {
        let queue = channel.queue_declare("owned".into(), passive, FieldTable::default()).await.unwrap();
        queue.consumer_count() == 3
    })
    .await;
    assert_eq!(ingest.metric(&format!("ingest_connected{{source_id=\"{source_id}\"")), Some(3.0));
    publish_to(broker.port(), "owned", &numbers(0..60), BasicProperties::default()).await.unwrap();
    assert_eq!(world.wait_for_numbers(0..60, SOON).await.len(), 60);
    // What a publisher calls by one name, and its broker never sent before, is two messages.
    let named = BasicProperties::default().with_message_id("tick".into());
    publish_to(broker.port(), "owned", &[numbered(60), numbered(60)], named).await.unwrap();
    assert_eq!(world.wait_for(62).await.len(), 62);
    ingest.stop().await;
}
