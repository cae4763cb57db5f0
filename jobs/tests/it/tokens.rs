//! Counts that instances share: never more than the limit is given out, whoever asks.

use std::time::Duration;

use posthouse_jobs::queue::testing::TestQueues;

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn no_more_is_given_out_than_there_is() {
    let queues = TestQueues::new().await;
    let takers = (0..60).map(|_| {
        let queues = queues.queues();
        tokio::spawn(async move { queues.take_tokens("a", 1, MINUTE, 100, 3).await.unwrap() })
    });
    let granted: Vec<u64> = futures::future::join_all(takers).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(granted.iter().sum::<u64>(), 100);
    assert!(granted.iter().all(|granted| *granted <= 3));
    assert_eq!(queues.take_tokens("a", 1, MINUTE, 100, 3).await.unwrap(), 0);
    assert_eq!(queues.take_tokens("a", 2, MINUTE, 100, 3).await.unwrap(), 3, "another window");
    assert_eq!(queues.take_tokens("b", 1, MINUTE, 100, 3).await.unwrap(), 3, "another bucket");
    assert_eq!(queues.take_tokens("a", 1, MINUTE, 101, 3).await.unwrap(), 1, "a limit that has grown");
    assert_eq!(queues.take_tokens("a", 1, MINUTE, 50, 3).await.unwrap(), 0, "a limit that has shrunk");
    queues.close().await;
}
