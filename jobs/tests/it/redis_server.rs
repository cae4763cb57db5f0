//! Redis servers of a test's own: started on free ports, killed at the end.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use posthouse_jobs::{Queues, queue::testing::TestQueues};

use crate::world::PATIENCE;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A `redis-server` with an append-only file.
pub struct RedisServer {
    pub port: u16,
    folder: PathBuf,
    arguments: Vec<String>,
    process: Child,
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl RedisServer {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With further arguments.
    pub fn with(arguments: &[&str]) -> Self {
        let folder = new_folder();
        let port = free_port();
        let mut all: Vec<String> =
            ["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "always"]
                .map(String::from)
                .to_vec();
        all.extend(["--port".into(), port.to_string(), "--dir".into(), folder.to_str().unwrap().into()]);
        all.extend(arguments.iter().map(ToString::to_string));
        Self { port, process: spawn(&all), folder, arguments: all }
    }

    /// A Sentinel that watches the server at `master` under the name `orders`; two of them decide.
    pub fn sentinel(master: u16) -> Self {
        let (folder, port) = (new_folder(), free_port());
        let file = folder.join("sentinel.conf");
        let settings = [
            format!("port {port}\nbind 127.0.0.1\ndir {}", folder.display()),
            format!("sentinel monitor orders 127.0.0.1 {master} 2"),
            "sentinel down-after-milliseconds orders 500\nsentinel failover-timeout orders 3000\n".into(),
        ];
        std::fs::write(&file, settings.join("\n")).unwrap();
        let arguments = vec![file.to_str().unwrap().to_string(), "--sentinel".into()];
        Self { port, process: spawn(&arguments), folder, arguments }
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.process = spawn(&self.arguments);
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub async fn queues(&self) -> TestQueues {
        connect(&self.url()).await
    }

    /// Asks this server, by itself.
    pub async fn ask<T: redis::FromRedisValue>(&self, command: &str) -> redis::RedisResult<T> {
        let mut words = command.split(' ');
        let mut asked = redis::cmd(words.next().unwrap());
        for word in words {
            asked.arg(word);
        }
        let client = redis::Client::open(self.url())?;
        asked.query_async(&mut client.get_multiplexed_async_connection().await?).await
    }
}

/// Queues on a Redis that is still starting.
pub async fn connect(url: &str) -> TestQueues {
    let began = Instant::now();
    while let Err(error) = Queues::connect(url, "probe").await {
        assert!(began.elapsed() < PATIENCE, "{error}: {:?}", std::error::Error::source(&error));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    TestQueues::on(url).await
}

fn new_folder() -> PathBuf {
    let name = format!("redis-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn spawn(arguments: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command.args(arguments).stdout(Stdio::null()).spawn().expect("redis-server is installed by ./just services")
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Both may have happened already.
        let _killed = self.process.kill();
        let _reaped = self.process.wait();
        let _removed = std::fs::remove_dir_all(&self.folder);
    }
}
