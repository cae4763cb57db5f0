//! A private Redis with its append-only file on, on loopback only, that refuses writes rather than forget jobs.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    READY_LIMIT, READY_POLL, SERVICE_ENDING,
    account::Place,
    find::{Found, Program, require},
    loopback,
};
use crate::{ports, process::Process};

const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// A running private Redis.
#[derive(Debug)]
pub struct Redis {
    // First, so that it has ended when its place is removed.
    process: Process,
    place: Place,
    program: Found,
    data: PathBuf,
    port: u16,
}

impl Redis {
    /// Starts an empty Redis in `place`.
    ///
    /// # Errors
    /// Redis is missing or does not come up; the text has the end of its log.
    pub async fn start(place: Place) -> Result<Self> {
        let program = require(Program::REDIS)?;
        let data = place.folder("redis")?;
        let port = ports::free()?.port();
        let process = launch(&place, &program, &data, port)?;
        let mut redis = Self { place, program, data, port, process };
        redis.wait_until_ready().await?;
        Ok(redis)
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Such as `7.0.15`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.program.version
    }

    /// The process, to see whether it lives.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Stops it as an operator would; the data stays.
    ///
    /// # Errors
    /// It does not end in its time.
    pub async fn stop(&mut self) -> Result<()> {
        self.process.stop().await.map(|_| ())
    }

    /// Starts it again on the same data and port.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn resume(&mut self) -> Result<()> {
        self.process = launch(&self.place, &self.program, &self.data, self.port)?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let start = Instant::now();
        while !matches!(timeout(ANSWER_LIMIT, answers(self.port)).await, Ok(Ok(true))) {
            self.process.check_alive()?;
            if start.elapsed() > READY_LIMIT {
                bail!("Redis does not answer after {READY_LIMIT:?}; the end of its log:\n{}", self.process.log_tail());
            }
            tokio::time::sleep(READY_POLL).await;
        }
        Ok(())
    }
}

fn launch(place: &Place, program: &Found, data: &Path, port: u16) -> Result<Process> {
    let mut command = place.command(&program.path, SERVICE_ENDING);
    command.args(["--bind", "127.0.0.1", "--daemonize", "no", "--port"]).arg(port.to_string()).arg("--dir").arg(data);
    command.args([
        "--appendonly",
        "yes",
        "--appendfsync",
        "everysec",
        "--save",
        "",
        "--maxmemory-policy",
        "noeviction",
    ]);
    Process::start("Redis", command, &place.log("redis"), SERVICE_ENDING)
}

/// Whether it answers PONG; while it reads its file it answers with an error.
async fn answers(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(loopback(port)).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await?;
    Ok(&answer == b"+PONG\r\n")
}
