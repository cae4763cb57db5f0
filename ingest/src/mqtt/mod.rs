//! MQTT 3.1.1. One connection per source at a time, under a client id whose session the broker keeps: what is not
//! acknowledged comes again, to this instance or to the next one.

mod batch;
mod connection;
mod options;
mod reader;
mod session;
mod settings;
mod topic;
mod writer;

use std::time::Duration;

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use self::connection::End;
pub use self::{
    session::forget,
    settings::{MqttSettings, SettingsError},
};
use crate::{backoff::Backoff, fault::Fault, intake::Intake, message::Origin};

/// A connection that lasted this long was a good one: the next failure waits the shortest time again.
const GOOD_AFTER: Duration = Duration::from_secs(10);

/// Consumes one source until it is told to stop.
pub struct MqttConsumer {
    /// Whose messages these are.
    pub origin: Origin,
    /// Where they come from.
    pub settings: MqttSettings,
    /// Filters that this source had before: the kept session may still hold them.
    pub stale_topics: Vec<String>,
    /// Where they go.
    pub intake: Intake,
}

impl MqttConsumer {
    /// Connects, reads, and connects again, until `stop`; then finishes what it has and disconnects. Opens no connection
    /// while `may_connect` is false, but goes on with one that it has: the broker ends it when another takes over.
    pub async fn run(&self, may_connect: watch::Receiver<bool>, stop: &CancellationToken) {
        let (mut backoff, mut fault) = (Backoff::new(), Fault::default());
        while self.is_allowed(may_connect.clone(), stop).await {
            let started = Instant::now();
            let end = connection::run(self, &mut fault, stop).await;
            self.intake.metrics.set_connected(self.origin.source_id, false);
            let End::Lost(error) = end else { break };
            self.intake.metrics.statuses().lost(self.origin.source_id, &error);
            if fault.is_news(&error) {
                tracing::warn!(source.id = %self.origin.source_id, error, "The broker connection failed; it is tried again.");
            }
            if started.elapsed() >= GOOD_AFTER {
                backoff = Backoff::new();
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.next_wait()) => {}
                () = stop.cancelled() => break,
            }
        }
    }

    async fn is_allowed(&self, mut may_connect: watch::Receiver<bool>, stop: &CancellationToken) -> bool {
        tokio::select! {
            biased;
            () = stop.cancelled() => false,
            allowed = may_connect.wait_for(|allowed| *allowed) => allowed.is_ok(),
        }
    }
}
