//! Redis servers of a test's own: started on free ports, killed at the end.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use posthouse_jobs::{
    Queues,
    queue::testing::{TestQueues, free_port},
};

use crate::world::PATIENCE;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A `redis-server` with an append-only file.
pub struct RedisServer {
    pub port: u16,
    folder: PathBuf,
    arguments: Vec<String>,
    process: Child,
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

    /// One that speaks TLS as well, on `tls_port`; others of its kind it speaks to by TLS alone.
    pub fn encrypted(files: &Path, tls_port: u16, arguments: &[&str]) -> Self {
        let tls = tls_settings(files, tls_port);
        let mut all: Vec<&str> = tls.iter().flat_map(|(name, value)| [*name, value.as_str()]).collect();
        all.extend(arguments);
        Self::with(&all)
    }

    /// A Sentinel that speaks TLS as well, and alone watches the server whose TLS port is `master`.
    pub fn encrypted_sentinel(files: &Path, tls_port: u16, master: u16) -> Self {
        let settings = tls_settings(files, tls_port).map(|(name, value)| format!("{} {value}", name.replace("--", "")));
        Self::sentinel_with(&format!("sentinel monitor orders 127.0.0.1 {master} 1\n{}", settings.join("\n")))
    }

    /// A Sentinel that watches the server at `master` under the name `orders`; two of them decide.
    pub fn sentinel(master: u16) -> Self {
        Self::sentinel_with(&format!("sentinel monitor orders 127.0.0.1 {master} 2"))
    }

    fn sentinel_with(watching: &str) -> Self {
        let (folder, port) = (new_folder(), free_port());
        let file = folder.join("sentinel.conf");
        let settings = [
            format!("port {port}\nbind 127.0.0.1\ndir {}", folder.display()),
            watching.to_owned(),
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

/// For the certificates in this folder.
fn tls_settings(files: &Path, tls_port: u16) -> [(&'static str, String); 7] {
    let file = |name: &str| files.join(name).display().to_string();
    [
        ("--tls-port", tls_port.to_string()),
        ("--tls-cert-file", file("server.pem")),
        ("--tls-key-file", file("server.key")),
        ("--tls-ca-cert-file", file("ca.pem")),
        ("--tls-auth-clients", "optional".into()),
        ("--tls-replication", "yes".into()),
        ("--tls-cluster", "yes".into()),
    ]
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
