//! Google Pub/Sub. The service leases the messages of a subscription to whoever pulls from it, so every instance consumes; a
//! lease that nobody extends ends, and its message comes again.

mod connection;
mod service;
mod stream;
mod token;

use posthouse_broker_settings::GoogleSettings;

use self::connection::Connection;
use crate::broker::{Broker, Problem, Reach, Sharing};

/// The subscription of one source.
pub struct GoogleBroker {
    /// Where its messages come from.
    pub settings: GoogleSettings,
}

impl Broker for GoogleBroker {
    type Link = Connection;
    const KIND: &'static str = "google";
    const SHARING: Sharing = Sharing::Broker;

    async fn connect(&self) -> Result<Connection, String> {
        Box::pin(Connection::open(&self.settings)).await
    }

    fn reach(&self) -> Result<Option<Reach>, String> {
        service::reach(&self.settings).map(Some)
    }

    async fn check(&self) -> Result<Vec<String>, Problem> {
        Box::pin(service::check(&self.settings)).await
    }
}
