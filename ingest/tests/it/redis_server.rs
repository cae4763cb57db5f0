//! A Redis of the test's own, which it can stop and start again without losing what Redis confirmed.

use posthouse_jobs::queue::testing::free_port;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::program::{SOON, answers, eventually, find, spawn, terminate};

pub struct RedisServer {
    port: u16,
    folder: TempDir,
    child: Child,
    options: Vec<String>,
}

impl RedisServer {
    pub async fn start() -> Self {
        Self::start_with(&[], &[]).await
    }

    /// With more options and files that these name by `{folder}/`.
    pub async fn start_with(options: &[&str], files: &[(&str, &str)]) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let path = folder.path().display().to_string();
        let options: Vec<String> = options.iter().map(|option| option.replace("{folder}", &path)).collect();
        let child = Self::run(port, &folder, &options).await;
        Self { port, folder, child, options }
    }

    async fn run(port: u16, folder: &TempDir, options: &[String]) -> Child {
        let mut command = Command::new(find("redis-server"));
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ]);
        let child = spawn(command.arg("--dir").arg(folder.path()).args(options));
        eventually("Redis listens", SOON, async || answers(port).await).await;
        child
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub async fn stop(&mut self) {
        terminate(&mut self.child).await;
    }

    pub async fn resume(&mut self) {
        self.child = Self::run(self.port, &self.folder, &self.options).await;
    }
}
