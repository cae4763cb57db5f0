//! The gateway that is measured: all roles with a PostgreSQL and a Redis of their own, as `just up --release --bare`
//! starts them, and what they have used so far.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use posthouse_e2e::{client::Client, database::Database};
use posthouse_jobs::Queues;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::{
    processes::{Snapshot, Usage, role},
    redis_info,
    sink::Sink,
};

/// What its keys begin with where nothing else is set.
const PREFIX: &str = "posthouse";
const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// A gateway to measure.
pub struct Gateway {
    /// Where its API listens.
    pub api: SocketAddr,
    /// Where its job board listens.
    pub board: SocketAddr,
    /// Creates what a case needs.
    pub client: Client,
    /// The project.
    pub project: String,
    /// Its key.
    pub key: String,
    parts: BTreeMap<String, Vec<u32>>,
    redis_url: String,
    database_url: String,
    started: Option<Child>,
}

/// What the gateway's parts have used, and done, since they began.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Each role, `postgres` and `redis`.
    pub parts: BTreeMap<String, Usage>,
    /// Commands that Redis ran, those of scripts included.
    pub redis_commands: u64,
    /// Transactions of PostgreSQL, each at least one statement.
    pub transactions: u64,
}

impl Gateway {
    /// Starts everything in `folder`.
    pub async fn start(folder: &Path) -> Result<Self> {
        Self::start_traced(folder, None).await
    }

    /// The same with traces that go to this collector, if there is one.
    pub async fn start_traced(folder: &Path, collector: Option<&Sink>) -> Result<Self> {
        let file = folder.join("run.env");
        // An earlier run may have been killed, and have left its own.
        drop(std::fs::remove_file(&file));
        let program = std::env::current_exe().context("find this program")?.with_file_name("posthouse-demo");
        let mut command = Command::new(program);
        command.arg("--folder").arg(folder).args(["up", "--bare"]);
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        if let Some(collector) = collector {
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector.address));
        }
        let log = std::fs::File::create(folder.join("up.log")).context("write up.log")?;
        let child = command.stdout(log.try_clone()?).stderr(log).kill_on_drop(true).spawn();
        let mut child = child.context("start posthouse-demo; `just bench` builds it")?;
        let began = std::time::Instant::now();
        while !file.exists() {
            if let Some(status) = child.try_wait()? {
                bail!("posthouse-demo ended ({status}); see {}", folder.join("up.log").display());
            }
            if began.elapsed() > START_LIMIT {
                bail!("posthouse-demo does not start; see {}", folder.join("up.log").display());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut gateway = Self::attach(&file)?;
        gateway.started = Some(child);
        Ok(gateway)
    }

    /// A gateway that runs already, by its `run.env`.
    pub fn attach(run_env: &PathBuf) -> Result<Self> {
        let text = std::fs::read_to_string(run_env).with_context(|| format!("read {}", run_env.display()))?;
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let values: HashMap<&str, &str> = pairs.map(|(name, value)| (name, value.trim_matches('\''))).collect();
        let value = |name: &str| values.get(name).copied().with_context(|| format!("{name} is missing in run.env"));
        let (url, project, key) = (value("POSTHOUSE_URL")?, value("POSTHOUSE_PROJECT")?, value("POSTHOUSE_API_KEY")?);
        let mut parts: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for id in value("POSTHOUSE_PIDS")?.split(',').filter_map(|id| id.parse().ok()) {
            parts.entry(role(id).with_context(|| format!("no role runs as {id}"))?).or_default().push(id);
        }
        for (part, name) in [("postgres", "PG_PID"), ("redis", "REDIS_PID")] {
            parts.insert(part.into(), value(name)?.parse().into_iter().collect());
        }
        let address = |name: &str| -> Result<SocketAddr> {
            value(name)?.strip_prefix("http://").and_then(|address| address.parse().ok()).context(name.to_string())
        };
        Ok(Self {
            api: address("POSTHOUSE_URL")?,
            board: address("POSTHOUSE_BOARD_URL")?,
            client: Client::new(url, project, key)?,
            project: project.into(),
            key: key.into(),
            parts,
            redis_url: value("REDIS_URL")?.into(),
            database_url: value("DATABASE_URL")?.into(),
            started: None,
        })
    }

    /// Its queues.
    pub async fn queues(&self) -> Result<Queues> {
        Queues::connect(&self.redis_url, PREFIX).await.context("connect to Redis")
    }

    /// Its PostgreSQL.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// What it has used and done until now.
    pub async fn account(&self) -> Result<Account> {
        let usage = self.usage();
        Ok(Account {
            parts: usage,
            redis_commands: redis_info::number(&self.redis_url, "stats", "total_commands_processed").await?,
            transactions: transactions(&self.database_url).await?,
        })
    }

    /// CPU time and memory of each part.
    pub fn usage(&self) -> BTreeMap<String, Usage> {
        let snapshot = Snapshot::take();
        self.parts.iter().map(|(part, ids)| (part.clone(), snapshot.usage(ids))).collect()
    }

    /// Stops everything that was started.
    pub async fn stop(mut self) -> Result<()> {
        let Some(mut child) = self.started.take() else { return Ok(()) };
        if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            kill_process(id, Signal::INT).context("stop posthouse-demo")?;
        }
        tokio::time::timeout(STOP_LIMIT, child.wait()).await.context("posthouse-demo does not stop")??;
        Ok(())
    }
}

impl Account {
    /// What was used and done since `before`; memory as it is now.
    pub fn since(&self, before: &Self) -> Self {
        let parts = self.parts.iter().map(|(part, now)| {
            let cpu = now.cpu.saturating_sub(before.parts.get(part).map_or(Duration::ZERO, |usage| usage.cpu));
            (part.clone(), Usage { cpu, ..*now })
        });
        Self {
            parts: parts.collect(),
            redis_commands: self.redis_commands.saturating_sub(before.redis_commands),
            transactions: self.transactions.saturating_sub(before.transactions),
        }
    }

    /// CPU time of all parts together.
    pub fn cpu(&self) -> Duration {
        self.parts.values().map(|usage| usage.cpu).sum()
    }
}

/// Resident memory of the roles, without PostgreSQL and Redis.
pub fn memory_of_roles(usage: &BTreeMap<String, Usage>) -> u64 {
    let roles = usage.iter().filter(|(part, _)| !matches!(part.as_str(), "postgres" | "redis"));
    roles.map(|(_, usage)| usage.resident_bytes).sum()
}

async fn transactions(url: &str) -> Result<u64> {
    // PostgreSQL tells its numbers about a second late.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let database = Database::open(url).await?;
    let query = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    let row = database.client.query_one(query, &[]).await.context("read PostgreSQL's numbers")?;
    database.close().await?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
}
