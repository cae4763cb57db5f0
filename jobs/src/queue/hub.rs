//! What the tasks behind one worker share. Each worker on each queue has a hub of its own.

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::{BackendSettings, connection::Connection, keys::Keys, lease::Registration, slot::Finished};

pub(crate) struct Hub {
    pub(crate) queue: &'static str,
    pub(crate) connection: Connection,
    pub(crate) keys: Keys,
    pub(crate) settings: BackendSettings,
    pub(crate) registration: Registration,
    /// One permit per job that may be leased here; it comes back when Redis knows what became of the job.
    pub(crate) slots: Arc<Semaphore>,
    /// What became of jobs, on its way to Redis. As long as the slots bound it.
    pub(crate) finished: mpsc::UnboundedSender<Finished>,
    /// Something may be ready.
    pub(crate) wake: Notify,
    /// Take no further jobs.
    pub(crate) stop: CancellationToken,
    /// Stop the jobs that run: their time is over.
    pub(crate) abandon: CancellationToken,
}

impl Hub {
    pub(crate) fn new(
        queue: &'static str,
        connection: Connection,
        keys: Keys,
        settings: BackendSettings,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Finished>) {
        let (finished, receiver) = mpsc::unbounded_channel();
        let hub = Self {
            queue,
            registration: Registration::new(connection.clone(), keys.clone(), settings.concurrency),
            slots: Arc::new(Semaphore::new(settings.concurrency)),
            connection,
            keys,
            settings,
            finished,
            wake: Notify::new(),
            stop: CancellationToken::new(),
            abandon: CancellationToken::new(),
        };
        (Arc::new(hub), receiver)
    }
}
