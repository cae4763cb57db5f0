//! Work that costs a round trip, done for many callers at once. A batch is whatever waits when the previous one is done,
//! so its size follows the load. A lone caller is not held back; where many came at once, the next batch gathers for a
//! moment, because what a batch costs hardly depends on its size.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::sync::{Semaphore, mpsc, oneshot};

/// Callers that may wait; further ones wait for a place.
const WAITING_MAX: usize = 4_096;
/// A batch of this size shows load: the next one gathers.
const CROWD: usize = 8;
/// How long a batch gathers under load.
const GATHER: Duration = Duration::from_millis(10);

/// Why a caller got no answer: the work failed for its batch, or the process is stopping.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BatchError<E> {
    /// The work failed.
    #[error("{0}")]
    Failed(E),
    /// The batcher was dropped, or lost the answer to a panic.
    #[error("the batch was abandoned")]
    Abandoned,
}

type Waiting<T, R, E> = (T, oneshot::Sender<Result<R, E>>);

/// Gathers items into batches. Cheap to clone; the work ends when the last clone is dropped.
#[derive(Debug)]
pub struct Batcher<T, R, E> {
    waiting: mpsc::Sender<Waiting<T, R, E>>,
}

impl<T, R, E> Clone for Batcher<T, R, E> {
    fn clone(&self) -> Self {
        Self { waiting: self.waiting.clone() }
    }
}

/// How much of it happens at once.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// Items in one batch.
    pub items_max: usize,
    /// Batches under way at the same time.
    pub batches_max: usize,
}

impl<T: Send + 'static, R: Send + 'static, E: Clone + Send + 'static> Batcher<T, R, E> {
    /// A batcher whose `work` answers a batch with one result per item, in order, or with one error for all.
    pub fn new<F, W>(limits: BatchLimits, work: W) -> Self
    where
        W: Fn(Vec<T>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<R>, E>> + Send + 'static,
    {
        let (waiting, queue) = mpsc::channel(WAITING_MAX);
        tokio::spawn(gather(queue, limits, Arc::new(work)));
        Self { waiting }
    }

    /// Hands an item in and waits for its result.
    ///
    /// # Errors
    /// See [`BatchError`].
    pub async fn submit(&self, item: T) -> Result<R, BatchError<E>> {
        let (answer, result) = oneshot::channel();
        self.waiting.send((item, answer)).await.map_err(|_| BatchError::Abandoned)?;
        result.await.map_err(|_| BatchError::Abandoned)?.map_err(BatchError::Failed)
    }
}

async fn gather<T, R, E, F, W>(mut queue: mpsc::Receiver<Waiting<T, R, E>>, limits: BatchLimits, work: Arc<W>)
where
    T: Send + 'static,
    R: Send + 'static,
    E: Clone + Send + 'static,
    W: Fn(Vec<T>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Vec<R>, E>> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(limits.batches_max));
    let mut last = 0;
    loop {
        // The slot comes first: while all are busy, the queue fills and the next batch grows.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        if last >= CROWD && queue.len() < limits.items_max {
            tokio::time::sleep(GATHER).await;
        }
        let mut batch = Vec::new();
        if queue.recv_many(&mut batch, limits.items_max).await == 0 {
            return;
        }
        last = batch.len();
        let work = Arc::clone(&work);
        tokio::spawn(async move {
            let (items, answers): (Vec<T>, Vec<_>) = batch.into_iter().unzip();
            deliver(work(items).await, answers);
            drop(slot);
        });
    }
}

/// A caller that has gone away no longer wants its answer, so a failed send is no loss.
fn deliver<R, E: Clone>(results: Result<Vec<R>, E>, answers: Vec<oneshot::Sender<Result<R, E>>>) {
    match results {
        Ok(results) => answers.into_iter().zip(results).for_each(|(answer, result)| drop(answer.send(Ok(result)))),
        Err(error) => answers.into_iter().for_each(|answer| drop(answer.send(Err(error.clone())))),
    }
}

/// Works on a batch as a whole, or, where its content is refused, on each item alone: a row that cannot be written fails
/// by itself and holds up no other. One result per item, in order.
///
/// # Errors
/// The whole batch failed for a reason that is not its content.
pub async fn isolate<T, R, E, F>(
    items: Vec<T>,
    is_content: impl Fn(&E) -> bool,
    work: impl Fn(Vec<T>) -> F,
) -> Result<Vec<Result<R, Arc<E>>>, Arc<E>>
where
    T: Clone,
    F: Future<Output = Result<Vec<R>, E>>,
{
    match work(items.clone()).await {
        Ok(results) => Ok(results.into_iter().map(Ok).collect()),
        Err(error) if items.len() == 1 => Ok(vec![Err(Arc::new(error))]),
        Err(error) if is_content(&error) => {
            let mut results = Vec::with_capacity(items.len());
            for item in items {
                match work(vec![item]).await {
                    Ok(alone) => results.extend(alone.into_iter().map(Ok)),
                    Err(error) => results.push(Err(Arc::new(error))),
                }
            }
            Ok(results)
        }
        Err(error) => Err(Arc::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const LIMITS: BatchLimits = BatchLimits { items_max: 100, batches_max: 1 };

    #[tokio::test]
    async fn what_waits_together_is_worked_together() {
        let batches = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&batches);
        let batcher = Batcher::new(LIMITS, move |items: Vec<usize>| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::task::yield_now().await;
                Ok::<_, String>(items.into_iter().map(|item| item * 2).collect())
            }
        });
        let results = futures::future::join_all((0..100).map(|item| batcher.submit(item))).await;
        let results: Vec<usize> = results.into_iter().map(Result::unwrap).collect();
        assert_eq!(results, (0..100).map(|item| item * 2).collect::<Vec<_>>());
        assert!(batches.load(Ordering::Relaxed) < 10, "{} batches for 100 items", batches.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn a_failed_batch_fails_each_of_its_items() {
        let batcher = Batcher::new(LIMITS, |_: Vec<u8>| async { Err::<Vec<u8>, _>("no".to_string()) });
        let error = batcher.submit(1).await.unwrap_err();
        assert_eq!(error.to_string(), "no");
    }

    #[tokio::test]
    async fn one_bad_item_fails_alone() {
        let work = |items: Vec<u8>| async move { if items.contains(&3) { Err("three") } else { Ok(items) } };
        let results = isolate(vec![1, 2, 3, 4], |_| true, work).await.unwrap();
        assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false, true]);
        assert_eq!(*isolate(vec![1, 3], |_| false, work).await.unwrap_err(), "three");
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_and_not_a_hang() {
        let batcher = Batcher::new(LIMITS, |items: Vec<u8>| async move {
            assert!(items.is_empty(), "on purpose");
            Ok::<Vec<u8>, String>(items)
        });
        assert!(matches!(batcher.submit(1).await, Err(BatchError::Abandoned)));
    }
}
