//! Amazon SQS. A message that was received is hidden from others for a while and deleted when it is done, so every instance
//! consumes; what a dead one had comes back when its time is over. Keys of the machine that ingest runs on are deliberately
//! not used: they would be every project's.

mod client;
mod connection;
mod message;

use posthouse_broker_settings::SqsSettings;

use self::connection::Connection;
use crate::broker::{Broker, Problem, Reach, Sharing, client_config};

/// The queue of one source.
pub struct SqsBroker {
    /// Where its messages come from.
    pub settings: SqsSettings,
}

impl Broker for SqsBroker {
    type Link = Connection;
    const KIND: &'static str = "sqs";
    const SHARING: Sharing = Sharing::Broker;

    async fn connect(&self) -> Result<Connection, String> {
        Box::pin(Connection::open(&self.settings)).await
    }

    /// The address of a region is known to the library alone.
    fn reach(&self) -> Result<Option<Reach>, String> {
        let Some(endpoint) = &self.settings.endpoint else { return Ok(None) };
        let ca = self.settings.ca_certificate.as_deref();
        let tls = endpoint.is_tls.then(|| client_config(ca, "pub_sub.sqs.ca_certificate")).transpose()?;
        Ok(Some(Reach { addresses: vec![(endpoint.host.clone(), endpoint.port)], tls, greets: false }))
    }

    async fn check(&self) -> Result<Vec<String>, Problem> {
        Box::pin(connection::check(&self.settings)).await
    }
}
