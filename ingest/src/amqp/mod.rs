//! AMQP 0-9-1, as RabbitMQ speaks it. Consumers of one queue get its messages dealt out, so every instance consumes; what
//! a connection that ends has not answered goes back to the queue.

mod connection;
mod headers;
mod transport;

use posthouse_broker_settings::AmqpSettings;

use self::connection::Connection;
use crate::broker::{Broker, Sharing};

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
}
