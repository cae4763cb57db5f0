//! Jobs that cannot succeed: why, how they are looked at, and how they get another life.

use apalis_core::error::AbortError;
use chrono::{TimeDelta, Utc};
use posthouse_jobs::{
    Job as _,
    queue::{Redriven, testing::TestQueues},
};

use crate::world::{Seen, Work, Worker, counts, is_empty, named, settings, until, work};

#[tokio::test]
async fn a_job_that_keeps_failing_is_a_dead_letter_with_its_reason() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    let mut few = settings();
    few.max_attempts = 3;
    let noted = seen.clone();
    let worker = Worker::start(&queues, few, move |job| {
        noted.note(job.number);
        async { Err("the disk is full".into()) }
    });
    queues.push(&named(1, "a")).await.unwrap();
    until("a dead letter", async || counts(&queues).await.dead == 1).await;
    let letter = queues.view(Work::QUEUE).dead_letter("a").await.unwrap().unwrap();
    assert_eq!((letter.tries, letter.reason.as_str()), (3, "the disk is full"));
    assert_eq!(serde_json::from_slice::<Work>(&letter.payload).unwrap(), named(1, "a"));
    assert_eq!((seen.len(), counts(&queues).await.died, counts(&queues).await.failing), (3, 1, 0));
    worker.stop().await;
    queues.close().await;
}

#[tokio::test]
async fn a_payload_that_cannot_be_read_is_a_dead_letter_and_the_queue_goes_on() {
    /// The same queue as an older or a newer release knew it.
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Foreign {
        other: String,
    }
    impl posthouse_jobs::Job for Foreign {
        const QUEUE: &'static str = Work::QUEUE;
    }
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    let worker = Worker::noting(&queues, settings(), &seen);
    queues.push(&Foreign { other: "kept".into() }).await.unwrap();
    queues.push(&work(2)).await.unwrap();
    seen.reach(1).await;
    until("a dead letter", async || counts(&queues).await.dead == 1).await;
    let [letter] = &queues.view(Work::QUEUE).dead_letters(0, 10).await.unwrap()[..] else { panic!("one letter") };
    assert!(letter.reason.contains("number"), "{}", letter.reason);
    assert_eq!(letter.payload, br#"{"other":"kept"}"#);
    worker.stop().await;
    queues.close().await;
}

#[tokio::test]
async fn letters_are_listed_redriven_and_purged() {
    let (queues, seen) = (TestQueues::new().await, Seen::default());
    let (view, noted) = (queues.view(Work::QUEUE), seen.clone());
    let worker = Worker::start(&queues, settings(), move |job| {
        noted.note(job.number);
        let again = noted.numbers().iter().filter(|number| **number == job.number).count() > 1;
        async move { if again { Ok(()) } else { Err(AbortError::new(format!("no {}", job.number)).into()) } }
    });
    let jobs: Vec<Work> = (0..1_200).map(|number| named(number, &format!("job-{number:04}"))).collect();
    queues.push_all(&jobs).await.unwrap();
    until("1,200 dead letters", async || counts(&queues).await.dead == 1_200).await;
    let mut listed: Vec<String> = Vec::new();
    while let page = view.dead_letters(listed.len(), 500).await.unwrap()
        && !page.is_empty()
    {
        listed.extend(page.into_iter().map(|letter| letter.id));
    }
    listed.sort_unstable();
    assert!(listed.iter().eq(jobs.iter().filter_map(|job| job.id.as_ref())), "each is listed once, page by page");
    assert_eq!(view.redrive("job-0000").await.unwrap(), Redriven::Ready);
    assert_eq!(view.redrive("nothing").await.unwrap(), Redriven::Missing);
    assert!(view.discard("job-1199").await.unwrap() && !view.discard("job-1199").await.unwrap());
    assert_eq!(view.dead_letter("job-1199").await.unwrap(), None, "nothing of it is left");
    assert_eq!(view.redrive_all(|letter| letter.id.ends_with('7')).await.unwrap(), 120);
    until("the redriven ones", async || counts(&queues).await.done == 121).await;
    assert_eq!(counts(&queues).await.dead, 1_200 - 122);
    let (died, long_ago) = (1_200 - 122, Utc::now() - TimeDelta::days(1));
    assert_eq!(view.trim_dead(long_ago, 10_000).await.unwrap(), 0, "none is too old, and none too many");
    let oldest = view.dead_letters(died - 1, 1).await.unwrap().remove(0);
    assert_eq!(view.trim_dead(long_ago, 1_000).await.unwrap(), 78);
    assert_eq!(view.dead_letter(&oldest.id).await.unwrap(), None, "the oldest give way");
    let newest = view.dead_letters(0, 1).await.unwrap().remove(0);
    view.trim_dead(newest.died_at, 10_000).await.unwrap();
    let left = counts(&queues).await.dead;
    assert!(view.dead_letters(0, 500).await.unwrap().iter().all(|letter| letter.died_at == newest.died_at));
    // A letter whose id lives again stays where it is.
    view.pause().await.unwrap();
    assert!(queues.push(&named(9_999, &newest.id)).await.unwrap());
    assert_eq!(view.redrive(&newest.id).await.unwrap(), Redriven::Alive);
    assert_eq!(view.purge_dead().await.unwrap(), left);
    view.resume().await.unwrap();
    // The late one is a first try and dies: the only letter now.
    until("the late one", async || counts(&queues).await.dead == 1).await;
    assert_eq!(view.purge_dead().await.unwrap(), 1);
    until("an empty queue", async || is_empty(&queues).await).await;
    worker.stop().await;
    queues.close().await;
}
