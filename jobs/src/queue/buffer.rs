//! Fetched tasks on their way to apalis, which asks for one at a time. It never holds more than the worker's free slots.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use apalis_core::task::Task;
use futures::task::AtomicWaker;

pub(crate) struct Buffer<J> {
    state: Mutex<State<J>>,
    waker: AtomicWaker,
}

struct State<J> {
    tasks: VecDeque<Task<J>>,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Closed,
    Failed,
}

/// The tasks behind the worker have ended, against all intention.
pub(crate) struct Failed;

impl<J> Buffer<J> {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { tasks: VecDeque::new(), phase: Phase::Open }), waker: AtomicWaker::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds tasks; after the end they are dropped, which hands them back.
    pub(crate) fn extend(&self, tasks: Vec<Task<J>>) {
        let mut state = self.state();
        if state.phase == Phase::Open {
            state.tasks.extend(tasks);
            drop(state);
            self.waker.wake();
        }
    }

    pub(crate) fn poll_pop(&self, cx: &Context<'_>) -> Poll<Result<Task<J>, Failed>> {
        self.waker.register(cx.waker());
        let mut state = self.state();
        match (state.tasks.pop_front(), state.phase) {
            (Some(task), _) => Poll::Ready(Ok(task)),
            (None, Phase::Failed) => Poll::Ready(Err(Failed)),
            (None, Phase::Open | Phase::Closed) => Poll::Pending,
        }
    }

    /// Takes no more tasks and drops those that wait, which hands them back.
    pub(crate) fn close(&self) {
        self.end(Phase::Closed);
    }

    /// Closes, and tells apalis that no task will come any more.
    pub(crate) fn fail(&self) {
        self.end(Phase::Failed);
        self.waker.wake();
    }

    fn end(&self, phase: Phase) {
        let mut state = self.state();
        state.phase = phase;
        let waiting = std::mem::take(&mut state.tasks);
        drop(state);
        drop(waiting);
    }
}
