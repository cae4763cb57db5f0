//! Pages of the dashboard with a large ledger behind them: how long the server takes for each.

pub mod tour;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use chrono::{TimeDelta, Utc};
use posthouse_schema::{
    activity::{self, Counted, Period},
    ids::ProjectId,
    pool::{self, PooledConnection, Purpose},
    words::Role,
};

use crate::{
    gateway::Gateway,
    http::Connection,
    latency::{Percentiles, micros},
    lists::fill,
    progress::Progress,
    table::{Goal, Row},
};

/// Requests of one page that count, after some that do not.
const REQUESTS: usize = 200;
const WARM_UP: usize = 20;
/// What the charts need is asked for so often, past the API's cache.
const SUMS: usize = 50;
const P95_MAX_MS: Goal = Goal::at_most(100.0, 25.0);

/// Fills a gateway of its own with `events` events and twice as many deliveries, signs in, and asks for its pages.
pub async fn measure(folder: &Path, events: u64) -> Result<Vec<Row>> {
    let gateway = Gateway::start(folder).await?;
    let filled = fill::fill(&gateway, events).await?;
    let pool = pool::build(gateway.database_url(), 1, Purpose::General).context("open the database")?;
    let mut conn = pool.get().await.context("connect to the database")?;
    let began = Instant::now();
    let windows = count(&mut conn).await?;
    let counting = began.elapsed().as_secs_f64();
    let (_, cookie) = tour::sign_in(&gateway, &mut conn, Role::OrganisationAdmin).await?;
    let pages = tour::pages(&gateway, &filled).await?;
    let mut connection = Connection::open(gateway.api).await?;
    let progress = Progress::new("pages", u64::try_from(pages.len())?);
    let mut rows = vec![
        Row::new("counting what happened", "windows", f64::from(u32::try_from(windows)?), None),
        Row::new("", "seconds", counting, None),
    ];
    rows.extend(sums(&gateway, &mut conn).await?);
    let mut done = 0;
    for (name, path) in pages {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\nCookie: posthouse={cookie}\r\n\r\n",
            gateway.api
        );
        let found = ask(&mut connection, &request).await.with_context(|| format!("{name}: GET {path}"))?;
        rows.extend(figures(&name, found));
        done += 1;
        progress.note("pages measured", done);
    }
    progress.end();
    gateway.stop().await?;
    Ok(rows)
}

fn figures(name: &str, found: Percentiles) -> [Row; 2] {
    [Row::new(name, "p50, ms", found.p50_ms, None), Row::new("", "p95, ms", found.p95_ms, Some(P95_MAX_MS))]
}

/// One after another over one connection.
async fn ask(connection: &mut Connection, request: &str) -> Result<Percentiles> {
    let mut found = Vec::with_capacity(REQUESTS);
    for number in 0..WARM_UP + REQUESTS {
        let began = Instant::now();
        let status = connection.call(request.as_bytes()).await?;
        if status != 200 {
            bail!("the answer was {status}");
        }
        if number >= WARM_UP {
            found.push(micros(began.elapsed()));
        }
    }
    Ok(Percentiles::of(found))
}

/// Does what workers do on their schedule, to the end.
async fn count(conn: &mut PooledConnection) -> Result<usize> {
    let mut windows = 0;
    loop {
        match activity::count_all_projects(conn, Utc::now()).await.context("count what happened")? {
            Counted::Windows(counted) => windows += counted,
            Counted::Noted => {}
            Counted::UpToDate => return Ok(windows),
            Counted::Busy => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// What the overview sums up, which the API keeps for ten seconds: here nothing is kept.
async fn sums(gateway: &Gateway, conn: &mut PooledConnection) -> Result<Vec<Row>> {
    let project: ProjectId = gateway.project.parse().context("the project's id")?;
    let mut rows = Vec::new();
    for (name, length, bar_seconds) in [
        ("sums of an hour, not cached", TimeDelta::hours(1), 300.0),
        ("sums of a day, not cached", TimeDelta::days(1), 1_800.0),
        ("sums of a week, not cached", TimeDelta::days(7), 14_400.0),
    ] {
        let mut found = Vec::with_capacity(SUMS);
        for _ in 0..SUMS {
            let to = activity::window(Utc::now()) + TimeDelta::minutes(5);
            let period = Period { from: to - length, to, bar_seconds };
            let began = Instant::now();
            activity::read(conn, project, period, 5).await.context("sum up")?;
            found.push(micros(began.elapsed()));
        }
        rows.extend(figures(name, Percentiles::of(found)));
    }
    Ok(rows)
}
