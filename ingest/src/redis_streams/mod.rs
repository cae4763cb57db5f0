//! Redis Streams. A consumer group remembers who was given which entry until it is acknowledged; every instance is a
//! consumer of its own, and takes over what a dead one left.

mod connection;
mod reply;

use std::sync::atomic::{AtomicUsize, Ordering};

use posthouse_broker_settings::RedisSettings;

use self::connection::Connection;
use crate::broker::{Broker, Problem, Reach, Sharing};

/// The stream of one source.
pub struct RedisBroker {
    settings: RedisSettings,
    instance: String,
    connections: AtomicUsize,
}

impl RedisBroker {
    /// `instance` names this process among the group's consumers.
    #[must_use]
    pub fn new(settings: RedisSettings, instance: &str) -> Self {
        Self { settings, instance: instance.to_owned(), connections: AtomicUsize::new(0) }
    }
}

impl Broker for RedisBroker {
    type Link = Connection;
    const KIND: &'static str = "redis";
    const SHARING: Sharing = Sharing::Broker;

    async fn connect(&self) -> Result<Connection, String> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let consumer = format!("{}{}-{number}", connection::CONSUMERS, self.instance);
        Connection::open(&self.settings, consumer).await
    }

    fn reach(&self) -> Result<Option<Reach>, String> {
        let addresses = vec![(self.settings.host.clone(), self.settings.port)];
        Ok(Some(Reach { addresses, tls: connection::tls(&self.settings)?, greets: false }))
    }

    async fn check(&self) -> Result<Vec<String>, Problem> {
        Box::pin(connection::check(&self.settings)).await
    }

    async fn forget(&self) -> Result<(), String> {
        connection::forget(&self.settings).await
    }
}
