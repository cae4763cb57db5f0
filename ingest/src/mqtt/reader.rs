//! Drives the network of one connection: subscribes, hands messages on in their order, and sends what the writer
//! acknowledges. It is never cancelled between two awaits, because the client library would lose an acknowledgement.

use std::sync::Arc;

use posthouse_broker_settings::MqttSettings;
use posthouse_schema::ids::SourceId;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{
    arrival::{Arrival, Taking},
    client::{Client, Happening, Network, Publication},
    connection::End,
    options, session, topic,
};

/// Foreign topics that one connection unsubscribes from.
const FOREIGN_TOPICS_MAX: usize = 16;

pub(super) struct Reader {
    pub source_id: SourceId,
    pub settings: MqttSettings,
    pub taking: Taking,
    pub stale_topics: Vec<String>,
    pub client: Client,
    pub inbox: mpsc::Sender<Arrival>,
    pub room: Arc<Semaphore>,
    /// Told once that messages may be taken.
    pub established: Option<oneshot::Sender<()>>,
}

impl Reader {
    pub(super) async fn run(mut self, network: &mut Network) -> End {
        let mut foreign_topics = Vec::new();
        loop {
            let happening = match network.next().await {
                Ok(happening) => happening,
                Err(error) => return End::Lost(error),
            };
            let outcome = match happening {
                Happening::Connected => self.subscribe(),
                Happening::Subscribed { is_refused } => self.subscribed(is_refused),
                Happening::Brought(publication) => {
                    self.leave_foreign_topic(&publication.topic, &mut foreign_topics);
                    self.hand_on(publication).await;
                    Ok(())
                }
                Happening::Left => {
                    session::wait_for_close(network).await;
                    return End::Stopped;
                }
                Happening::Other => Ok(()),
            };
            if let Err(error) = outcome {
                return End::Lost(error);
            }
        }
    }

    /// Subscribes anew even where the session holds the filter, since its filter or quality of service may have changed.
    fn subscribe(&self) -> Result<(), String> {
        let settings = &self.settings;
        for stale in &self.stale_topics {
            self.client.unsubscribe(stale)?;
        }
        self.client.subscribe(&settings.topic, options::qos(settings.qos))
    }

    fn subscribed(&mut self, is_refused: bool) -> Result<(), String> {
        if is_refused {
            return Err("the broker refused the subscription".to_owned());
        }
        self.established();
        Ok(())
    }

    fn established(&mut self) {
        if let Some(established) = self.established.take() {
            established.send(()).ok(); // Nobody waits when the connection is being given up.
        }
    }

    /// Waits while too much is in flight, which holds the broker back. Once the writer has stopped taking, the message
    /// is left unacknowledged: the broker keeps it.
    async fn hand_on(&mut self, publication: Publication) {
        // A kept session may bring more than there is room for before it answers the subscription.
        if self.inbox.capacity() == 0 || self.room.available_permits() < publication.payload.len() {
            self.established();
        }
        let arrival = Arrival::of(publication, &self.taking, &self.room).await;
        if self.inbox.send(arrival).await.is_err() {
            tracing::debug!(source.id = %self.source_id, "A message is left to the broker while stopping.");
        }
    }

    /// A topic outside our filter comes by a subscription that the session kept from earlier settings. Its messages are
    /// accepted all the same; the subscription ends here if it named this topic.
    fn leave_foreign_topic(&self, topic: &str, left: &mut Vec<String>) {
        if topic::matches(&self.settings.topic, topic)
            || left.len() >= FOREIGN_TOPICS_MAX
            || left.iter().any(|seen| seen == topic)
        {
            return;
        }
        tracing::warn!(source.id = %self.source_id, "The broker's session holds a subscription of earlier settings.");
        left.push(topic.to_owned());
        if let Err(error) = self.client.unsubscribe(topic) {
            tracing::warn!(source.id = %self.source_id, error, "The earlier subscription stays.");
        }
    }
}
