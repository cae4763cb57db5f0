//! What a broker's source does while all is well, and when its settings are wrong or change.

use std::time::Duration;

use posthouse_broker_settings::Settings;
use posthouse_ingest::{
    amqp::AmqpBroker,
    broker::{Broker as _, Step, settings},
    connection_test,
    kafka::KafkaBroker,
    mqtt::MqttBroker,
    nats::NatsBroker,
    pubsub::GoogleBroker,
    redis_streams::RedisBroker,
    sqs::SqsBroker,
};
use posthouse_jobs::{CreateEvent, queue::testing::free_port};
use serde_json::Value;

use super::{RIGHT, TestBroker, feed_source, publish};
use crate::{
    broker::{numbered, numbers},
    program::{SOON, eventually},
    world::{Instance, World},
};

/// Within this time a change of settings takes effect.
const EFFECT_WITHIN: Duration = Duration::from_secs(10);

/// What an instance had in hand when it stopped comes when its broker's wait for an answer is over.
const COMES_WITHIN: Duration = Duration::from_secs(90);

/// A poison message stops nothing, a broken source delays no other, and changed settings take effect without a restart.
pub async fn refuses_and_follows<B: TestBroker>() {
    let (broker, world) = (B::start().await, World::new().await);
    let port = broker.port();
    for place in ["one", "two", "three"] {
        B::make(port, place).await;
    }
    let refusal = fault(broker.source("two", port, "s3same"), Step::SignIn).await;
    assert!(refusal.matches(B::REFUSAL).count() >= 2 && !refusal.contains("s3same"), "{refusal}");
    let unreachable = fault(broker.source("two", free_port(), RIGHT), Step::Connect).await;
    assert!(unreachable.matches("refused").count() >= 2, "{unreachable}");
    let elsewhere = connection_test::check(&feed_source(broker.source("missing", port, RIGHT))).await;
    match B::MAKES_PLACES {
        true => assert!(elsewhere.is_ok(), "{elsewhere:?}"),
        false => assert_eq!(elsewhere.unwrap_err().step, Step::Open),
    }

    let locked_out = world.source(&broker.source("two", port, "wrong")).await;
    let unreachable = world.source(&broker.source("two", free_port(), RIGHT)).await;
    let source_id = world.source(&broker.source("one", port, RIGHT)).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    publish(&broker, "one", &["no json".to_owned(), numbered(0)]).await;
    let event = world.wait_for(1).await.remove(0);
    assert_eq!((event.data.get(), event.source_id), ("0", Some(source_id)));
    assert_eq!(event.headers.contains_key("x-broker-message-id"), B::NAMES_MESSAGES);
    assert_eq!(refused::<B>(&ingest), Some(1.0));
    // Trying it takes nothing from whoever reads it.
    let notes = connection_test::check(&feed_source(broker.source("one", port, RIGHT))).await;
    assert_eq!(notes.as_deref().map(<[String]>::len), Ok(B::NOTES_OF_ANOTHER), "{notes:?}");
    assert!(ingest.is_connected(source_id) && !ingest.is_connected(locked_out) && !ingest.is_connected(unreachable));

    world.set_settings(locked_out, &broker.source("two", port, RIGHT)).await;
    eventually("a corrected password takes effect", EFFECT_WITHIN, async || ingest.is_connected(locked_out)).await;
    publish(&broker, "two", &["no json".to_owned(), numbered(1)]).await;
    assert_eq!(world.wait_for_numbers(0..2, SOON).await, [0, 1]);
    assert_eq!(refused::<B>(&ingest), Some(2.0));

    world.set_settings(source_id, &broker.source("three", port, RIGHT)).await;
    // Until it does, a broker that keeps nothing for strangers has nobody to keep the message for.
    eventually("another place takes effect", EFFECT_WITHIN, async || {
        publish(&broker, "three", &[numbered(2)]).await;
        world.numbers().await.contains(&2)
    })
    .await;
    world.set_settings(source_id, &broker.source("three", port, "wrong")).await;
    eventually("a wrong password takes effect", EFFECT_WITHIN, async || !ingest.is_connected(source_id)).await;
    ingest.stop().await;

    // What was refused is answered: it does not come again.
    let ingest = world.ingest().await;
    ingest.connected(locked_out).await;
    publish(&broker, "two", &[numbered(3)]).await;
    world.wait_for_numbers(0..4, SOON).await;
    assert_eq!(refused::<B>(&ingest), None);
    ingest.stop().await;
}

/// Two sources with equal settings are two sources; several instances share one, and one that stops hands over.
pub async fn shares<B: TestBroker>() {
    let (broker, world) = (B::start().await, World::new().await);
    let port = broker.port();
    for place in ["equal", "shared"] {
        B::make(port, place).await;
    }
    let settings = broker.source("equal", port, RIGHT);
    let (one, other) = (world.source(&settings).await, world.source(&settings).await);
    let ingest = world.ingest().await;
    ingest.connected(one).await;
    ingest.connected(other).await;
    publish(&broker, "equal", &numbers(0..50)).await;
    let of_each = if B::IS_ONE_QUEUE { 50 } else { 100 };
    let count = |events: &[CreateEvent], source| events.iter().filter(|event| event.source_id == Some(source)).count();
    let events = world.wait_for(of_each).await;
    assert_eq!(events.len(), of_each, "each once, or each once for each source");
    if !B::IS_ONE_QUEUE {
        assert_eq!((count(&events, one), count(&events, other)), (50, 50));
    }
    let of_other = count(&events, other);
    world.set_disabled(one, true).await;
    eventually("it is left", SOON, async || !ingest.is_connected(one)).await;
    publish(&broker, "equal", &numbers(50..60)).await;
    eventually("the other goes on", SOON, async || count(&world.events().await, other) == of_other + 10).await;
    ingest.stop().await;

    let world = World::new().await;
    let source_id = world.source(&broker.source("shared", port, RIGHT)).await;
    let (first, second) = (world.ingest().await, world.ingest().await);
    let mut sent = 0;
    let mut send = async || {
        publish(&broker, "shared", &numbers(sent..sent + 20)).await;
        sent += 20;
        sent
    };
    if B::IS_DEALT_OUT {
        first.connected(source_id).await;
        second.connected(source_id).await;
        eventually("both take part", SOON, async || {
            send().await;
            received(&first) > 0.0 && received(&second) > 0.0
        })
        .await;
    } else {
        let takes = async || first.is_connected(source_id) != second.is_connected(source_id);
        eventually("one of them consumes", SOON, takes).await;
    }
    let count = send().await;
    assert_eq!(world.wait_for_numbers(0..count, COMES_WITHIN).await.len(), count, "none is read twice");
    send().await;
    first.stop().await;
    second.connected(source_id).await;
    let count = send().await;
    assert_eq!(world.wait_for_numbers(0..count, COMES_WITHIN).await.len(), count, "none comes again after a stop");
    second.stop().await;
}

/// What is said to be wrong with settings by which no connection can be made, and where: the same when it is read as when it is
/// tried.
async fn fault(pub_sub: Value, step: Step) -> String {
    let source = feed_source(pub_sub);
    let source_id = source.id;
    let problem = connection_test::check(&source).await.expect_err("these settings cannot work");
    assert_eq!(problem.step, step, "{problem}");
    let connected = match settings(&source).unwrap() {
        Settings::Mqtt(settings) => {
            MqttBroker { source_id, settings, stale_topics: Vec::new() }.connect().await.map(drop)
        }
        Settings::Amqp(settings) => AmqpBroker { settings }.connect().await.map(drop),
        Settings::Kafka(settings) => KafkaBroker { settings }.connect().await.map(drop),
        Settings::Nats(settings) => NatsBroker { settings }.connect().await.map(drop),
        Settings::Sqs(settings) => SqsBroker { settings }.connect().await.map(drop),
        Settings::Google(settings) => GoogleBroker { settings }.connect().await.map(drop),
        Settings::Redis(settings) => RedisBroker::new(settings, "test").connect().await.map(drop),
    };
    format!("{problem}; {}", connected.expect_err("these settings cannot work"))
}

fn refused<B: TestBroker>(ingest: &Instance) -> Option<f64> {
    ingest.metric(&format!("ingest_rejected_total{{source_kind=\"{}\",reason=\"not_json\"}}", B::KIND))
}

fn received(ingest: &Instance) -> f64 {
    ingest.metric("ingest_received_total{").unwrap_or_default()
}
