//! Workers that vanish, and workers that only look as if they had.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use posthouse_jobs::queue::testing::TestQueues;

use crate::world::{Seen, Worker, counts, is_empty, settings, until, work};

#[tokio::test]
async fn the_jobs_of_a_worker_that_vanished_run_elsewhere() {
    let queues = TestQueues::new().await;
    let (lost, seen) = (Seen::default(), Seen::default());
    let noted = lost.clone();
    let vanishing = Worker::start(&queues, settings(), move |job| {
        noted.note(job.number);
        std::future::pending()
    });
    queues.push_all(&(0..50).map(work).collect::<Vec<_>>()).await.unwrap();
    lost.reach(50).await;
    let other = Worker::noting(&queues, settings(), &seen);
    until("a second worker", async || queues.view("work").workers().await.unwrap().len() == 2).await;
    vanishing.crash().await;
    let crashed = Instant::now();
    seen.reach(50).await;
    assert!(crashed.elapsed() < Duration::from_secs(30), "{:?}", crashed.elapsed());
    until("an empty queue", async || is_empty(&queues).await).await;
    let counts = counts(&queues).await;
    assert_eq!((counts.done, counts.taken_over, counts.failed), (50, 50, 0));
    other.stop().await;
    queues.close().await;
}

#[tokio::test]
async fn a_busy_worker_is_not_taken_for_dead() {
    let (queues, slow, seen) = (TestQueues::new().await, Seen::default(), Seen::default());
    let (mut few, noted) = (settings(), slow.clone());
    few.concurrency = 8;
    let lease = few.lease;
    let busy = Worker::start(&queues, few, move |job| {
        noted.note(job.number);
        async move {
            tokio::time::sleep(lease * 3).await;
            Ok(())
        }
    });
    queues.push_all(&(0..8).map(work).collect::<Vec<_>>()).await.unwrap();
    slow.reach(8).await;
    let other = Worker::noting(&queues, settings(), &seen);
    until("eight done", async || counts(&queues).await.done == 8).await;
    assert_eq!((slow.len(), seen.len(), counts(&queues).await.taken_over), (8, 0, 0));
    busy.stop().await;
    other.stop().await;
    queues.close().await;
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the thread is to be blocked")]
fn a_worker_that_was_taken_for_dead_acknowledges_nothing_and_comes_back() {
    let (stalled, resumed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    // A runtime of its own that stands still for longer than a lease, as under a stopped process.
    let stalling = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let watching = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (queues, seen) = (watching.block_on(TestQueues::new()), Seen::default());
    let (url, prefix) = (queues.url().to_string(), queues.prefix().to_string());
    let (has_stalled, may_resume) = (Arc::clone(&stalled), Arc::clone(&resumed));
    let frozen = std::thread::spawn(move || {
        stalling.block_on(async move {
            let queues = posthouse_jobs::Queues::connect(&url, &prefix).await.unwrap();
            let worker = Worker::start(&queues, settings(), move |_| {
                if !has_stalled.swap(true, Ordering::SeqCst) {
                    while !may_resume.load(Ordering::SeqCst) {
                        std::thread::sleep(Duration::from_millis(10));
                    }
                }
                async { Ok(()) }
            });
            until("the late worker's own job", async || queues.view("work").counts().await.unwrap().done >= 2).await;
            worker.stop().await;
        });
    });
    watching.block_on(async {
        queues.push(&work(1)).await.unwrap();
        until("a stall", async || stalled.load(Ordering::SeqCst)).await;
        let other = Worker::noting(&queues, settings(), &seen);
        seen.reach(1).await;
        until("one done", async || counts(&queues).await.done == 1).await;
        other.stop().await;
        resumed.store(true, Ordering::SeqCst);
        // It registers anew and takes jobs again; what it did under its old name counted for nothing.
        queues.push(&work(2)).await.unwrap();
        until("two done", async || counts(&queues).await.done == 2).await;
    });
    frozen.join().unwrap();
    watching.block_on(async {
        let counts = counts(&queues).await;
        assert_eq!((counts.done, counts.taken_over, counts.ready, counts.running), (2, 1, 0, 0));
        queues.close().await;
    });
}
