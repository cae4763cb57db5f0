//! The apalis backend. It decodes payloads itself, so that one that cannot be decoded is a dead letter (apalis would end
//! the worker), and never reports an error of Redis to apalis (it would end the worker too).

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::Task,
    worker::context::WorkerContext,
};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    BackendSettings, QueueError, Queues, acknowledge::Acknowledge, buffer::Buffer, engine, hub::Hub, sink::Outbox,
    slot::Finished,
};
use crate::Job;

/// One worker's access to the queue of `J`.
///
/// [`super::run_worker`] is the usual way to run it; an apalis `WorkerBuilder` takes it too:
/// ```no_run
/// # use apalis_core::{error::BoxDynError, worker::builder::WorkerBuilder};
/// # use posthouse_jobs::{BackendSettings, Queues, SendEmail};
/// # async fn run(queues: Queues) -> Result<(), Box<dyn std::error::Error>> {
/// let backend = queues.backend::<SendEmail>(BackendSettings::default());
/// let handler = async |mail: SendEmail| Ok::<_, BoxDynError>(println!("to {}", mail.to));
/// WorkerBuilder::new("mail").backend(backend).build(handler).run().await?;
/// # Ok(()) }
/// ```
/// Neither `.concurrency(n)` nor `.parallelize(…)` nor `.catch_panic()` is needed: the settings bound the jobs taken, and
/// each runs in a tokio task of its own. Jobs may be pushed through it as well (apalis's `TaskSink`).
pub struct JobBackend<J> {
    hub: Arc<Hub>,
    buffer: Arc<Buffer<J>>,
    engine: Engine,
    pub(super) outbox: Outbox<J>,
    pub(super) queues: Queues,
}

enum Engine {
    Ready(mpsc::UnboundedReceiver<Finished>),
    Running(AbortOnDropHandle<()>),
    Ended,
}

impl<J: Job> JobBackend<J> {
    pub(crate) fn new(queues: Queues, settings: BackendSettings) -> Self {
        let keys = queues.keys(J::QUEUE);
        let (hub, finished) = Hub::new(J::QUEUE, queues.connection.clone(), keys, settings);
        Self {
            hub,
            buffer: Arc::new(Buffer::new()),
            engine: Engine::Ready(finished),
            outbox: Outbox::default(),
            queues,
        }
    }

    /// A token that makes the worker stop taking jobs and drain. Stopping the apalis worker does the same, but only after
    /// its last running job.
    #[must_use]
    pub fn stop_token(&self) -> CancellationToken {
        self.hub.stop.clone()
    }

    fn start(&mut self) {
        if let Engine::Ready(_) = self.engine
            && let Engine::Ready(finished) = std::mem::replace(&mut self.engine, Engine::Ended)
        {
            let running = engine::run(Arc::clone(&self.hub), Arc::clone(&self.buffer), finished);
            self.engine = Engine::Running(AbortOnDropHandle::new(tokio::spawn(running)));
        }
    }
}

impl<J: Job> Backend for JobBackend<J> {
    type Task = Task<J>;
    type Error = QueueError;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), QueueError>> {
        self.start();
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Task<J>, QueueError>>> {
        let popped = ready!(self.buffer.poll_pop(cx));
        Poll::Ready(Some(popped.map_err(|_| QueueError::Refused("the tasks behind the worker have ended"))))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), QueueError>> {
        self.hub.stop.cancel();
        if let Engine::Running(engine) = &mut self.engine {
            // A panic has been reported where it happened; there is nothing left to close.
            drop(ready!(Pin::new(engine).poll(cx)));
            self.engine = Engine::Ended;
        }
        Poll::Ready(Ok(()))
    }
}

impl<J: Job> BackendConfig for JobBackend<J> {
    type Args = J;
    type Id = String;
    type Kind = Ephemeral;
    type Config = BackendSettings;
    type Layer = Acknowledge;

    fn config(&self) -> &BackendSettings {
        &self.hub.settings
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Acknowledge {
        Acknowledge::new(Arc::clone(&self.hub))
    }
}
