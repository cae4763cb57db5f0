//! A Redis that goes away and comes back, and one that never answers.

use std::time::{Duration, Instant};

use posthouse_jobs::{QueueError, Queues};

use crate::{
    redis_server::RedisServer,
    world::{PATIENCE, Seen, Worker, counts, is_empty, settings, until, work},
};

#[tokio::test]
async fn a_worker_goes_on_when_its_redis_restarts_and_nothing_is_lost() {
    let mut redis = RedisServer::start();
    let (queues, seen) = (redis.queues().await, Seen::default());
    let mut settings = settings();
    settings.concurrency = 16;
    let noted = seen.clone();
    let worker = Worker::start(&queues, settings, move |job| {
        let noted = noted.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(2)).await;
            noted.note(job.number);
            Ok(())
        }
    });
    queues.push_all(&(0..2_000).map(work).collect::<Vec<_>>()).await.unwrap();
    seen.reach(200).await;
    redis.kill();
    tokio::time::sleep(Duration::from_millis(500)).await;
    redis.start_again();
    let restarted = Instant::now();
    let ran = seen.len();
    seen.reach(ran + 100).await;
    assert!(restarted.elapsed() < PATIENCE / 3, "{:?}", restarted.elapsed());
    until("an empty queue", async || is_empty(&queues).await).await;
    let mut numbers = seen.numbers();
    numbers.sort_unstable();
    numbers.dedup();
    assert!(numbers.into_iter().eq(0..2_000), "every job ran");
    assert_eq!(counts(&queues).await.done, 2_000, "and each was counted once");
    worker.stop().await;
}

#[tokio::test]
async fn a_push_to_a_redis_that_is_gone_fails_in_time_and_later_ones_arrive() {
    let mut redis = RedisServer::start();
    let queues = redis.queues().await;
    queues.push(&work(1)).await.unwrap();
    redis.kill();
    let began = Instant::now();
    let error = queues.push(&work(2)).await.unwrap_err();
    assert!(matches!(error, QueueError::Redis(_) | QueueError::Timeout(_)), "{error}");
    assert!(began.elapsed() < PATIENCE / 3, "{:?}", began.elapsed());
    redis.start_again();
    until("a push", async || queues.push(&work(3)).await.is_ok()).await;
    assert!(counts(&queues).await.ready >= 2, "what was accepted before is there");
}

#[tokio::test]
async fn a_redis_that_accepts_and_never_answers_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let began = Instant::now();
    assert!(Queues::connect(&url, "silent").await.is_err());
    assert!(began.elapsed() < PATIENCE / 3, "{:?}", began.elapsed());
}
