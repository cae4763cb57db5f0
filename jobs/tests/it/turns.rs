//! Lanes take turns: whoever has pushed most waits longest, and nobody else waits with them.

use std::{sync::Arc, time::Duration};

use apalis_core::{error::BoxDynError, task::data::Data};
use chrono::Utc;
use posthouse_jobs::{
    Job, Reschedule,
    queue::{JobState, Places, run_worker, testing::TestQueues},
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::world::{Seen, Work, Worker, counts, is_empty, settings, until, work};

/// A job of [`Work`]'s queue that has a lane.
#[derive(Serialize, Deserialize)]
struct Of {
    number: u64,
    #[serde(skip)]
    lane: &'static str,
}

impl Job for Of {
    const QUEUE: &'static str = Work::QUEUE;

    fn lane(&self) -> Option<String> {
        Some(self.lane.into())
    }
}

fn of(lane: &'static str, numbers: std::ops::Range<u64>) -> Vec<Of> {
    numbers.map(|number| Of { number, lane }).collect()
}

#[tokio::test]
async fn a_lane_with_few_jobs_does_not_wait_for_one_with_many() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    queues.push_all(&of("many", 0..5_000)).await.unwrap();
    queues.push_all(&of("few", 10_000..10_010)).await.unwrap();
    queues.push_all(&(20_000..20_010).map(work).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(counts(&queues).await.ready, 5_020);
    let mut one = settings();
    (one.concurrency, one.batch) = (10, 10);
    let worker = Worker::noting(&queues, one, &seen);
    seen.reach(5_020).await;
    let order = seen.numbers();
    let last_of = |first: u64| order.iter().rposition(|number| (first..first + 10).contains(number)).unwrap();
    assert!(last_of(10_000) < 100 && last_of(20_000) < 100, "{} {}", last_of(10_000), last_of(20_000));
    let of_many: Vec<u64> = order.into_iter().filter(|number| *number < 5_000).collect();
    assert!(of_many.is_sorted(), "a lane keeps its order");
    until("an empty queue", async || is_empty(&queues).await).await;
    worker.stop().await;
    let keys = queues.keys().await;
    assert!(keys.iter().all(|key| key.ends_with(":stats")), "{keys:?}");
    queues.close().await;
}

#[tokio::test]
async fn what_comes_back_does_not_hold_up_first_tries() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    let due = Utc::now() + Duration::from_millis(500);
    let mut quick = settings();
    (quick.concurrency, quick.batch) = (100, 100);
    let noted = seen.clone();
    let putting_off = Worker::start(&queues, quick.clone(), move |job| {
        noted.note(job.number);
        async move { Err(Reschedule { due }.into()) }
    });
    queues.push_all(&of("one", 0..2_000)).await.unwrap();
    until("all are put off", async || counts(&queues).await.delayed == 2_000).await;
    putting_off.stop().await;
    until("their time", async || Utc::now() > due).await;
    queues.push_all(&of("one", 10_000..10_050)).await.unwrap();
    let seen = Seen::default();
    (quick.concurrency, quick.batch) = (10, 10);
    let worker = Worker::noting(&queues, quick, &seen);
    seen.reach(2_050).await;
    let order = seen.numbers();
    let last = order.iter().rposition(|number| *number >= 10_000).unwrap();
    assert!(last < 150, "{last}");
    until("an empty queue", async || is_empty(&queues).await).await;
    worker.stop().await;
    queues.close().await;
}

#[tokio::test]
async fn ready_jobs_are_paged_lane_by_lane_and_go_back_to_their_lane() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    queues.push_all(&of("a", 0..30)).await.unwrap();
    queues.push_all(&of("b", 30..60)).await.unwrap();
    let view = queues.view(Work::QUEUE);
    let numbers = async || {
        let mut numbers = Vec::new();
        for first in (0..60).step_by(7) {
            let page = view.page(JobState::Ready, first, 7).await.unwrap();
            numbers.extend(page.iter().map(|job| serde_json::from_slice::<Work>(&job.payload).unwrap().number));
        }
        numbers
    };
    assert!(numbers().await.into_iter().eq(0..60));
    let (mut few, noted) = (settings(), seen.clone());
    (few.concurrency, few.batch, few.drain) = (8, 8, Duration::ZERO);
    let stopping = Worker::start(&queues, few, move |job| {
        noted.note(job.number);
        async { std::future::pending().await }
    });
    seen.reach(8).await;
    stopping.stop().await;
    let mut back = numbers().await;
    assert_eq!(back.len(), 60);
    assert!(back.chunks(30).all(<[u64]>::is_sorted), "at the front of their lanes: {back:?}");
    back.sort_unstable();
    assert!(back.into_iter().eq(0..60));
    queues.close().await;
}

/// A job of another queue.
#[derive(Serialize, Deserialize)]
struct Quick {
    number: u64,
}

impl Job for Quick {
    const QUEUE: &'static str = "quick";
}

#[tokio::test]
async fn queues_that_share_places_do_not_shut_each_other_out() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    let [hanging, quick] = Places::shared(8, [3, 1]);
    let (begun, go_on) = (Seen::default(), Arc::new(Semaphore::new(0)));
    let mut of_hanging = settings();
    of_hanging.share = Some(hanging);
    let (noted, gate) = (begun.clone(), Arc::clone(&go_on));
    let worker = Worker::start(&queues, of_hanging, move |job| {
        noted.note(job.number);
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await?.forget();
            Ok(())
        }
    });
    let mut of_quick = settings();
    of_quick.share = Some(quick);
    let (stop, noted) = (CancellationToken::new(), seen.clone());
    let handler = move |job: Quick, _: Data<()>| {
        noted.note(job.number);
        async { Ok::<_, BoxDynError>(()) }
    };
    let running = tokio::spawn(run_worker((*queues).clone(), of_quick, (), handler, stop.clone()));

    queues.push_all(&(0..50).map(work).collect::<Vec<_>>()).await.unwrap();
    begun.reach(7).await;
    queues.push_all(&(0..200).map(|number| Quick { number }).collect::<Vec<_>>()).await.unwrap();
    seen.reach(200).await;
    assert_eq!(begun.len(), 7, "one of the eight places is kept for the other queue");
    assert_eq!(counts(&queues).await.ready, 43, "what has no place stays in Redis, for other workers");

    go_on.add_permits(50);
    begun.reach(50).await;
    until("an empty queue", async || is_empty(&queues).await).await;
    stop.cancel();
    running.await.unwrap();
    worker.stop().await;
    queues.close().await;
}
