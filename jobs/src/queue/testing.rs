//! Queues for tests: each has a prefix of its own and removes its keys at the end.

use std::ops::Deref;

use redis::aio::ConnectionLike;
use ulid::Ulid;

use super::Queues;

/// Queues of one test on the Redis of `POSTHOUSE_TEST_REDIS_URL`.
pub struct TestQueues {
    queues: Queues,
    url: String,
    prefix: String,
}

impl Deref for TestQueues {
    type Target = Queues;

    fn deref(&self) -> &Queues {
        &self.queues
    }
}

impl TestQueues {
    /// Fresh queues.
    ///
    /// # Panics
    /// Without `POSTHOUSE_TEST_REDIS_URL`, or when Redis does not answer.
    pub async fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "tests are told by the environment where their services are")]
        let url = std::env::var("POSTHOUSE_TEST_REDIS_URL")
            .expect("POSTHOUSE_TEST_REDIS_URL is not set; run the tests with ./just test");
        Self::on(&url).await
    }

    /// Fresh queues on a Redis that the test has started itself.
    ///
    /// # Panics
    /// When Redis does not answer.
    pub async fn on(url: &str) -> Self {
        let prefix = format!("test-{}", Ulid::generate());
        let queues = Queues::connect(url, &prefix).await.expect("the test's Redis answers");
        Self { queues, url: url.to_owned(), prefix }
    }

    /// The queues, for code that keeps them.
    #[must_use]
    pub fn queues(&self) -> Queues {
        self.queues.clone()
    }

    /// Where Redis is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The prefix of the test's keys.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The names of all keys that the test has in Redis.
    ///
    /// # Panics
    /// When Redis does not answer.
    pub async fn keys(&self) -> Vec<String> {
        let mut connection = self.queues.connection.link();
        let (mut cursor, mut keys) = (0_u64, Vec::new());
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("{{{}:*", self.prefix)).arg("COUNT").arg(1_000);
            let (next, found): (u64, Vec<String>) =
                scan.query_async(&mut connection).await.expect("the test's Redis answers");
            keys.extend(found);
            if next == 0 {
                return keys;
            }
            cursor = next;
        }
    }

    /// Removes every key of a queue, as a Redis that lost its data would, and tells how many there were.
    ///
    /// # Panics
    /// When Redis does not answer.
    pub async fn lose(&self, queue: &str) -> usize {
        let mut connection = self.queues.connection.link();
        let of_queue = self.keys().await.into_iter().filter(|key| key.contains(&format!(":{queue}}}:")));
        let mut lost = 0;
        for key in of_queue.filter(|key| !key.contains("worker")) {
            remove(&mut connection, &key).await;
            lost += 1;
        }
        lost
    }

    /// Removes the test's keys.
    ///
    /// # Panics
    /// When Redis does not answer.
    pub async fn close(self) {
        let mut connection = self.queues.connection.link();
        for key in self.keys().await {
            remove(&mut connection, &key).await;
        }
    }
}

async fn remove(connection: &mut (impl ConnectionLike + Send), key: &str) {
    let removed: redis::RedisResult<()> = redis::cmd("UNLINK").arg(key).query_async(connection).await;
    removed.expect("the test's Redis answers");
}
