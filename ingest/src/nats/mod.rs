//! NATS JetStream. A durable pull consumer remembers at the server what was acknowledged, and deals its messages out to
//! all that pull from it, so every instance does. Core NATS, which forgets what nobody hears, is deliberately absent.

mod connection;

use posthouse_broker_settings::NatsSettings;

use self::connection::Connection;
use crate::broker::{Broker, Problem, Reach, Sharing};

/// The JetStream of one source.
pub struct NatsBroker {
    /// Where its messages come from.
    pub settings: NatsSettings,
}

impl Broker for NatsBroker {
    type Link = Connection;
    const KIND: &'static str = "nats";
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

    async fn forget(&self) -> Result<(), String> {
        Box::pin(connection::forget(&self.settings)).await
    }
}
