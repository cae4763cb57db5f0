//! Chaos: events flow while everything that may die dies, again and again, and at the end nothing is lost.

mod plan;
mod verdict;

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub use self::{
    plan::{Fault, Plan},
    verdict::Account,
};
use crate::{
    client::Client, database::Database, deployment::Deployment, ground::Ground, operator::Operator, sender::send_all,
    services::Durability,
};

const SENDERS: u32 = 32;
/// After the last event: the sweep and the longest retry have had their time several times.
const SETTLE_LIMIT: Duration = Duration::from_secs(240);

/// How much chaos.
#[derive(Debug, Clone)]
pub struct Options {
    /// Events to send.
    pub events: u64,
    /// Everything that happens by chance comes from it.
    pub seed: u64,
    /// About how long the sending takes.
    pub lasts: Duration,
    /// What PostgreSQL may lose; nothing that happens here makes it lose anything.
    pub durability: Durability,
}

/// Runs it below `root`, telling `say` how far it is, and compares the accounts at the end.
///
/// # Errors
/// Something does not come up or is never settled, or the accounts differ; the text has the seed.
pub async fn run(root: &Path, name: &str, options: &Options, say: &mut dyn FnMut(&str)) -> Result<Account> {
    say(&format!("Seed {}: {} events, all roles and services die in turns.", options.seed, options.events));
    let account = within(root, name, options, say).await.with_context(|| format!("seed {}", options.seed))?;
    let found = account.faults_found();
    if !found.is_empty() {
        bail!("seed {}, after {} faults:\n  {}", options.seed, account.faults, found.join("\n  "));
    }
    let received = &account.received;
    say(&format!(
        "{} accepted, all delivered, after {} faults; {} came more than once, each time with the same webhook id.",
        account.accepted, account.faults, received.duplicates
    ));
    Ok(account)
}

async fn within(root: &Path, name: &str, options: &Options, say: &mut dyn FnMut(&str)) -> Result<Account> {
    let mut ground = Ground::start(root, name, options.durability).await?;
    let (mut deployment, client) = ground.roles().await?;
    let mut endpoints = Vec::new();
    for name in ["a", "b", "c"] {
        endpoints.push(ground.endpoint(&client, name).await?);
    }
    let accepted = AtomicU64::new(0);
    let events = u32::try_from(options.events).unwrap_or(u32::MAX).max(1);
    let pause = options.lasts * SENDERS / events;
    let senders = usize::try_from(SENDERS).unwrap_or(1);
    let sending = send_all(&client, &endpoints, options.events, (senders, pause), &accepted);
    tokio::pin!(sending);
    let mut requests = None;
    let mut faults = 0;
    for (pause, fault) in Plan::new(options.seed) {
        // Every fault happens at least once, whatever the pace.
        if requests.is_some() && faults >= Plan::all().len() {
            break;
        }
        let accepted = accepted.load(Ordering::Relaxed);
        say(&format!("{accepted} of {} accepted; {fault}", options.events));
        let happening = async {
            tokio::time::sleep(pause).await;
            happen(fault, &mut ground, &mut deployment).await.with_context(|| fault.to_string())
        };
        tokio::pin!(happening);
        loop {
            tokio::select! {
                sent = &mut sending, if requests.is_none() => requests = Some(sent?),
                happened = &mut happening => break happened?,
            }
        }
        faults += 1;
    }
    say(&format!("All accepted, in {} requests; waiting until all is settled.", requests.unwrap_or(0)));
    let account = settled(&ground, &client, options.events, u64::try_from(faults)?).await?;
    deployment.stop().await?;
    ground.stage.stop().await?;
    Ok(account)
}

async fn happen(fault: Fault, ground: &mut Ground, deployment: &mut Deployment) -> Result<()> {
    match fault {
        Fault::Kill(role) => return deployment.crash(role).await,
        Fault::RestartRedis => {
            let redis = ground.stage.redis.as_mut().context("a Redis of our own")?;
            redis.stop().await?;
            redis.resume().await?;
        }
        Fault::RestartPostgres => {
            let postgres = ground.stage.postgres.as_mut().context("a PostgreSQL of our own")?;
            postgres.stop().await?;
            postgres.resume().await?;
        }
        Fault::CutRedis => cut_redis(ground.stage.redis.as_ref().context("a Redis of our own")?.port()).await?,
        Fault::CutPostgres => cut_postgres(ground.stage.database_url()).await?,
    }
    // No role ends because a service was away.
    deployment.check_alive()?;
    deployment.wait_until_ready().await
}

async fn cut_redis(port: u16) -> Result<()> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await.context("connect to Redis")?;
    connection.write_all(b"CLIENT KILL TYPE pubsub\r\nCLIENT KILL TYPE normal SKIPME yes\r\n").await?;
    let mut answer = [0; 64];
    let read = connection.read(&mut answer).await?;
    if answer.get(..read).is_none_or(|answer| !answer.starts_with(b":")) {
        bail!("Redis answered {}", String::from_utf8_lossy(&answer));
    }
    Ok(())
}

async fn cut_postgres(url: &str) -> Result<()> {
    let database = Database::open(url).await?;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.client.query(cut, &[]).await.context("cut the connections")?;
    database.close().await
}

/// The account, as soon as nothing is left to do.
pub(crate) async fn settled(ground: &Ground, client: &Client, accepted: u64, faults: u64) -> Result<Account> {
    let operator = Operator {
        binaries: &ground.shared.binaries,
        database_url: ground.stage.database_url(),
        redis_url: ground.stage.redis_url(),
    };
    let began = Instant::now();
    loop {
        let (audit, received) = (operator.audit().await?, ground.receiver.ledger().summary("/"));
        let account = Account { accepted, faults, audit, received };
        if account.faults_found().is_empty() {
            return Ok(account);
        }
        if began.elapsed() > SETTLE_LIMIT {
            let open = client.get("eventdeliveries?perPage=5&status=Scheduled&status=Retry").await;
            bail!("not settled within {SETTLE_LIMIT:?}:\n  {}\nopen: {open:?}", account.faults_found().join("\n  "));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
