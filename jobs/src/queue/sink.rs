//! Pushing through the backend, as apalis's own tools do (`TaskSink`). A flush has returned `Ok` only when Redis has all
//! tasks; a task's id and time are kept, its other settings are not.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use apalis_core::task::Task;
use chrono::DateTime;
use futures::{Sink, future::BoxFuture};

use super::{
    JobBackend, QueueError, Queues,
    push::{Pushed, push_at},
    settings::BATCH_MAX,
};
use crate::Job;

/// Tasks that wait for a flush, and the flush under way.
pub(crate) struct Outbox<J> {
    waiting: Vec<Task<J>>,
    flushing: Option<BoxFuture<'static, Result<(), QueueError>>>,
}

impl<J> Default for Outbox<J> {
    fn default() -> Self {
        Self { waiting: Vec::new(), flushing: None }
    }
}

impl<J: Job> JobBackend<J> {
    fn poll_outbox(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), QueueError>> {
        loop {
            if let Some(flushing) = &mut self.outbox.flushing {
                let flushed = ready!(flushing.as_mut().poll(cx));
                self.outbox.flushing = None;
                flushed?;
            }
            if self.outbox.waiting.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let tasks = std::mem::take(&mut self.outbox.waiting);
            self.outbox.flushing = Some(Box::pin(push(self.queues.clone(), tasks)));
        }
    }
}

async fn push<J: Job>(queues: Queues, tasks: Vec<Task<J>>) -> Result<(), QueueError> {
    let mut part = Vec::with_capacity(tasks.len().min(BATCH_MAX));
    for task in tasks {
        let mut pushed = Pushed::new(&task.args)?;
        if let Some(id) = task.task_id() {
            pushed.id = id.to_string();
        }
        let due = task.run_at().and_then(|seconds| DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0));
        part.push((pushed, due.unwrap_or(DateTime::UNIX_EPOCH)));
        if part.len() == BATCH_MAX {
            push_at(&queues.connection, &queues.keys(J::QUEUE), &std::mem::take(&mut part)).await?;
        }
    }
    if !part.is_empty() {
        push_at(&queues.connection, &queues.keys(J::QUEUE), &part).await?;
    }
    Ok(())
}

impl<J: Job> Sink<Task<J>> for JobBackend<J> {
    type Error = QueueError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), QueueError>> {
        if self.outbox.waiting.len() < BATCH_MAX { Poll::Ready(Ok(())) } else { self.poll_outbox(cx) }
    }

    fn start_send(mut self: Pin<&mut Self>, task: Task<J>) -> Result<(), QueueError> {
        self.outbox.waiting.push(task);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), QueueError>> {
        self.poll_outbox(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), QueueError>> {
        self.poll_outbox(cx)
    }
}
