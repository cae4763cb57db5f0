//! Enqueueing: at once, for a time, once per id, and what is left when all is done.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use posthouse_jobs::queue::testing::TestQueues;

use crate::world::{Seen, Work, Worker, counts, is_empty, named, settings, until, work};

#[tokio::test]
async fn every_job_runs_once_and_leaves_nothing_behind() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    let worker = Worker::noting(&queues, settings(), &seen);
    let jobs: Vec<Work> = (0..20_000).map(work).collect();
    assert_eq!(queues.push_all(&jobs).await.unwrap(), 20_000);
    seen.reach(20_000).await;
    until("an empty queue", async || is_empty(&queues).await).await;
    let mut numbers = seen.numbers();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..20_000), "each job ran exactly once");
    assert_eq!(counts(&queues).await.done, 20_000);
    worker.stop().await;
    // The counts alone stay.
    let keys = queues.keys().await;
    assert!(keys.iter().all(|key| key.ends_with(":stats")), "{keys:?}");
    queues.close().await;
}

#[tokio::test]
async fn a_job_pushed_to_an_idle_queue_starts_without_a_polling_sleep() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    let mut idle = settings();
    idle.poll = Duration::from_mins(1);
    let worker = Worker::noting(&queues, idle, &seen);
    queues.push(&work(0)).await.unwrap();
    seen.reach(1).await;
    for number in 1..=20 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let pushed = Instant::now();
        queues.push(&work(number)).await.unwrap();
        seen.reach(usize::try_from(number).unwrap() + 1).await;
        let (_, began) = seen.last().unwrap();
        // Without a wake it would be a minute.
        assert!(began.saturating_duration_since(pushed) < Duration::from_secs(30));
    }
    worker.stop().await;
    queues.close().await;
}

#[tokio::test]
async fn of_jobs_with_one_id_one_lives_at_a_time() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    assert!(queues.push(&named(1, "a")).await.unwrap());
    assert!(!queues.push(&named(2, "a")).await.unwrap());
    assert!(!queues.push_at(&named(3, "a"), Utc::now()).await.unwrap());
    assert_eq!(queues.push_all(&[named(4, "a"), named(5, "b"), named(6, "b")]).await.unwrap(), 1);
    let worker = Worker::noting(&queues, settings(), &seen);
    seen.reach(2).await;
    until("an empty queue", async || is_empty(&queues).await).await;
    assert_eq!(seen.numbers(), [1, 5]);
    // Once it is done, its id is free.
    assert!(queues.push(&named(7, "a")).await.unwrap());
    seen.reach(3).await;
    worker.stop().await;
    queues.close().await;
}

#[tokio::test]
async fn concurrent_pushes_share_calls_and_each_gets_its_own_answer() {
    let queues = TestQueues::new().await;
    let pushes = (0..2_000_u64).map(|number| {
        let queues = queues.queues();
        // Every id comes twice.
        tokio::spawn(async move { queues.push(&named(number, &(number / 2).to_string())).await.unwrap() })
    });
    let new = futures::future::join_all(pushes).await.into_iter().filter(|new| *new.as_ref().unwrap()).count();
    assert_eq!((new, counts(&queues).await.ready), (1_000, 1_000));
    queues.close().await;
}

#[tokio::test]
async fn a_job_for_a_time_does_not_run_before_it_nor_much_later() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    let mut idle = settings();
    idle.poll = Duration::from_mins(1);
    let worker = Worker::noting(&queues, idle, &seen);
    let (now, began) = (Utc::now(), Instant::now());
    for (number, wait) in [(3, 600), (1, 200), (2, 400)] {
        assert!(queues.push_at(&work(number), now + TimeDelta::milliseconds(wait)).await.unwrap());
    }
    assert_eq!(counts(&queues).await.delayed, 3);
    for (count, wait) in [(1, 200), (2, 400), (3, 600)] {
        seen.reach(count).await;
        let (number, at) = seen.last().unwrap();
        let after = at.duration_since(began);
        assert_eq!(usize::try_from(number).unwrap(), count);
        // The clocks of a test and of its Redis are the same; the bound above is for a machine under load.
        assert!(after >= Duration::from_millis(wait - 5) && after < Duration::from_millis(wait + 2_000), "{after:?}");
    }
    worker.stop().await;
    queues.close().await;
}
