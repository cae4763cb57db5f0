//! Queues for tests: each has a prefix of its own and removes its keys at the end.

use std::{
    net::{Ipv4Addr, TcpListener},
    ops::Deref,
    sync::atomic::{AtomicU16, Ordering},
};

use chrono::Utc;
use redis::aio::ConnectionLike;
use serde::Serialize;
use ulid::Ulid;

use super::{Queues, frame};

/// Where [`free_port`] looks: below the range from which the system takes the near end of connections, so that a server that a
/// test stops finds its port free when it is started again.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

/// A port of 127.0.0.1 on which nobody listens at this moment, and which this process has not been given before.
///
/// # Panics
/// Every port is taken.
#[must_use]
pub fn free_port() -> u16 {
    let count = PORTS.end - PORTS.start;
    // Processes that run at the same time begin at places of their own.
    let first = std::process::id().wrapping_mul(997);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let ports = (0..count).map(|_| {
        let given = u32::from(NEXT_PORT.fetch_add(1, Ordering::Relaxed));
        let offset = first.wrapping_add(given) % u32::from(count);
        PORTS.start + u16::try_from(offset).expect("an offset is below the count")
    });
    let mut free = ports.filter(is_free);
    free.next().expect("a port is free")
}

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

    /// Leaves a dead letter in a queue, as a worker does that gives a job up.
    ///
    /// # Panics
    /// When Redis does not answer.
    pub async fn bury(&self, queue: &str, (id, reason): (&str, &str), payload: &impl Serialize) {
        let (keys, now) = (self.queues.view(queue).keys, Utc::now());
        let frame = frame::encode(payload, now).expect("a payload is JSON");
        let mut pipeline = redis::pipe();
        pipeline.cmd("HSET").arg(keys.dead_jobs()).arg(id).arg(frame).ignore();
        pipeline.cmd("HSET").arg(keys.dead_reasons()).arg(id).arg(format!("3|{reason}")).ignore();
        pipeline.cmd("ZADD").arg(keys.dead()).arg(now.timestamp_millis()).arg(id).ignore();
        let mut connection = self.queues.connection.link();
        let buried: redis::RedisResult<()> = pipeline.query_async(&mut connection).await;
        buried.expect("the test's Redis answers");
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
