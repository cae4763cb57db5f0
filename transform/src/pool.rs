//! Functions run on threads of their own, a bounded number at once, so that none of them holds up a runtime. Tenants have
//! turns of their own, so that one's slow functions leave threads to the others.

use std::{
    num::NonZeroUsize,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use tokio::{sync::oneshot, time};

use crate::{
    error::TransformError,
    limits::Limits,
    run::Transformed,
    threads::{Run, Size, Threads},
};

/// Threads for each processor.
const THREADS_FACTOR: usize = 4;
/// One tenant may use half as many threads as there are processors, and one at least.
const TENANT_DIVISOR: usize = 2;
/// A thread ends that had nothing to do for so long.
const IDLE: Duration = Duration::from_secs(10);
/// The engine looks at the clock between steps of a script. After this much longer a run inside one long step is left to
/// itself: it keeps its thread until it ends, and its caller is told that the time is over.
const GRACE: Duration = Duration::from_millis(500);

/// Runs functions. Cheap to clone.
#[derive(Clone)]
pub struct Transformer {
    limits: Limits,
    threads: Arc<Threads>,
}

impl Transformer {
    /// Each run within these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let (threads, of_tenant) = (processors.saturating_mul(THREADS_FACTOR), (processors / TENANT_DIVISOR).max(1));
        Self::sized(limits, Size { threads, of_tenant, idle: IDLE })
    }

    fn sized(limits: Limits, size: Size) -> Self {
        Self { limits, threads: Arc::new(Threads::new(limits, size)) }
    }

    /// Waits for the tenant's turn, and runs `transform` of a script with a payload, which is JSON.
    ///
    /// # Errors
    /// The function gives no result within the limits, too many of the tenant's wait, or no thread can be had.
    pub async fn run(
        &self,
        tenant: u128,
        function: Arc<str>,
        payload: impl AsRef<str> + Send + 'static,
    ) -> Result<Transformed, TransformError> {
        let (answer, mut result) = oneshot::channel();
        let began = Arc::new(OnceLock::new());
        let run = Run { function, payload: Box::new(payload), began: Arc::clone(&began), answer };
        let _place = self.threads.enter(tenant, run)?;
        let answered = match time::timeout(self.limits.time, &mut result).await {
            Ok(answered) => answered,
            Err(_) => {
                // Threads may be kept by runs that do not end.
                let began = began.get().ok_or(TransformError::Crowded)?;
                let end = *began + self.limits.time + GRACE;
                let late = time::timeout_at(end.into(), result).await;
                late.map_err(|_| TransformError::Time(self.limits.time))?
            }
        };
        answered.unwrap_or_else(|error| Err(TransformError::Unavailable(error.to_string())))
    }
}

impl std::fmt::Debug for Transformer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transformer").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turns::RUNS_MAX;

    const SIZE: Size = Size { threads: 4, of_tenant: 1, idle: Duration::from_secs(60) };
    const ENDLESS: &str = "function transform(p) { for (;;) {} }";
    /// A single step of the engine that does not end.
    const STUCK: &str = "function transform(p) { return new Array(2 ** 32 - 1).sort() }";
    const SECOND: &str = "function transform(p) { return p.a }";

    fn limits() -> Limits {
        Limits { time: Duration::from_secs(2), ..Limits::default() }
    }

    async fn until(condition: impl Fn() -> bool) {
        while !condition() {
            tokio::task::yield_now().await;
        }
    }

    fn begin(
        transformer: &Transformer,
        tenant: u128,
        function: &str,
    ) -> tokio::task::JoinHandle<Result<Transformed, TransformError>> {
        let (transformer, function) = (transformer.clone(), Arc::from(function));
        tokio::spawn(async move { transformer.run(tenant, function, r#"{"a":1}"#).await })
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_tenant_s_endless_functions_leave_threads_to_others() {
        let transformer = Transformer::sized(limits(), SIZE);
        let hanging: Vec<_> = (0..RUNS_MAX).map(|_| begin(&transformer, 1, ENDLESS)).collect();
        until(|| transformer.threads.look(|turns, _| turns.of(1) == RUNS_MAX)).await;
        assert_eq!(begin(&transformer, 1, ENDLESS).await.unwrap(), Err(TransformError::Crowded));
        assert_eq!(begin(&transformer, 2, SECOND).await.unwrap().unwrap().payload, "1");
        let stuck = begin(&transformer, 3, STUCK).await.unwrap();
        assert_eq!(stuck, Err(TransformError::Time(limits().time)), "its caller is told in time");
        assert_eq!(begin(&transformer, 2, SECOND).await.unwrap().unwrap().payload, "1", "others go on");
        let waited = begin(&transformer, 3, SECOND).await.unwrap();
        assert_eq!(waited, Err(TransformError::Crowded), "its thread stays with its tenant");
        let mut ends = Vec::new();
        for hanging in hanging {
            ends.push(hanging.await.unwrap());
        }
        assert!(ends.contains(&Err(TransformError::Time(limits().time))));
        assert!(ends.contains(&Err(TransformError::Crowded)), "none waits for ever");
        until(|| transformer.threads.look(|turns, _| turns.of(1) + turns.of(2) == 0)).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_are_kept_and_so_many_at_most() {
        let transformer = Transformer::sized(limits(), SIZE);
        for _ in 0..20 {
            assert!(begin(&transformer, 1, SECOND).await.unwrap().is_ok());
        }
        assert_eq!(transformer.threads.look(|_, threads| threads), 1, "one after the other takes one thread");
        let many: Vec<_> = (0..200).map(|tenant| begin(&transformer, tenant, SECOND)).collect();
        for one in many {
            assert!(one.await.unwrap().is_ok());
        }
        let threads = transformer.threads.look(|_, threads| threads);
        assert!((1..=4).contains(&threads), "{threads} threads");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_without_work_end_and_others_follow() {
        let transformer = Transformer::sized(limits(), Size { idle: Duration::from_millis(5), ..SIZE });
        for _ in 0..3 {
            assert!(begin(&transformer, 1, SECOND).await.unwrap().is_ok());
            until(|| transformer.threads.look(|_, threads| threads) == 0).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_run_whose_caller_has_gone_is_not_begun() {
        let transformer = Transformer::sized(limits(), SIZE);
        let hanging = begin(&transformer, 1, ENDLESS);
        until(|| transformer.threads.look(|turns, _| turns.of(1) == 1 && turns.ready() == 0)).await;
        let gone = begin(&transformer, 1, SECOND);
        until(|| transformer.threads.look(|turns, _| turns.of(1) == 2)).await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        assert_eq!(transformer.threads.look(|turns, _| turns.of(1)), 1);
        assert_eq!(hanging.await.unwrap(), Err(TransformError::Time(limits().time)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_of_a_run_is_seen_by_the_next_on_its_thread() {
        let limits = Limits { memory_bytes: 8 * 1_024 * 1_024, ..limits() };
        let transformer = Transformer::sized(limits, SIZE);
        let changing = "
            leaked = 1; globalThis.held = [];
            for (const type of [Object, Array, Function, String, Number, Map, Promise, RegExp, Date, Error]) {
                type.prototype.leaked = 1; type.leaked = 1;
            }
            Array.prototype.map = JSON.stringify = Math.max = console.log = null;
            delete Array.prototype.filter; delete globalThis.Set;
            Object.defineProperty(Object.prototype, 'toJSON', {value: () => 'mine'});
            Object.freeze(Array.prototype);
            Promise.resolve().then(() => { later = 1 });
            new FinalizationRegistry(() => { later = 1 }).register({}, 1);
            function transform() { return {} }";
        let looking = "
            function transform() {
                const all = [Object, Array, Function, String, Number, Map, Promise, RegExp, Date, Error];
                console.log(typeof leaked, typeof held, typeof later, typeof Set, Object.isFrozen(Array.prototype));
                console.log(all.some(type => 'leaked' in type || 'leaked' in type.prototype), 'toJSON' in {});
                console.log([typeof [].map, typeof [].filter, typeof JSON.stringify, typeof Math.max].join());
                return Object.getOwnPropertyNames(globalThis).length;
            }";
        let fresh = begin(&transformer, 1, looking).await.unwrap().unwrap();
        assert_eq!(
            fresh.log,
            ["undefined undefined undefined function false", "false false", "function,function,function,function"]
        );
        for tenant in [1, 2] {
            assert_eq!(begin(&transformer, 1, changing).await.unwrap().unwrap().payload, r#""mine""#);
            assert_eq!(begin(&transformer, tenant, looking).await.unwrap(), Ok(fresh.clone()), "{tenant}");
        }
        // Nor what it took of memory and time.
        let greedy = "function transform() { globalThis.all = []; for (;;) all.push('x'.repeat(10000) + all.length) }";
        let much = "function transform() { return new ArrayBuffer(7 * 1024 * 1024).byteLength }";
        for _ in 0..3 {
            let error = begin(&transformer, 1, greedy).await.unwrap().unwrap_err();
            assert_eq!(error, TransformError::Memory(limits.memory_bytes));
            assert_eq!(begin(&transformer, 1, much).await.unwrap().unwrap().payload, "7340032");
        }
        assert_eq!(begin(&transformer, 1, ENDLESS).await.unwrap(), Err(TransformError::Time(limits.time)));
        assert_eq!(begin(&transformer, 1, looking).await.unwrap(), Ok(fresh));
        assert_eq!(transformer.threads.look(|_, threads| threads), 1);
    }
}
