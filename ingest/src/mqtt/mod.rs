//! MQTT 3.1.1 and 5. One connection per source at a time, under a client id whose session the broker keeps: what is not
//! acknowledged comes again, to this instance or to the next one.

mod acknowledgements;
mod arrival;
mod client;
mod connection;
mod options;
mod reader;
mod session;
mod template;
mod topic;

use posthouse_broker_settings::MqttSettings;
use posthouse_schema::ids::SourceId;

use self::{connection::Connection, session::forget};
use crate::broker::{Broker, Problem, Reach, Sharing};

/// The MQTT broker of one source.
pub struct MqttBroker {
    /// Whose messages these are.
    pub source_id: SourceId,
    /// Where they come from.
    pub settings: MqttSettings,
    /// Filters that this source had before: the kept session may still hold them.
    pub stale_topics: Vec<String>,
}

impl Broker for MqttBroker {
    type Link = Connection;
    const KIND: &'static str = "mqtt";
    /// The client id has one session and one connection (decision 0005).
    const SHARING: Sharing = Sharing::Lease;

    async fn connect(&self) -> Result<Connection, String> {
        Connection::open(self).await
    }

    fn reach(&self) -> Result<Option<Reach>, String> {
        let addresses = vec![(self.settings.host.clone(), self.settings.port)];
        Ok(Some(Reach { addresses, tls: options::tls(&self.settings)?, greets: false }))
    }

    async fn check(&self) -> Result<Vec<String>, Problem> {
        Box::pin(session::check(&self.settings)).await
    }

    async fn forget(&self) -> Result<(), String> {
        forget(&self.settings).await
    }
}
