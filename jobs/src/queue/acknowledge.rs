//! The layer that apalis puts around every handler: it runs each job in a task of its own, on all threads, and reports
//! what became of it. A panic is an error like any other.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};

use apalis_core::{error::BoxDynError, task::Task};
use futures::{FutureExt as _, future::BoxFuture};
use tokio_util::task::AbortOnDropHandle;
use tower::{Layer, Service};

use super::{hub::Hub, outcome::Outcome, slot::Slot};

/// See the module.
#[derive(Clone)]
pub struct Acknowledge {
    hub: Arc<Hub>,
}

impl Acknowledge {
    pub(crate) const fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
    }
}

impl<S> Layer<S> for Acknowledge {
    type Service = Acknowledged<S>;

    fn layer(&self, inner: S) -> Acknowledged<S> {
        Acknowledged { inner, hub: Arc::clone(&self.hub) }
    }
}

/// A handler with its layers, whose outcomes are reported.
#[derive(Clone)]
pub struct Acknowledged<S> {
    inner: S,
    hub: Arc<Hub>,
}

/// The handler panicked.
#[derive(Debug, thiserror::Error)]
#[error("the handler panicked: {0}")]
struct Panicked(String);

/// The job was stopped at the end of the worker's drain time.
#[derive(Debug, thiserror::Error)]
#[error("the worker stopped before the job was done")]
struct Stopped;

impl<S, J> Service<Task<J>> for Acknowledged<S>
where
    S: Service<Task<J>>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
    S::Error: Into<BoxDynError>,
{
    type Response = S::Response;
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<S::Response, BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, task: Task<J>) -> Self::Future {
        let slot = task.data().get::<Slot>().cloned();
        let running = AssertUnwindSafe(self.inner.call(task)).catch_unwind();
        let hub = Arc::clone(&self.hub);
        let job = AbortOnDropHandle::new(tokio::spawn(async move {
            let result = tokio::select! {
                biased;
                result = running => match result {
                    Ok(result) => result.map_err(Into::into),
                    Err(panic) => Err(Panicked(panic_text(panic.as_ref())).into()),
                },
                () = hub.abandon.cancelled() => Err(Stopped.into()),
            };
            if let Some(slot) = slot {
                slot.finish(match &result {
                    Ok(_) => Outcome::Done,
                    Err(error) if error.is::<Stopped>() => Outcome::HandedBack,
                    Err(error) => Outcome::of_error(error),
                });
            }
            result
        }));
        async move { job.await.unwrap_or_else(|error| Err(error.into())) }.boxed()
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".into())
}
