//! Passes are for who shows their secret, for a while.

use std::time::Duration;

use posthouse_jobs::queue::{Pass, testing::TestQueues};
use serde::{Deserialize, Serialize};

use crate::world::until;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Visit {
    who: String,
}

impl Pass for Visit {
    const KIND: &'static str = "visit";
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Stay {
    who: String,
}

impl Pass for Stay {
    const KIND: &'static str = "stay";
}

const LONG: Duration = Duration::from_secs(600);

#[tokio::test]
async fn a_pass_is_read_as_what_it_is_and_taken_once() {
    let (queues, other) = (TestQueues::new().await, TestQueues::new().await);
    let ada = || Visit { who: "ada".into() };
    queues.keep_pass(b"hash", &ada(), LONG).await.unwrap();
    assert_eq!(queues.pass::<Visit>(b"hash").await.unwrap(), Some(ada()));
    assert_eq!(queues.pass::<Visit>(b"other").await.unwrap(), None);
    assert_eq!(queues.pass::<Stay>(b"hash").await.unwrap(), None, "another kind");
    assert_eq!(other.pass::<Visit>(b"hash").await.unwrap(), None, "another deployment");
    let takers = (0..8).map(|_| {
        let queues = queues.queues();
        tokio::spawn(async move { queues.take_pass::<Visit>(b"hash").await.unwrap() })
    });
    let taken = futures::future::join_all(takers).await.into_iter().filter_map(Result::unwrap);
    assert_eq!(taken.collect::<Vec<_>>(), [ada()]);
    assert_eq!(queues.pass::<Visit>(b"hash").await.unwrap(), None);
    assert_eq!(queues.keys().await, Vec::<String>::new());
    queues.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_pass_is_forgotten_when_its_time_is_over() {
    let queues = TestQueues::new().await;
    queues.keep_pass(b"hash", &Visit { who: "ada".into() }, Duration::from_millis(1)).await.unwrap();
    until("its end", async || queues.pass::<Visit>(b"hash").await.unwrap().is_none()).await;
    queues.close().await;
}
