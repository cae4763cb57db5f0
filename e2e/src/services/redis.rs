//! A private Redis with its append-only file on, that refuses writes rather than forget jobs.

use std::{
    net::Ipv4Addr,
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
    Certificates, READY_LIMIT, READY_POLL, SERVICE_ENDING,
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
    tls_port: Option<u16>,
    settings: Vec<String>,
}

impl Redis {
    /// Starts an empty Redis in `place`.
    ///
    /// # Errors
    /// Redis is missing or does not come up; the text has the end of its log.
    pub async fn start(place: Place) -> Result<Self> {
        let loopback = ["--bind", "127.0.0.1"].map(String::from);
        Self::start_with(place, loopback.into(), None).await
    }

    /// The same for a Redis that other hosts reach as well, without a password.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub async fn start_in_networks(place: Place) -> Result<Self> {
        let everywhere = ["--bind", "0.0.0.0", "--protected-mode", "no"].map(String::from);
        Self::start_with(place, everywhere.into(), None).await
    }

    /// The same for a Redis that speaks TLS on a port of its own, with whoever shows a certificate.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub async fn start_encrypted(place: Place, certificates: &Certificates) -> Result<Self> {
        let port = ports::free()?.port();
        let mut settings =
            ["--bind", "127.0.0.1", "--tls-auth-clients", "yes", "--tls-port"].map(String::from).to_vec();
        settings.push(port.to_string());
        let files = [
            ("--tls-cert-file", "redis.crt", &certificates.certificate),
            ("--tls-key-file", "redis.key", &certificates.key),
            ("--tls-ca-cert-file", "redis-clients.crt", &certificates.client_authority),
        ];
        for (setting, name, text) in files {
            settings.extend([setting.into(), place.write(name, text)?.display().to_string()]);
        }
        Self::start_with(place, settings, Some(port)).await
    }

    async fn start_with(place: Place, settings: Vec<String>, tls_port: Option<u16>) -> Result<Self> {
        let program = require(Program::REDIS)?;
        let data = place.folder("redis")?;
        let port = ports::free()?.port();
        let process = launch(&place, &program, &data, port, &settings)?;
        let mut redis = Self { place, program, data, port, tls_port, settings, process };
        redis.wait_until_ready().await?;
        Ok(redis)
    }

    /// Where it answers: by TLS if it speaks it.
    #[must_use]
    pub fn url(&self) -> String {
        match self.tls_port {
            Some(port) => format!("rediss://127.0.0.1:{port}"),
            None => self.url_at(Ipv4Addr::LOCALHOST),
        }
    }

    /// The same by another address of this machine, in the clear.
    #[must_use]
    pub fn url_at(&self, address: Ipv4Addr) -> String {
        format!("redis://{address}:{}", self.port)
    }

    /// The port on which it speaks TLS, if it does.
    #[must_use]
    pub fn tls_port(&self) -> Option<u16> {
        self.tls_port
    }

    /// Its port, where it speaks in the clear.
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
        self.process = launch(&self.place, &self.program, &self.data, self.port, &self.settings)?;
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

fn launch(place: &Place, program: &Found, data: &Path, port: u16, settings: &[String]) -> Result<Process> {
    let mut command = place.command(&program.path, SERVICE_ENDING);
    command.args(["--daemonize", "no", "--port"]).arg(port.to_string()).arg("--dir").arg(data).args(settings);
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
