//! The receiver, in a process of its own so that what it costs is not the gateway's: it answers at once, or, below `/hang/`,
//! never, and keeps count of what arrived for which run and path, and how long after it was to be sent.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use crate::{http::Connection, latency::Percentiles, payload};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What arrived for one path of the current run.
#[derive(Default)]
struct Arrived {
    numbers: HashSet<u64>,
    duplicates: u64,
    micros: Vec<u32>,
}

#[derive(Default)]
struct State {
    run: u64,
    paths: HashMap<String, Arrived>,
    last_ns: u64,
}

/// What has arrived in a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Different events, each once per path.
    pub unique: u64,
    /// Further copies.
    pub duplicates: u64,
    /// When the last one arrived, since the epoch.
    pub last_ns: u64,
    /// From the time of sending to arrival.
    pub latency: Percentiles,
    /// The same of each path.
    pub paths: BTreeMap<String, Percentiles>,
}

/// The time since the epoch.
pub fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Receives until it is killed; prints its address first.
pub async fn serve(listen: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).await.context("bind the receiver")?;
    {
        use std::io::Write as _;
        let mut out = std::io::stdout();
        writeln!(out, "{}", listener.local_addr()?).and_then(|()| out.flush()).context("tell the address")?;
    }
    let state = Arc::new(Mutex::new(State::default()));
    loop {
        let (stream, _) = listener.accept().await.context("accept")?;
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            // A connection that ends badly is the sender's business.
            drop(answer(Connection::new(stream), &state).await);
        });
    }
}

async fn answer(mut connection: Connection, state: &Mutex<State>) -> Result<()> {
    while let Some(message) = connection.next().await? {
        if let Some(run) = message.second.strip_prefix("/_reset/") {
            *lock(state) = State { run: run.parse().context("run")?, ..State::default() };
            connection.write(OK).await?;
        } else if message.second == "/_stats" {
            let stats = serde_json::to_string(&lock(state).stats())?;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", stats.len());
            connection.write(format!("{head}{stats}").as_bytes()).await?;
        } else if message.second.starts_with("/hang/") {
            std::future::pending::<()>().await;
        } else {
            lock(state).note(message.second, &message.body);
            connection.write(OK).await?;
        }
    }
    Ok(())
}

impl State {
    fn note(&mut self, path: String, body: &[u8]) {
        let fields = ["run", "number", "at_ns"].map(|name| payload::read(body, name));
        let [Some(run), Some(number), Some(at_ns)] = fields else { return };
        if run != self.run {
            return;
        }
        let now = now_ns();
        self.last_ns = now;
        let arrived = self.paths.entry(path).or_default();
        if arrived.numbers.insert(number) {
            arrived.micros.push(u32::try_from(now.saturating_sub(at_ns) / 1_000).unwrap_or(u32::MAX));
        } else {
            arrived.duplicates += 1;
        }
    }

    fn stats(&self) -> Stats {
        let all = self.paths.values().flat_map(|arrived| arrived.micros.iter().copied()).collect();
        let paths = self.paths.iter().map(|(path, arrived)| (path.clone(), Percentiles::of(arrived.micros.clone())));
        Stats {
            unique: self.paths.values().map(|arrived| arrived.numbers.len() as u64).sum(),
            duplicates: self.paths.values().map(|arrived| arrived.duplicates).sum(),
            last_ns: self.last_ns,
            latency: Percentiles::of(all),
            paths: paths.collect(),
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The receiver's process; it ends with us.
pub struct Sink {
    /// Where it listens.
    pub address: SocketAddr,
    /// Held, because it ends with this.
    process: Child,
}

impl Sink {
    /// Starts this program again as a receiver.
    pub async fn start() -> Result<Self> {
        let program = std::env::current_exe().context("find this program")?;
        let mut command = Command::new(program);
        let mut process = command
            .args(["sink", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("start the receiver")?;
        let mut line = String::new();
        let output = process.stdout.take().context("the receiver's output")?;
        tokio::time::timeout(Duration::from_secs(10), BufReader::new(output).read_line(&mut line))
            .await
            .context("the receiver does not start")??;
        Ok(Self { address: line.trim().parse().context("the receiver's address")?, process })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id().unwrap_or(0)
    }

    /// Forgets everything and counts this run from now on.
    pub async fn reset(&self, run: u64) -> Result<()> {
        let request = format!("GET /_reset/{run} HTTP/1.1\r\nHost: sink\r\n\r\n");
        Connection::open(self.address).await?.call(request.as_bytes()).await.map(drop)
    }

    /// What has arrived since.
    pub async fn stats(&self) -> Result<Stats> {
        let mut connection = Connection::open(self.address).await?;
        connection.write(b"GET /_stats HTTP/1.1\r\nHost: sink\r\n\r\n").await?;
        let answer = connection.next().await?.context("no statistics")?;
        serde_json::from_slice(&answer.body).context("statistics")
    }
}
