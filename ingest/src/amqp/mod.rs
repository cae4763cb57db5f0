//! AMQP 0-9-1, as RabbitMQ speaks it. Consumers of one queue get its messages dealt out, so every instance consumes; what
//! a connection that ends has not answered goes back to the queue.

mod connection;
mod headers;
mod transport;

use posthouse_broker_settings::AmqpSettings;

use self::connection::Connection;
use crate::broker::{Broker, Problem, Reach, Sharing};

/// The AMQP broker of one source.
pub struct AmqpBroker {
    /// Where its messages come from.
    pub settings: AmqpSettings,
}

impl Broker for AmqpBroker {
    type Link = Connection;
    const KIND: &'static str = "amqp";
    const SHARING: Sharing = Sharing::Broker;

    async fn connect(&self) -> Result<Connection, String> {
        Connection::open(&self.settings).await
    }

    fn reach(&self) -> Result<Option<Reach>, String> {
        let addresses = vec![(self.settings.host.clone(), self.settings.port)];
        Ok(Some(Reach { addresses, tls: connection::tls(&self.settings)?, greets: false }))
    }

    async fn check(&self) -> Result<Vec<String>, Problem> {
        Box::pin(connection::check(&self.settings)).await
    }
}
