//! The job queues: an apalis backend of our own over Redis. A job that was pushed is in exactly one place (ready, delayed,
//! leased to a worker, or dead) until it is done, and then leaves nothing behind but a count.
//!
//! apalis-redis lends its connection types; its storage is not used (decision 0003 says why).

mod acknowledge;
mod address;
mod backend;
mod board;
mod breaker;
mod buffer;
mod connection;
mod connection_test;
mod dead;
mod encryption;
mod engine;
mod error;
mod fetch;
mod finish;
mod frame;
mod group;
mod hub;
mod inspect;
mod keys;
mod lease;
mod link;
mod meter;
#[cfg(test)]
mod model_tests;
mod outage;
mod outcome;
mod page;
mod pass;
mod places;
mod push;
mod rate;
mod reaper;
mod sample;
mod script;
mod sentinel;
mod server;
mod settings;
mod sighting;
mod sink;
mod slot;
mod source_changes;
mod source_state;
#[cfg(feature = "testing")]
pub mod testing;
mod tokens;
mod wake;
mod worker;

use std::sync::Arc;

use connection::Connection;
use group::Groups;
use keys::Keys;
use posthouse_service::metrics::Metrics;
use posthouse_service::settings::RedisSettings;
use redis::TlsCertificates;
use secrecy::ExposeSecret as _;

use crate::Job;

pub use backend::JobBackend;
pub use board::QueueBoard;
pub use breaker::{BreakerRule, OpenBreaker, OpenBreakers, Probe, Tally, Told};
pub use connection_test::{ConnectionTest, ConnectionTestResult, ConnectionTestState};
pub use dead::{DeadLetter, Redriven};
pub use error::{QueueError, Unreadable};
pub use inspect::{Counts, JobRecord, JobState, QueueView, WorkerRecord};
pub use outcome::Reschedule;
pub use pass::Pass;
pub use places::{Places, Share};
pub use rate::{Rate, Turn, Turns};
pub use sample::Sample;
pub use server::RedisServer;
pub use settings::BackendSettings;
pub use sighting::Sighting;
pub use source_state::{Failing, SourceNote, SourceState};
pub use worker::run_worker;

/// All queues of one Redis under one prefix. Cheap to clone: the clones share one multiplexed connection that
/// reconnects by itself.
#[derive(Clone)]
pub struct Queues {
    connection: Connection,
    prefix: Arc<str>,
    groups: Arc<Groups>,
}

impl std::fmt::Debug for Queues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queues").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Queues {
    /// Connects to the Redis of these settings; all keys begin with `{prefix:`. One server is
    /// `redis://[user:password@]host:port[/db]`, a Cluster `redis+cluster://[user:password@]host:port,…`, and a master that
    /// Sentinels name `redis+sentinel://[user:password@]host:port,…/master[/db]`; with `rediss` they speak TLS.
    ///
    /// # Errors
    /// [`QueueError::Settings`] and [`QueueError::File`] for an address, a prefix or files that cannot be used;
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn open(settings: &RedisSettings) -> Result<Self, QueueError> {
        let certificates = encryption::certificates(settings).await?;
        Self::with(settings.redis_url.expose_secret(), &settings.redis_prefix, &certificates).await
    }

    /// The same for an address that needs no files.
    ///
    /// # Errors
    /// As [`Queues::open`].
    pub async fn connect(url: &str, prefix: &str) -> Result<Self, QueueError> {
        Self::with(url, prefix, &TlsCertificates { client_tls: None, root_cert: None }).await
    }

    async fn with(url: &str, prefix: &str, certificates: &TlsCertificates) -> Result<Self, QueueError> {
        if prefix.is_empty() || prefix.contains(['{', '}', '*', '?', '[', ']', '\\']) {
            return Err(QueueError::Settings("the prefix is empty or has one of {}*?[]\\"));
        }
        let connection = Connection::open(url, certificates).await?;
        Ok(Self { connection, prefix: prefix.into(), groups: Arc::default() })
    }

    /// Asks Redis for a sign of life, within 3 s.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`].
    pub async fn ping(&self) -> Result<(), QueueError> {
        self.connection.ask(redis::pipe().cmd("PING").ignore()).await
    }

    /// Registers what calls to Redis cost and how they end.
    pub fn register(&self, metrics: &Metrics) {
        self.connection.meter.register(metrics);
    }

    /// The apalis backend of a queue, for one worker. It starts when the worker does.
    pub fn backend<J: Job>(&self, settings: BackendSettings) -> JobBackend<J> {
        JobBackend::new(self.clone(), settings.bounded())
    }

    /// A queue as operators see it: counts, jobs, workers, dead letters, pause and resume.
    #[must_use]
    pub fn view(&self, queue: &str) -> QueueView {
        QueueView::new(self.connection.clone(), self.keys(queue), queue)
    }

    fn keys(&self, queue: &str) -> Keys {
        Keys::new(&self.prefix, queue)
    }
}
