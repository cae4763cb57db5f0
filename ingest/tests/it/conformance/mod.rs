//! What every broker must do, shown against a real one of each kind: see [`behaviour`], [`outages`] and
//! [`repeats`].

mod behaviour;
mod flow;
mod outages;
mod repeats;

use std::time::Duration;

use posthouse_schema::{
    ids::{ProjectId, SourceId},
    source_feed::FeedSource,
    words::ProjectKind,
};
use serde_json::Value;

use crate::{
    broker::Broker, kafka_server::KafkaServer, mqtt5::Five, nats_server::NatsServer, program::eventually, proxy::Proxy,
    pubsub_server::PubSubServer, rabbitmq::RabbitMq, redis_streams::StreamServer, sqs_server::SqsServer,
};

/// The user and the password that every broker of the suite has.
pub const USER: &str = "sensor";
pub const RIGHT: &str = "right";

/// A broker of the test's own, with what the suite needs of it.
pub trait TestBroker: Sized + Send {
    /// As in metrics.
    const KIND: &'static str;
    /// What it says of a wrong password.
    const REFUSAL: &'static str;
    /// Whether it deals a source's messages out to all instances.
    const IS_DEALT_OUT: bool = true;
    /// Whether sources with equal settings read one queue, whose messages they divide between them.
    const IS_ONE_QUEUE: bool = false;
    /// Whether a place that is not there is made by whoever reads it.
    const MAKES_PLACES: bool = false;
    /// What is said to a source that would be the first of its own at a place.
    const NOTES_OF_ANOTHER: usize = 0;
    /// Whether it tells how many messages wait.
    const TELLS_LAG: bool = true;
    /// Whether each message has a name that stays the same.
    const NAMES_MESSAGES: bool = true;

    async fn start() -> Self;
    fn port(&self) -> u16;
    /// A proxy by whose port a source can read.
    async fn proxy(&self) -> Proxy {
        Proxy::to(self.port()).await
    }
    /// `pub_sub` of a source that reads this place by this port with this password.
    fn source(&self, place: &str, port: u16, password: &str) -> Value;
    /// Makes the place that messages are published to and read from.
    fn make(port: u16, place: &str) -> impl Future<Output = ()> + Send;
    /// Publishes and returns when the broker has all.
    fn try_publish(port: u16, place: &str, bodies: &[String]) -> impl Future<Output = Result<(), String>> + Send;
    /// As an operator would; it keeps what it was given.
    async fn stop(&mut self);
    async fn resume(&mut self);
}

/// Publishes, again where the broker did not confirm.
pub async fn publish<B: TestBroker>(broker: &B, place: &str, bodies: &[String]) {
    eventually("the broker takes messages", Duration::from_secs(60), async || {
        B::try_publish(broker.port(), place, bodies).await.is_ok()
    })
    .await;
}

/// A source of an outgoing project with these settings, which no database knows.
pub fn feed_source(pub_sub: Value) -> FeedSource {
    FeedSource {
        project_id: ProjectId::generate(),
        project_kind: ProjectKind::Outgoing,
        id: SourceId::generate(),
        name: "orders".into(),
        is_disabled: false,
        pub_sub: Some(pub_sub),
        locked: None,
        body_function: None,
        header_function: None,
        rate_limit: 0,
        rate_limit_duration_seconds: 0,
        updated_at: chrono::Utc::now(),
    }
}

macro_rules! conformance {
    ($($name:ident: $broker:ty,)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn behaves() {
                Box::pin(behaviour::refuses_and_follows::<$broker>()).await;
            }

            #[tokio::test]
            async fn shares() {
                Box::pin(behaviour::shares::<$broker>()).await;
            }

            #[tokio::test]
            async fn loses_nothing() {
                Box::pin(outages::loses_nothing::<$broker>()).await;
            }
        }
    )*};
}

macro_rules! what_comes_again {
    ($($name:ident: $broker:ty,)*) => {
        mod what_comes_again {
            use super::*;

            $(#[tokio::test]
            async fn $name() {
                Box::pin(repeats::are_recognised::<$broker>()).await;
            })*
        }
    };
}

conformance! {
    mqtt: Broker,
    mqtt5: Five,
    amqp: RabbitMq,
    kafka: KafkaServer,
    nats: NatsServer,
    redis: StreamServer,
    sqs: SqsServer,
    google: PubSubServer,
}

what_comes_again! {
    mqtt: Broker,
    mqtt5: Five,
    amqp: RabbitMq,
    kafka: KafkaServer,
    nats: NatsServer,
    redis: StreamServer,
    sqs: SqsServer,
    google: PubSubServer,
}
