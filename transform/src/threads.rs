//! Threads that run functions, one after the other. They are begun when there is something to run and not enough of them,
//! and end when they have had nothing to do for a while.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{
    error::TransformError,
    limits::Limits,
    run::{Transformed, run},
    turns::{Ticket, Turns},
};

/// Beyond the engine's own, for what runs on it natively.
const STACK_MARGIN_BYTES: usize = 1_024 * 1_024;

/// How many threads there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// At most, for all tenants together.
    pub(crate) threads: usize,
    /// At most, for one tenant at once.
    pub(crate) of_tenant: usize,
    /// A thread ends that had nothing to do for so long.
    pub(crate) idle: Duration,
}

/// One run.
pub(crate) struct Run {
    pub(crate) function: Arc<str>,
    pub(crate) payload: Box<dyn AsRef<str> + Send>,
    /// Set when a thread takes it.
    pub(crate) began: Arc<OnceLock<Instant>>,
    pub(crate) answer: oneshot::Sender<Result<Transformed, TransformError>>,
}

/// The threads and what they have to do.
pub(crate) struct Threads {
    limits: Limits,
    size: Size,
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    turns: Turns<Run>,
    threads: usize,
    /// Threads that wait for something to do.
    idle: usize,
}

impl Threads {
    pub(crate) fn new(limits: Limits, size: Size) -> Self {
        let state = State { turns: Turns::new(size.of_tenant), threads: 0, idle: 0 };
        Self { limits, size, state: Mutex::new(state), wake: Condvar::new() }
    }

    /// Lets a run wait for a thread. It is taken back when the place is dropped before one has it.
    ///
    /// # Errors
    /// The tenant has too many, or a thread is needed and cannot be had.
    pub(crate) fn enter(self: &Arc<Self>, tenant: u128, run: Run) -> Result<Place, TransformError> {
        let mut state = self.lock();
        let ticket = state.turns.push(tenant, run).ok_or(TransformError::Crowded)?;
        let place = Place { threads: Arc::clone(self), tenant, ticket };
        self.summon(state).map_err(|error| TransformError::Unavailable(error.to_string()))?;
        Ok(place)
    }

    /// Wakes or begins a thread, where one may begin a run.
    fn summon(self: &Arc<Self>, mut state: MutexGuard<'_, State>) -> io::Result<()> {
        let ready = state.turns.ready();
        if ready == 0 {
            return Ok(());
        }
        if ready <= state.idle {
            drop(state);
            self.wake.notify_one();
            return Ok(());
        }
        if state.threads >= self.size.threads {
            return Ok(());
        }
        state.threads += 1;
        drop(state);
        let threads = Arc::clone(self);
        let builder = thread::Builder::new().name("function".into());
        let begun = builder.stack_size(self.limits.stack_bytes + STACK_MARGIN_BYTES).spawn(move || threads.work());
        begun.map(drop).inspect_err(|_| self.lock().threads -= 1)
    }

    fn work(self: Arc<Self>) {
        let mut state = self.lock();
        loop {
            let Some((tenant, run)) = state.turns.take() else {
                state.idle += 1;
                let waited = self.wake.wait_timeout_while(state, self.size.idle, |state| state.turns.ready() == 0);
                let (next, waited) = waited.unwrap_or_else(PoisonError::into_inner);
                state = next;
                state.idle -= 1;
                if waited.timed_out() {
                    state.threads -= 1;
                    return;
                }
                continue;
            };
            run.began.get_or_init(Instant::now);
            // Where no thread can be had for the next one, it waits for this.
            drop(self.summon(state));
            let result = self.perform(&run);
            // The caller hears of it when its turn is free again, and when this thread is there for its next run.
            state = self.lock();
            state.turns.finish(tenant);
            state.idle += 1;
            drop(state);
            // Nobody waits for the answer when the caller has gone.
            drop(run.answer.send(result));
            state = self.lock();
            state.idle -= 1;
        }
    }

    fn perform(&self, wanted: &Run) -> Result<Transformed, TransformError> {
        let payload = (*wanted.payload).as_ref();
        catch_unwind(AssertUnwindSafe(|| run(&wanted.function, payload, &self.limits)))
            .unwrap_or_else(|_| Err(TransformError::Unavailable("the engine panicked".into())))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Turns<Run>, usize) -> T) -> T {
        let state = self.lock();
        at(&state.turns, state.threads)
    }
}

/// A run that waits, or has waited.
pub(crate) struct Place {
    threads: Arc<Threads>,
    tenant: u128,
    ticket: Ticket,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.threads.lock().turns.cancel(self.tenant, self.ticket);
    }
}
