//! The job board and the dashboard's queues with a long queue behind them: how long the server takes for each, and whether the
//! numbers are right, at rest and while workers empty the queue.

mod shown;

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{TimeDelta, Utc};
use posthouse_jobs::{DeliverEvent, Job as _, Queues};
use posthouse_schema::{
    api_key::{ApiKey, Owner},
    ids::{EventDeliveryId, ProjectId},
    pool::{self, Purpose},
    words::Role,
};

use crate::{
    board::shown::{Expected, PAGES, Place, Shown},
    gateway::Gateway,
    http::Connection,
    latency::{Percentiles, micros},
    pages::tour,
    progress::Progress,
    table::{Goal, Row},
};

/// Requests that count, after some that do not; and those while the queue is emptied.
const REQUESTS: usize = 200;
const WARM_UP: usize = 20;
const REQUESTS_AT_WORK: usize = 40;
const P95_MAX_MS: Goal = Goal::at_most(200.0, 20.0);
/// Projects that have jobs, and jobs of one call.
const PROJECTS: usize = 20;
const BATCH: u64 = 1_000;
/// One job in so many waits for its time, beyond the end of the measurement.
const DELAYED_ONE_IN: u64 = 1_000;
/// Rounds in which more comes and the numbers have to follow.
const ROUNDS: u64 = 10;
const PUSH_LIMIT: Duration = Duration::from_secs(600);

/// Fills the queue of deliveries of a gateway of its own with `jobs` jobs by what enqueues them in earnest, and looks at it.
pub async fn measure(folder: &Path, jobs: u64) -> Result<Vec<Row>> {
    let gateway = Gateway::start(folder).await?;
    let pool = pool::build(gateway.database_url(), 1, Purpose::General).context("open the database")?;
    let mut conn = pool.get().await.context("connect to the database")?;
    let (user, cookie) = tour::sign_in(&gateway, &mut conn, Role::InstanceAdmin).await?;
    let (_, key) = ApiKey::insert(&mut conn, Owner::User(user), "board", Role::InstanceAdmin, None)
        .await
        .context("make a personal key")?;
    drop(conn);
    let queues = gateway.queues().await?;
    let view = queues.view(DeliverEvent::QUEUE);
    let before = view.counts().await?;
    if before.ready + before.delayed + before.running > 0 {
        bail!("the queue is not empty");
    }
    view.pause().await?;
    let mut expected = fill(&queues, jobs, before.done + before.dead).await?;
    let mut reader = Reader::open(&gateway, &cookie, key.expose()).await?;
    let mut rows = Vec::new();
    let progress = Progress::new("board", u64::try_from(PAGES.len())?);
    for (shown, done) in PAGES.iter().zip(0..) {
        progress.note("pages measured", done);
        rows.extend(reader.time(shown, &expected, WARM_UP, REQUESTS).await?);
    }
    progress.end();
    for _ in 0..ROUNDS {
        push(&queues, &projects(), BATCH).await?;
        expected.ready += BATCH;
        for shown in PAGES {
            shown.check(&reader.ask(shown).await?.1, &expected).with_context(|| format!("{}, live", shown.name))?;
        }
    }
    view.resume().await?;
    expected.is_at_work = true;
    for shown in PAGES.iter().filter(|shown| shown.is_looked_at_in_work) {
        rows.extend(reader.time(shown, &expected, 0, REQUESTS_AT_WORK).await?);
    }
    gateway.stop().await?;
    Ok(rows)
}

fn projects() -> Vec<ProjectId> {
    (0..PROJECTS).map(|_| ProjectId::generate()).collect()
}

async fn fill(queues: &Queues, jobs: u64, ended_before: u64) -> Result<Expected> {
    let (projects, delayed) = (projects(), jobs / DELAYED_ONE_IN);
    let (ready, progress) = (jobs - delayed, Progress::new("board: push", jobs));
    let began = Instant::now();
    let mut pushed = 0;
    while pushed < ready {
        pushed += push(queues, &projects, BATCH.min(ready - pushed)).await?;
        progress.note("pushed", pushed);
        if began.elapsed() > PUSH_LIMIT {
            bail!("{pushed} of {ready} jobs were pushed");
        }
    }
    let due = Utc::now() + TimeDelta::hours(12);
    for (_, project) in (0..delayed).zip(projects.iter().cycle()) {
        queues.push_at(&delivery(*project), due).await?;
    }
    progress.end();
    Ok(Expected { ready, delayed, ended_before, is_at_work: false })
}

fn delivery(project_id: ProjectId) -> DeliverEvent {
    DeliverEvent { project_id, event_delivery_id: EventDeliveryId::generate(), endpoint_id: None }
}

/// Of deliveries that are in no ledger: workers find nothing to send, and are done with them.
async fn push(queues: &Queues, projects: &[ProjectId], jobs: u64) -> Result<u64> {
    let batch: Vec<_> = (0..jobs).zip(projects.iter().cycle()).map(|(_, project)| delivery(*project)).collect();
    let new = queues.push_all(&batch).await?;
    if new != jobs {
        bail!("{new} of {jobs} jobs are new");
    }
    Ok(new)
}

/// Who asks, over a connection to each listener.
struct Reader {
    api: (SocketAddr, Connection),
    board: (SocketAddr, Connection),
    cookie: String,
    bearer: String,
    basic: String,
}

impl Reader {
    async fn open(gateway: &Gateway, cookie: &str, key: &str) -> Result<Self> {
        Ok(Self {
            api: (gateway.api, Connection::open(gateway.api).await?),
            board: (gateway.board, Connection::open(gateway.board).await?),
            cookie: format!("Cookie: posthouse={cookie}"),
            bearer: format!("Authorization: Bearer {key}"),
            basic: format!("Authorization: Basic {}", STANDARD.encode(format!("bench:{key}"))),
        })
    }

    async fn ask(&mut self, shown: &Shown) -> Result<(Duration, Vec<u8>)> {
        let (accept, credential) = match shown.place {
            Place::Board => ("application/json", &self.basic),
            Place::Api => ("application/json", &self.bearer),
            Place::Dashboard => ("text/html", &self.cookie),
        };
        let (address, connection) = match shown.place {
            Place::Board => &mut self.board,
            Place::Api | Place::Dashboard => &mut self.api,
        };
        let path = shown.path();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\n{credential}\r\n\r\n");
        let began = Instant::now();
        connection.write(request.as_bytes()).await?;
        let answer = connection.next().await?.context("the connection was closed instead of an answer")?;
        let took = began.elapsed();
        if answer.second != "200" {
            bail!("{path}: the answer was {}", answer.second);
        }
        Ok((took, answer.body))
    }

    /// Every answer has to be right.
    async fn time(&mut self, shown: &Shown, expected: &Expected, warm_up: usize, requests: usize) -> Result<[Row; 2]> {
        let mut found = Vec::with_capacity(requests);
        for number in 0..warm_up + requests {
            let (took, body) = self.ask(shown).await?;
            shown.check(&body, expected).with_context(|| shown.name.to_string())?;
            if number >= warm_up {
                found.push(micros(took));
            }
        }
        let found = Percentiles::of(found);
        let name =
            if expected.is_at_work { format!("{}, while workers empty it", shown.name) } else { shown.name.into() };
        Ok([Row::new(&name, "p50, ms", found.p50_ms, None), Row::new("", "p95, ms", found.p95_ms, Some(P95_MAX_MS))])
    }
}
