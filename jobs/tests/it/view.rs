//! What operators see is what is there.

use chrono::{SubsecRound, TimeDelta, Utc};
use posthouse_jobs::queue::{JobState, testing::TestQueues};

use crate::world::{Seen, Worker, counts, named, settings, until, work};

#[tokio::test]
async fn jobs_are_found_in_the_place_where_they_are() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    let view = queues.view("work");
    let (mut one, noted) = (settings(), seen.clone());
    one.concurrency = 1;
    let worker = Worker::start(&queues, one, move |job| {
        noted.note(job.number);
        async { std::future::pending().await }
    });
    queues.push(&named(1, "running")).await.unwrap();
    seen.reach(1).await;
    for number in 0..30 {
        queues.push(&named(number, &format!("ready-{number:02}"))).await.unwrap();
    }
    let due = (Utc::now() + TimeDelta::hours(1)).trunc_subsecs(3);
    queues.push_at(&named(9, "delayed"), due).await.unwrap();
    let counts = counts(&queues).await;
    assert_eq!((counts.ready, counts.delayed, counts.running), (30, 1, 1));
    let pages = [view.page(JobState::Ready, 0, 20).await.unwrap(), view.page(JobState::Ready, 20, 20).await.unwrap()];
    let ids: Vec<String> = pages.iter().flatten().map(|job| job.id.clone()).collect();
    assert_eq!(ids, (0..30).map(|number| format!("ready-{number:02}")).collect::<Vec<_>>(), "in their order");
    let delayed = view.find("delayed").await.unwrap().unwrap();
    assert_eq!((delayed.state, delayed.due), (JobState::Delayed, Some(due)));
    let running = view.find("running").await.unwrap().unwrap();
    let [registered] = &view.workers().await.unwrap()[..] else { panic!("one worker") };
    assert_eq!((running.state, &running.leased.unwrap().0), (JobState::Running, &registered.name));
    assert_eq!((registered.concurrency, registered.running), (1, 1));
    assert_eq!(view.find("nothing").await.unwrap(), None);
    worker.crash().await;
    queues.close().await;
}

#[tokio::test]
async fn a_sample_tells_how_long_the_oldest_job_has_waited() {
    const WAIT: std::time::Duration = std::time::Duration::from_millis(20);
    let queues = TestQueues::new().await;
    let view = queues.view("work");
    let sample = view.sample().await.unwrap();
    assert_eq!((sample.oldest.as_millis(), sample.counts.ready, sample.is_paused), (0, 0, false));
    queues.push_at(&named(9, "delayed"), Utc::now() + TimeDelta::hours(1)).await.unwrap();
    assert!(view.sample().await.unwrap().oldest.is_zero(), "one whose time has not come waits for nobody");
    queues.push(&named(1, "lane-a|1")).await.unwrap();
    until("the job has waited", async || view.sample().await.unwrap().oldest > WAIT).await;
    queues.push(&named(2, "lane-b|1")).await.unwrap();
    view.pause().await.unwrap();
    let sample = view.sample().await.unwrap();
    assert!(sample.oldest > WAIT && sample.is_paused, "{sample:?}");
    assert_eq!((sample.counts.ready, sample.counts.delayed), (2, 1));
    queues.close().await;
}

/// What is due and not moved yet has waited since it was due.
#[tokio::test]
async fn a_sample_counts_overdue_jobs_from_when_they_were_due() {
    let queues = TestQueues::new().await;
    queues.push_at(&named(1, "overdue"), Utc::now() - TimeDelta::seconds(90)).await.unwrap();
    let oldest = queues.view("work").sample().await.unwrap().oldest;
    assert!(oldest.as_secs() >= 89, "{oldest:?}");
    queues.close().await;
}

#[tokio::test]
async fn queues_under_different_prefixes_know_nothing_of_each_other() {
    let (mine, other, seen) = (TestQueues::new().await, TestQueues::new().await, Seen::default());
    mine.push(&work(1)).await.unwrap();
    let worker = Worker::noting(&other, settings(), &seen);
    other.push(&work(2)).await.unwrap();
    seen.reach(1).await;
    until("one done", async || counts(&other).await.done == 1).await;
    assert_eq!((seen.numbers(), counts(&mine).await.ready), (vec![2], 1));
    worker.stop().await;
    mine.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_server_says_what_an_operator_has_to_know() {
    let queues = TestQueues::new().await;
    let servers = queues.servers().await.unwrap();
    assert_eq!(servers.len(), 1, "{servers:?}");
    let server = &servers[0];
    assert!(queues.url().contains(&server.address) && server.version.contains('.'), "{server:?}");
    assert!(!server.eviction_policy.is_empty() && server.memory_bytes > 0, "{server:?}");
    assert!(server.ahead.abs() < TimeDelta::hours(1) && server.now > Utc::now() - TimeDelta::hours(1), "{server:?}");
}
