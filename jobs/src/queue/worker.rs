//! Runs one handler on one queue for the life of a process. It ends only when it is told to.

use apalis_core::{
    error::{BoxDynError, WorkerError},
    task::data::Data,
    worker::{builder::WorkerBuilder, context::WorkerContext},
};
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use super::{BackendSettings, Queues};
use crate::Job;

/// Wait before a worker that ended against all intention is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Runs `handler` on the queue of `J` until `shutdown`, then drains as [`BackendSettings::drain`] says and returns when
/// Redis knows what became of every job. Should the apalis worker end before, it is started again.
///
/// What the handler's result means: `Ok`: done. [`super::Reschedule`] as its error: again at that time, no attempt
/// counted. `AbortError`: dead letter. `RetryAfterError`: failed, again after that wait. Any other error, or a panic:
/// failed, again after a growing wait, a dead letter after [`BackendSettings::max_attempts`]. A handler may run twice for
/// one job.
pub async fn run_worker<J, D, H, F>(
    queues: Queues,
    settings: BackendSettings,
    data: D,
    handler: H,
    shutdown: CancellationToken,
) where
    J: Job,
    D: Clone + Send + Sync + 'static,
    H: FnMut(J, Data<D>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), BoxDynError>> + Send + 'static,
{
    while !shutdown.is_cancelled() {
        let ended = run_once(&queues, settings.clone(), data.clone(), handler.clone(), &shutdown).await;
        if shutdown.is_cancelled() {
            break;
        }
        tracing::error!(queue = J::QUEUE, result = ?ended, "A worker ended by itself and is started again.");
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = sleep(RESTART_PAUSE) => {}
        }
    }
}

async fn run_once<J, D, H, F>(
    queues: &Queues,
    settings: BackendSettings,
    data: D,
    handler: H,
    shutdown: &CancellationToken,
) -> Result<(), WorkerError>
where
    J: Job,
    D: Clone + Send + Sync + 'static,
    H: FnMut(J, Data<D>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), BoxDynError>> + Send + 'static,
{
    let backend = queues.backend::<J>(settings);
    let stop = backend.stop_token();
    let context = WorkerContext::new(J::QUEUE);
    let mut worker = Box::pin(WorkerBuilder::new(&context).backend(backend).data(data).build(handler).run());
    tokio::select! {
        biased;
        ended = &mut worker => return ended,
        () = shutdown.cancelled() => {}
    }
    // The backend first: apalis tells it to close only after the last running job.
    stop.cancel();
    context.stop()?;
    worker.await
}
