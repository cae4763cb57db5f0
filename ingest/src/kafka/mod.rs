//! Kafka. The members of a consumer group divide the partitions of a topic between them, so every instance consumes.
//! Offsets are committed here and not by the client library: none passes a message whose job Redis does not hold.

mod connection;

use posthouse_broker_settings::KafkaSettings;

use self::connection::Connection;
use crate::broker::{Broker, Problem, Reach, Sharing};

/// The topic of one source.
pub struct KafkaBroker {
    /// Where its messages come from.
    pub settings: KafkaSettings,
}

impl Broker for KafkaBroker {
    type Link = Connection;
    const KIND: &'static str = "kafka";
    const SHARING: Sharing = Sharing::Broker;

    async fn connect(&self) -> Result<Connection, String> {
        Box::pin(Connection::open(&self.settings)).await
    }

    fn reach(&self) -> Result<Option<Reach>, String> {
        connection::reach(&self.settings).map(Some)
    }

    async fn check(&self) -> Result<Vec<String>, Problem> {
        Box::pin(connection::check(&self.settings)).await
    }
}
