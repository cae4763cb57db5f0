//! What becomes of a job by its handler's result, and of running jobs when a worker stops.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use apalis_core::error::RetryAfterError;
use chrono::{TimeDelta, Utc};
use posthouse_jobs::{Reschedule, queue::testing::TestQueues};

use crate::world::{PATIENCE, Seen, Worker, counts, is_empty, settings, until, work};

#[tokio::test]
async fn a_job_that_fails_runs_again_until_it_succeeds() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    let noted = seen.clone();
    let worker = Worker::start(&queues, settings(), move |job| {
        noted.note(job.number);
        let tries = noted.len();
        async move { if tries < 4 { Err("not yet".into()) } else { Ok(()) } }
    });
    queues.push(&work(1)).await.unwrap();
    seen.reach(4).await;
    until("an empty queue", async || is_empty(&queues).await).await;
    let counts = counts(&queues).await;
    assert_eq!((counts.done, counts.failed, counts.died), (1, 3, 0));
    worker.stop().await;
    queues.close().await;
}

#[tokio::test]
async fn a_handler_that_panics_fails_its_job_and_nothing_else() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    let noted = seen.clone();
    let worker = Worker::start(&queues, settings(), move |job| {
        noted.note(job.number);
        let again = noted.numbers().iter().filter(|number| **number == job.number).count() > 1;
        async move {
            assert!(again || job.number != 1, "as intended");
            Ok(())
        }
    });
    queues.push_all(&[work(1), work(2)]).await.unwrap();
    seen.reach(3).await;
    until("an empty queue", async || is_empty(&queues).await).await;
    assert_eq!((counts(&queues).await.done, counts(&queues).await.failed), (2, 1));
    worker.stop().await;
    queues.close().await;
}

#[tokio::test]
async fn a_handler_says_when_to_run_again() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    let noted = seen.clone();
    let worker = Worker::start(&queues, settings(), move |job| {
        noted.note(job.number);
        let runs = noted.len();
        async move {
            match runs {
                1 => Err(Reschedule { due: Utc::now() + TimeDelta::milliseconds(300) }.into()),
                2 => Err(RetryAfterError::new("busy", Duration::from_millis(300)).into()),
                _ => Ok(()),
            }
        }
    });
    let began = Instant::now();
    queues.push(&work(1)).await.unwrap();
    seen.reach(3).await;
    assert!(began.elapsed() >= Duration::from_millis(590), "{:?}", began.elapsed());
    until("an empty queue", async || is_empty(&queues).await).await;
    let counts = counts(&queues).await;
    assert_eq!((counts.done, counts.failed), (1, 1), "a reschedule is no failure");
    worker.stop().await;
    queues.close().await;
}

#[tokio::test]
async fn no_more_jobs_run_at_once_than_the_settings_say() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut settings = settings();
    settings.concurrency = 5;
    let (noted, running, peak) = (seen.clone(), Arc::clone(&now), Arc::clone(&most));
    let worker = Worker::start(&queues, settings, move |job| {
        let (noted, running, peak) = (noted.clone(), Arc::clone(&running), Arc::clone(&peak));
        async move {
            peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(5)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            noted.note(job.number);
            Ok(())
        }
    });
    queues.push_all(&(0..100).map(work).collect::<Vec<_>>()).await.unwrap();
    seen.reach(100).await;
    assert_eq!(most.load(Ordering::SeqCst), 5);
    worker.stop().await;
    queues.close().await;
}

#[tokio::test]
async fn a_worker_that_stops_finishes_what_runs_and_hands_back_the_rest() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    let mut settings = settings();
    (settings.concurrency, settings.drain) = (2, Duration::from_millis(500));
    let noted = seen.clone();
    let worker = Worker::start(&queues, settings, move |job| {
        noted.note(job.number);
        // One finishes within the drain time, the other does not.
        let wait = if job.number == 0 { Duration::from_millis(200) } else { Duration::from_mins(5) };
        async move {
            tokio::time::sleep(wait).await;
            Ok(())
        }
    });
    queues.push_all(&(0..10).map(work).collect::<Vec<_>>()).await.unwrap();
    seen.reach(2).await;
    let began = Instant::now();
    worker.stop().await;
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let counts = counts(&queues).await;
    assert_eq!((counts.done, counts.running, counts.failed), (1, 0, 0));
    assert_eq!(counts.ready, 9, "nothing waits for a lease to end");
    assert!(queues.view("work").workers().await.unwrap().is_empty());
    queues.close().await;
}

#[tokio::test]
async fn a_paused_queue_gives_out_nothing_until_it_is_resumed() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    let mut idle = settings();
    idle.poll = Duration::from_mins(1);
    let (view, worker) = (queues.view("work"), Worker::noting(&queues, idle, &seen));
    queues.push(&work(1)).await.unwrap();
    seen.reach(1).await;
    view.pause().await.unwrap();
    assert!(view.is_paused().await.unwrap());
    queues.push(&work(2)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((seen.len(), counts(&queues).await.ready), (1, 1));
    view.resume().await.unwrap();
    seen.reach(2).await;
    worker.stop().await;
    queues.close().await;
}
