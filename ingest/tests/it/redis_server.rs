//! A Redis of the test's own, which it can stop and start again without losing what Redis confirmed.

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::program::{SOON, answers, eventually, find, free_port, spawn, terminate};

pub struct RedisServer {
    port: u16,
    folder: TempDir,
    child: Child,
}

impl RedisServer {
    pub async fn start() -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let child = Self::run(port, &folder).await;
        Self { port, folder, child }
    }

    async fn run(port: u16, folder: &TempDir) -> Child {
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
        let child = spawn(command.arg("--dir").arg(folder.path()));
        eventually("Redis listens", SOON, async || answers(port).await).await;
        child
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub async fn stop(&mut self) {
        terminate(&mut self.child).await;
    }

    pub async fn resume(&mut self) {
        self.child = Self::run(self.port, &self.folder).await;
    }
}
