//! The tasks behind a worker, from registration to a stop that leaves nothing leased. Dropping the engine without a stop
//! is a crash: the worker's heartbeat ends, and others take its jobs over.

use std::sync::Arc;

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Duration, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    buffer::Buffer, connection::CALL_LIMIT, fetch::fetch_jobs, finish::finish_jobs, hub::Hub, reaper::keep_registered,
    slot::Finished, wake::listen,
};
use crate::Job;

/// Time for the last outcomes to reach Redis after running jobs were stopped.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Runs until [`Hub::stop`], then drains: fetched jobs that have not started go back at once, running ones may finish
/// within the drain time, the rest is stopped and goes back too.
pub(crate) async fn run<J: Job>(hub: Arc<Hub>, buffer: Arc<Buffer<J>>, finished: mpsc::UnboundedReceiver<Finished>) {
    let mut tasks = JoinSet::new();
    tasks.spawn(keep_registered(Arc::clone(&hub)));
    tasks.spawn(listen(Arc::clone(&hub)));
    tasks.spawn(finish_jobs(Arc::clone(&hub), finished));
    let fetching = AbortOnDropHandle::new(tokio::spawn(fetch_jobs(Arc::clone(&hub), Arc::clone(&buffer))));
    tokio::select! {
        () = hub.stop.cancelled() => {}
        ended = tasks.join_next() => {
            tracing::error!(queue = hub.queue, ended = ?ended, "A task of the queue's worker ended by itself.");
            buffer.fail();
            return;
        }
    }
    if let Err(error) = fetching.await {
        tracing::error!(queue = hub.queue, %error, "Fetching jobs ended by itself.");
        buffer.close();
    }
    if !idle_within(&hub, hub.settings.drain).await {
        tracing::warn!(queue = hub.queue, jobs = busy(&hub), "Running jobs took too long; they are handed back.");
        hub.abandon.cancel();
        if !idle_within(&hub, LAST_WORDS).await {
            tracing::error!(
                queue = hub.queue,
                jobs = busy(&hub),
                "Jobs could not be acknowledged; they run again elsewhere."
            );
        }
    }
    match timeout(CALL_LIMIT, hub.registration.leave()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(queue = hub.queue, %error, "The worker could not be deregistered."),
        Err(_) => tracing::warn!(queue = hub.queue, "The worker could not be deregistered in time."),
    }
}

/// Waits until every slot is free: Redis knows then what became of every job.
async fn idle_within(hub: &Hub, limit: Duration) -> bool {
    let all = u32::try_from(hub.settings.concurrency).unwrap_or(u32::MAX);
    timeout(limit, hub.slots.acquire_many(all)).await.is_ok()
}

fn busy(hub: &Hub) -> usize {
    hub.settings.concurrency.saturating_sub(hub.slots.available_permits())
}
