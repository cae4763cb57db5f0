//! The processes of the measurement, which end with it.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
    time::timeout,
};

const START_LIMIT: Duration = Duration::from_secs(10);
const HOLD_LIMIT: Duration = Duration::from_secs(120);
/// Longer than tunnels are held.
const IDLE_TIMEOUT: &str = "10m";

/// A process that listens.
pub struct Part {
    pub address: SocketAddr,
    process: Child,
}

impl Part {
    /// This program again, as one of the ends.
    pub async fn end(name: &str, flags: &[String]) -> Result<Self> {
        let (process, mut output) = this_program(name, flags)?;
        let line = timeout(START_LIMIT, output.next_line()).await.context("it does not start")??;
        Ok(Self { address: line.context("it says nothing")?.parse().context("its address")?, process })
    }

    /// The proxy with its defaults, but for where connections may go and how long they are idle.
    pub async fn egress(folder: &Path, log: &str) -> Result<Self> {
        let program = std::env::current_exe().context("find this program")?.with_file_name("posthouse-egress");
        let (address, probes) = (posthouse_e2e::ports::free()?, posthouse_e2e::ports::free()?);
        let log = std::fs::File::create(folder.join(log)).context("make the log")?;
        let process = Command::new(program)
            .args(["--listen", &address.to_string(), "--probe-listen", &probes.to_string()])
            .args(["--allow", "127.0.0.0/8", "--idle-timeout", IDLE_TIMEOUT, "--max-tunnels", "100000"])
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("start the proxy")?;
        let listens = async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(START_LIMIT, listens).await.context("the proxy does not start")?;
        Ok(Self { address, process })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id().unwrap_or(0)
    }
}

/// A process that holds tunnels.
pub struct Holder {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Holder {
    /// Comes back when all tunnels are open.
    pub async fn start(proxy: SocketAddr, to: SocketAddr, count: usize) -> Result<Self> {
        let flags = ["--proxy", &proxy.to_string(), "--to", &to.to_string(), "--count", &count.to_string()];
        let (process, output) = this_program("hold", &flags.map(String::from))?;
        let mut holder = Self { process, output };
        let held = holder.number().await?;
        ensure!(held == count as u64, "{held} of {count} tunnels are open");
        Ok(holder)
    }

    /// Ends them; how many were alive.
    pub async fn finish(mut self) -> Result<u64> {
        self.process.stdin.take().context("its input")?.write_all(b"\n").await?;
        self.number().await
    }

    async fn number(&mut self) -> Result<u64> {
        let line = timeout(HOLD_LIMIT, self.output.next_line()).await.context("it takes too long")??;
        line.context("it says nothing")?.parse().context("a number")
    }
}

fn this_program(end: &str, flags: &[String]) -> Result<(Child, Lines<BufReader<ChildStdout>>)> {
    let program = std::env::current_exe().context("find this program")?;
    let mut process = Command::new(program)
        .args(["egress-end", end])
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("start {end}"))?;
    let output = process.stdout.take().context("its output")?;
    Ok((process, BufReader::new(output).lines()))
}
