//! What the board's traits ask for besides listings, and what a board must not do: it takes no work and pushes none.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use apalis_codec::json::JsonCodec;
use apalis_core::{
    backend::{Backend, BackendConfig, WireFormatBackend, finalize::Durable},
    layers::Identity,
    task::Task,
    worker::context::WorkerContext,
};
use futures::Sink;
use serde_json::Value;

use super::{QueueBoard, QueueError};

const NO_WORK: QueueError = QueueError::Refused("a board hands out no work");
const NO_PUSH: QueueError = QueueError::Refused("jobs cannot be pushed from the board");

impl Backend for QueueBoard {
    type Task = Task<Value>;
    type Error = QueueError;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), QueueError>> {
        Poll::Ready(Err(NO_WORK))
    }

    fn poll_next(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Task<Value>, QueueError>>> {
        Poll::Ready(Some(Err(NO_WORK)))
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), QueueError>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for QueueBoard {
    type Args = Value;
    type Id = String;
    type Kind = Durable;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}

impl WireFormatBackend for QueueBoard {
    type Codec = JsonCodec<Value>;
    type Compact = Value;

    fn codec(&self) -> &Self::Codec {
        &self.codec
    }
}

impl Sink<Task<Value>> for QueueBoard {
    type Error = QueueError;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), QueueError>> {
        Poll::Ready(Err(NO_PUSH))
    }

    fn start_send(self: Pin<&mut Self>, _: Task<Value>) -> Result<(), QueueError> {
        Err(NO_PUSH)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), QueueError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), QueueError>> {
        Poll::Ready(Ok(()))
    }
}
