//! Functions run on threads of their own, a bounded number at once, so that none of them holds up a runtime. Tenants have
//! turns of their own, so that one's slow functions leave threads to the others.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tokio::sync::{AcquireError, Semaphore, oneshot};

use crate::{
    error::TransformError,
    limits::Limits,
    run::{Transformed, run},
};

/// Threads for each processor.
const THREADS_FACTOR: usize = 4;
/// One tenant may use half as many threads as there are processors, and one at least.
const TENANT_DIVISOR: usize = 2;
/// Runs of one tenant that are under way or wait; further ones are turned away.
const WAITING_MAX: usize = 200;
/// Beyond the engine's own, for what runs on it natively.
const STACK_MARGIN_BYTES: usize = 1_024 * 1_024;
/// The engine looks at the clock between steps of a script. After this much longer a run inside one long step is left to
/// itself: it keeps its thread until it ends, and its caller is told that the time is over.
const GRACE: Duration = Duration::from_millis(500);

/// Runs functions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Transformer {
    limits: Limits,
    threads: Arc<Semaphore>,
    threads_of_tenant: usize,
    tenants: Arc<Mutex<HashMap<u128, Turns>>>,
}

/// A tenant's share.
#[derive(Debug)]
struct Turns {
    threads: Arc<Semaphore>,
    waiting: usize,
}

impl Transformer {
    /// Each run within these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = Arc::new(Semaphore::new(processors.saturating_mul(THREADS_FACTOR)));
        Self { limits, threads, threads_of_tenant: (processors / TENANT_DIVISOR).max(1), tenants: Arc::default() }
    }

    /// Waits for the tenant's turn, and runs `transform` of a script with a payload, which is JSON.
    ///
    /// # Errors
    /// The function gives no result within the limits, too many of the tenant's wait, or no thread can be had.
    pub async fn run(&self, tenant: u128, function: &str, payload: &str) -> Result<Transformed, TransformError> {
        let unavailable = |error: &dyn std::error::Error| TransformError::Unavailable(error.to_string());
        let place = self.enter(tenant)?;
        let turn = async {
            let turn = Arc::clone(&place.threads).acquire_owned().await?;
            Ok::<_, AcquireError>((turn, Arc::clone(&self.threads).acquire_owned().await?))
        };
        // Turns may be kept by runs that do not end.
        let turn = tokio::time::timeout(self.limits.time, turn).await.map_err(|_| TransformError::Crowded)?;
        let turn = turn.map_err(|error| unavailable(&error))?;
        let (answer, result) = oneshot::channel();
        let (function, payload, limits) = (function.to_string(), payload.to_string(), self.limits);
        let run = move || {
            let result = run(&function, &payload, &limits);
            drop(turn);
            // Nobody waits for the answer when the caller has gone.
            drop(answer.send(result));
        };
        let builder = thread::Builder::new().name("function".into());
        builder.stack_size(limits.stack_bytes + STACK_MARGIN_BYTES).spawn(run).map_err(|error| unavailable(&error))?;
        let result = tokio::time::timeout(limits.time + GRACE, result).await;
        drop(place);
        match result {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(unavailable(&error)),
            Err(_) => Err(TransformError::Time(limits.time)),
        }
    }

    fn enter(&self, tenant: u128) -> Result<Place, TransformError> {
        let mut tenants = lock(&self.tenants);
        let turns = tenants
            .entry(tenant)
            .or_insert_with(|| Turns { threads: Arc::new(Semaphore::new(self.threads_of_tenant)), waiting: 0 });
        if turns.waiting >= WAITING_MAX {
            return Err(TransformError::Crowded);
        }
        turns.waiting += 1;
        Ok(Place { tenant, threads: Arc::clone(&turns.threads), tenants: Arc::clone(&self.tenants) })
    }
}

/// One of those that are under way or wait; gone when dropped.
struct Place {
    tenant: u128,
    threads: Arc<Semaphore>,
    tenants: Arc<Mutex<HashMap<u128, Turns>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut tenants = lock(&self.tenants);
        if let Some(turns) = tenants.get_mut(&self.tenant) {
            turns.waiting -= 1;
            if turns.waiting == 0 && turns.threads.available_permits() > 0 {
                tenants.remove(&self.tenant);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn one_tenant_s_endless_functions_leave_threads_to_others() {
        let transformer = Transformer::new(Limits { time: Duration::from_millis(500), ..Limits::default() });
        let endless = || {
            let transformer = transformer.clone();
            tokio::spawn(async move { transformer.run(1, "function transform(p) { for (;;) {} }", "{}").await })
        };
        let hanging: Vec<_> = (0..WAITING_MAX).map(|_| endless()).collect();
        while lock(&transformer.tenants).get(&1).is_none_or(|turns| turns.waiting < WAITING_MAX) {
            tokio::task::yield_now().await;
        }
        assert_eq!(endless().await.unwrap(), Err(TransformError::Crowded));
        let fine = transformer.run(2, "function transform(p) { return p.a }", r#"{"a":1}"#).await;
        assert_eq!(fine.unwrap().payload, "1");
        // A single step of the engine that does not end: its caller is told in time, and others go on.
        let stuck = transformer.run(3, "function transform(p) { return new Array(2 ** 32 - 1).sort() }", "{}").await;
        assert_eq!(stuck, Err(TransformError::Time(transformer.limits.time)));
        let fine = transformer.run(2, "function transform(p) { return 2 }", "{}").await;
        assert_eq!(fine.unwrap().payload, "2");
        assert!(!lock(&transformer.tenants).contains_key(&2), "nothing is kept of who does not run anything");
        hanging.iter().for_each(tokio::task::JoinHandle::abort);
    }
}
