//! How many messages of a broker one instance of ingest brings into Redis on one core, and what memory it takes for that: the
//! real program, kept on one core, finds a broker that is full.

mod publish;
mod servers;

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use posthouse_e2e::{
    database::Database,
    folder::RunFolder,
    ports,
    role::{binaries, binary},
    services::Durability,
    stage::{Given, Stage},
};
use posthouse_schema::{
    ids::{OrganisationId, ProjectId, SourceId},
    migrations,
};
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use self::servers::Server;
use crate::{
    http::Connection,
    processes::Snapshot,
    progress::Progress,
    redis_info,
    table::{Goal, Row},
};

/// The core that ingest has for itself, as far as the system gives it.
const CORE: &str = "0";
const PREFIX: &str = "bench";
const READY_LIMIT: Duration = Duration::from_secs(60);
const DRAIN_LIMIT: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(20);

/// A kind of broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// MQTT with QoS 1.
    Mqtt,
    Amqp,
    Kafka,
    Nats,
    /// Redis Streams.
    Redis,
}

/// Measures these brokers, or all.
pub async fn measure(folder: &Path, only: &[Case], messages: u64) -> Result<Vec<Row>> {
    let jars = std::env::current_dir().context("find the folder")?.join(".tools/kafka/jars");
    let folder = RunFolder::create(folder, "ingest")?;
    let given = Given { database_url: None, redis_url: None };
    let stage = Stage::start(&folder, given, Durability::Full).await?;
    migrations::run(stage.database_url()).await.context("migrate the database")?;
    let project = project(stage.database_url()).await?;
    let mut rows = Vec::new();
    for case in Case::value_variants() {
        if only.is_empty() || only.contains(case) {
            let server = Server::start(*case, &folder.data().join("brokers"), &jars).await?;
            let measured = one(*case, &server, &stage, (project, messages), folder.logs()).await;
            rows.extend(measured.with_context(|| format!("{case:?}"))?);
            redis_info::ask::<String>(stage.redis_url(), &["FLUSHALL"]).await?;
        }
    }
    stage.stop().await?;
    Ok(rows)
}

async fn one(
    case: Case,
    server: &Server,
    stage: &Stage,
    (project, messages): (ProjectId, u64),
    logs: &Path,
) -> Result<Vec<Row>> {
    publish::prepare(case, server).await?;
    let source = source(stage.database_url(), project, &server.source()).await?;
    // So that the broker keeps something for it.
    Ingest::start(stage, logs).await?.stop().await?;
    publish::publish(case, server, messages).await?;
    let ingest = Ingest::start(stage, logs).await?;
    let progress = Progress::new(&format!("ingest: {case:?}"), messages);
    let began_at = ingest.reach(1, &progress).await?;
    let began = ingest.usage();
    ingest.reach(messages / 5, &progress).await?;
    let early = ingest.usage();
    let ended_at = ingest.reach(messages, &progress).await?;
    let ended = ingest.usage();
    progress.end();
    let received = ingest.count("posthouse_ingest_received_total").await?;
    ingest.stop().await?;
    forget(stage.database_url(), source).await?;
    let (count, took) = (messages.saturating_sub(began_at.1), (ended_at.0 - began_at.0).as_secs_f64());
    ensure!(count > 0, "all messages had come before the first look: measure more of them");
    let count = whole(count);
    let cpu_us = ended.cpu.saturating_sub(began.cpu).as_secs_f64() * 1e6 / count;
    let megabytes = |bytes: u64| whole(bytes) / 1e6;
    let growth = megabytes(ended.resident_bytes) - megabytes(early.resident_bytes);
    Ok(vec![
        Row::new(
            &format!("ingest: {messages} messages of 1 KiB, {}", name(case)),
            "into Redis per second, one instance on one core",
            count / took,
            Some(Goal::at_least(10_000.0, 20_000.0)),
        ),
        // What it could do with a core that nobody else uses: brokers, Redis and the load have to be somewhere.
        Row::new("", "CPU-µs of ingest per message", cpu_us, Some(Goal::at_most(100.0, 50.0))),
        Row::new("", "memory after the first fifth, MB", megabytes(early.resident_bytes), None),
        Row::new("", "memory at the end, MB", megabytes(ended.resident_bytes), Some(Goal::at_most(150.0, 60.0))),
        Row::new("", "growth between them, MB", growth, Some(Goal::at_most(10.0, 2.0))),
        Row::new("", "came more than once", whole(received.saturating_sub(messages)), None),
    ])
}

const fn name(case: Case) -> &'static str {
    match case {
        Case::Mqtt => "MQTT QoS 1",
        Case::Amqp => "AMQP",
        Case::Kafka => "Kafka",
        Case::Nats => "NATS JetStream",
        Case::Redis => "Redis Streams",
    }
}

/// The real program on one core.
struct Ingest {
    process: Child,
    listen: SocketAddr,
}

impl Ingest {
    /// Comes back when it reads its source.
    async fn start(stage: &Stage, logs: &Path) -> Result<Self> {
        let (program, listen) = (binary(&binaries()?, "posthouse-ingest")?, ports::free()?);
        let log = std::fs::File::create(logs.join("ingest.log")).context("make the log")?;
        let process = Command::new("taskset")
            .args(["-c", CORE])
            .arg(program)
            .env("POSTHOUSE_DATABASE_URL", stage.database_url())
            .env("POSTHOUSE_REDIS_URL", stage.redis_url())
            .env("POSTHOUSE_REDIS_PREFIX", PREFIX)
            .env("POSTHOUSE_INGEST_LISTEN", listen.to_string())
            .args(["--poll-interval", "1s"])
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("start ingest by taskset, of util-linux")?;
        let (ingest, began) = (Self { process, listen }, Instant::now());
        while ingest.count("posthouse_ingest_connected").await.unwrap_or_default() == 0 {
            ensure!(began.elapsed() < READY_LIMIT, "ingest does not read its source");
            sleep(LOOK).await;
        }
        Ok(ingest)
    }

    /// Waits until so many messages are in Redis; when that was, and how many they were then.
    async fn reach(&self, count: u64, progress: &Progress) -> Result<(Instant, u64)> {
        let began = Instant::now();
        loop {
            let accepted = self.count("posthouse_ingest_accepted_total").await?;
            progress.note("in Redis", accepted);
            if accepted >= count {
                return Ok((Instant::now(), accepted));
            }
            ensure!(began.elapsed() < DRAIN_LIMIT, "{accepted} of {count} came");
            sleep(LOOK).await;
        }
    }

    /// The sum of a metric.
    async fn count(&self, metric: &str) -> Result<u64> {
        let mut connection = Connection::open(self.listen).await?;
        connection.write(b"GET /metrics HTTP/1.1\r\nhost: ingest\r\n\r\n").await?;
        let answer = connection.next().await?.context("ingest does not answer")?;
        let text = String::from_utf8(answer.body).context("what ingest says of itself")?;
        let value = |line: &str| {
            line.strip_prefix(metric)?.starts_with(['{', ' ']).then(|| line.rsplit(' ').next()?.parse::<f64>().ok())?
        };
        let sum: f64 = text.lines().filter_map(value).sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        Ok(sum as u64)
    }

    fn usage(&self) -> crate::processes::Usage {
        Snapshot::take().usage(&[self.process.id().unwrap_or(0)])
    }

    async fn stop(mut self) -> Result<()> {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.context("ingest has ended")?, rustix::process::Signal::TERM)?;
        ensure!(self.process.wait().await?.success(), "ingest ends badly");
        Ok(())
    }
}

async fn project(url: &str) -> Result<ProjectId> {
    let (organisation, project) = (OrganisationId::generate(), ProjectId::generate());
    execute(
        url,
        &format!(
            "INSERT INTO organisations (id, name) VALUES ('{}', 'bench'); \
             INSERT INTO projects (id, organisation_id, name, kind, config) VALUES ('{}', '{0}', 'bench', 'outgoing', '{{}}')",
            uuid(organisation.to_bits()),
            uuid(project.to_bits()),
        ),
    )
    .await?;
    Ok(project)
}

async fn source(url: &str, project: ProjectId, pub_sub: &Value) -> Result<SourceId> {
    let id = SourceId::generate();
    let insert = format!(
        "INSERT INTO sources (project_id, id, mask_id, name, kind, pub_sub) VALUES ('{}', '{}', '{id}', 'bench', 'pub_sub', '{pub_sub}')",
        uuid(project.to_bits()),
        uuid(id.to_bits()),
    );
    execute(url, &insert).await.map(|()| id)
}

async fn forget(url: &str, source: SourceId) -> Result<()> {
    execute(url, &format!("UPDATE sources SET deleted_at = now() WHERE id = '{}'", uuid(source.to_bits()))).await
}

async fn execute(url: &str, statements: &str) -> Result<()> {
    let database = Database::open(url).await?;
    database.client.batch_execute(statements).await.context("write to the database")?;
    database.close().await
}

fn uuid(bits: u128) -> String {
    format!("{bits:032x}")
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn whole(number: u64) -> f64 {
    number as f64
}
