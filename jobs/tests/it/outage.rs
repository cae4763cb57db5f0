//! A Redis that goes away and comes back, and one that never answers.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use posthouse_jobs::{QueueError, Queues, queue::testing::TestQueues};

use crate::world::{PATIENCE, Seen, Worker, counts, is_empty, settings, until, work};

/// A Redis of the test's own, with an append-only file.
struct OwnRedis {
    port: u16,
    folder: PathBuf,
    process: Child,
}

impl OwnRedis {
    fn start(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { port, process: Self::spawn(port, &folder), folder }
    }

    fn spawn(port: u16, folder: &PathBuf) -> Child {
        Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed by ./just services")
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.process = Self::spawn(self.port, &self.folder);
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn queues(&self) -> TestQueues {
        let began = Instant::now();
        while let Err(error) = Queues::connect(&self.url(), "probe").await {
            assert!(began.elapsed() < PATIENCE, "{error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        TestQueues::on(&self.url()).await
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        // Both may have happened already.
        let _killed = self.process.kill();
        let _reaped = self.process.wait();
        let _removed = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
async fn a_worker_goes_on_when_its_redis_restarts_and_nothing_is_lost() {
    let mut redis = OwnRedis::start("restarting-redis");
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
    assert!(restarted.elapsed() < Duration::from_secs(5), "{:?}", restarted.elapsed());
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
    let mut redis = OwnRedis::start("vanishing-redis");
    let queues = redis.queues().await;
    queues.push(&work(1)).await.unwrap();
    redis.kill();
    let began = Instant::now();
    let error = queues.push(&work(2)).await.unwrap_err();
    assert!(matches!(error, QueueError::Redis(_) | QueueError::Timeout(_)), "{error}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
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
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
