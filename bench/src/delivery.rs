//! What delivering costs beyond the plain case: functions, filters, many endpoints of which some hang, and a wave of retries.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use clap::ValueEnum;
use posthouse_e2e::database::Database;
use posthouse_jobs::DeliverEvent;
use posthouse_schema::ids::{EndpointId, EventDeliveryId, ProjectId};
use serde_json::json;

use crate::{
    cases::{Scale, load, median, paced},
    gateway::Gateway,
    load::{self, Load, Mode, Targets},
    sink::{Sink, now_ns},
    table::{Goal, Row},
};

/// A function that is no more than the work around one.
const FUNCTION: &str = "function transform(payload) { payload.seen = true; return payload; }";
/// Subscriptions with filters that do not match.
const SUBSCRIPTIONS: u32 = 10_000;
/// What they ask of the data, in SQL, where `n` is the number of each: a value of their own among other things.
const WITH_A_VALUE: &str =
    "jsonb_build_object('number', jsonb_build_object('$gt', 1000000 + n), 'filling', 'customer ' || n)";
/// The same where no value is named: an order, an expression, or one of both.
const WITHOUT_A_VALUE: &str =
    "CASE n % 3 WHEN 0 THEN jsonb_build_object('number', jsonb_build_object('$gt', 1000000 + n))
     WHEN 1 THEN jsonb_build_object('filling', jsonb_build_object('$regex', '^customer ' || n || '$'))
     ELSE jsonb_build_object('$or', jsonb_build_array(
         jsonb_build_object('number', jsonb_build_object('$gt', 1000000 + n)),
         jsonb_build_object('filling', jsonb_build_object('$regex', '^customer ' || n || '$')))) END";
/// Retries that are due together.
const RETRIES: u32 = 50_000;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    Functions,
    Filters,
    Hanging,
    Retries,
}

/// Runs the cases on a gateway of their own.
pub async fn measure(folder: &Path, only: &[Case], scale: Scale) -> Result<Vec<Row>> {
    let wants = |case: &Case| only.is_empty() || only.contains(case);
    let (sink, gateway) = (Sink::start().await?, Gateway::start(folder).await?);
    let mut rows = Vec::new();
    for case in [Case::Functions, Case::Filters, Case::Retries, Case::Hanging].iter().filter(|case| wants(case)) {
        rows.extend(match case {
            Case::Functions => functions(&gateway, &sink, scale).await?,
            Case::Filters => filters(&gateway, &sink, scale).await?,
            Case::Retries => retries(&gateway, &sink, scale).await?,
            Case::Hanging => hanging(&gateway, &sink, scale).await?,
        });
    }
    gateway.stop().await?;
    Ok(rows)
}

/// CPU time of the workers for an event with a function, less that for one without; three times in turns.
async fn functions(gateway: &Gateway, sink: &Sink, scale: Scale) -> Result<Vec<Row>> {
    let plain = load(scale.events(10_000));
    let subscription = json!({"function": FUNCTION}).as_object().cloned().unwrap_or_default();
    let with = Load { subscription, ..plain.clone() };
    let mut costs = Vec::new();
    for _ in 0..3 {
        let without = load::run(gateway, sink, &plain, "without a function").await?.cpu_ms(Some("worker"));
        costs.push(load::run(gateway, sink, &with, "with a function").await?.cpu_ms(Some("worker")) - without);
    }
    let cost = median(costs);
    Ok(vec![
        Row::new("a function on each event of 1 KiB", "CPU-ms of the worker more", cost, None),
        Row::new(
            "",
            "such functions per second and core",
            1_000.0 / cost.max(0.001),
            Some(Goal::at_least(5_000.0, 10_000.0)),
        ),
    ])
}

/// CPU time of the workers for an event that is compared with many filters, less that for one with a single one; once with
/// filters that an index can tell apart, and once with others.
async fn filters(gateway: &Gateway, sink: &Sink, scale: Scale) -> Result<Vec<Row>> {
    let load = Load { mode: Mode::Fanout, rate: None, connections: 16, ..load(scale.events(2_000)) };
    let alone = load::run(gateway, sink, &load, "one subscription").await?.cpu_ms(Some("worker"));
    let with_a_value = among(gateway, sink, &load, WITH_A_VALUE).await? - alone;
    let without = among(gateway, sink, &load, WITHOUT_A_VALUE).await? - alone;
    let more = "CPU-ms of the worker more";
    Ok(vec![
        Row::new("one subscription of an owner", "CPU-ms of the worker per event", alone, None),
        Row::new("beside 10,000 whose filters do not match", more, with_a_value, Some(Goal::at_most(1.0, 0.5))),
        Row::new("beside 10,000 with $gt, $regex and $or alone", more, without, None),
    ])
}

/// CPU time of the workers for an event of an owner with many subscriptions more, whose filters have these conditions.
async fn among(gateway: &Gateway, sink: &Sink, load: &Load, conditions: &str) -> Result<f64> {
    let run = now_ns() / 1_000_000;
    let targets = load::create(gateway, sink, load, run).await?;
    add_filtered(gateway, targets.owner(), conditions).await?;
    let outcome = load::run_to(gateway, sink, load, "among 10,000 filters", (run, &targets)).await?;
    Ok(outcome.cpu_ms(Some("worker")))
}

/// Gives the owner endpoints with subscriptions whose filters ask for other data.
async fn add_filtered(gateway: &Gateway, owner: &str, conditions: &str) -> Result<()> {
    let project: ProjectId = gateway.project.parse().context("the project's id")?;
    let project = format!("{:032x}", project.to_bits());
    let id = |kind: &str| format!("(lpad(to_hex(n), 12, '0') || left(md5('{kind}{owner}' || n), 20))::uuid");
    let database = Database::open(gateway.database_url()).await?;
    database
        .client
        .batch_execute(&format!(
            "INSERT INTO endpoints (project_id, id, name, url, owner_id, advanced_signatures)
             SELECT '{project}', {endpoint}, 'filtered', 'http://127.0.0.1:1/', '{owner}', false FROM generate_series(1, {SUBSCRIPTIONS}) n;
             INSERT INTO subscriptions (project_id, id, name, endpoint_id, filter)
             SELECT '{project}', {subscription}, 'filtered', {endpoint}, jsonb_build_object('body', {conditions})
             FROM generate_series(1, {SUBSCRIPTIONS}) n;
             ANALYZE endpoints, subscriptions;",
            endpoint = id("endpoint"),
            subscription = id("subscription"),
        ))
        .await
        .context("add subscriptions with filters")?;
    database.close().await
}

/// Latency of first tries while many retries that were due in the same second are drained, beside the same without them.
async fn retries(gateway: &Gateway, sink: &Sink, scale: Scale) -> Result<Vec<Row>> {
    let first_tries = paced(100.0, 20, scale);
    let quiet = load::run(gateway, sink, &first_tries, "first tries alone").await?.arrived.latency.p99_ms;
    let run = now_ns() / 1_000_000;
    let targets = load::create(gateway, sink, &first_tries, run).await?;
    let waves = load::create(gateway, sink, &first_tries, run + 2).await?;
    let due = Utc::now() + TimeDelta::seconds(15);
    let count = RETRIES / scale.divisor;
    fill_retries(gateway, &waves, (count, due)).await?;
    tokio::time::sleep((due - Utc::now()).to_std().unwrap_or_default()).await;
    let (busy, drained) = tokio::join!(
        load::run_to(gateway, sink, &first_tries, "first tries beside retries", (run, &targets)),
        drained(gateway, due)
    );
    let (busy, seconds) = (busy?.arrived.latency.p99_ms, drained?);
    Ok(vec![
        Row::new("100 first tries a second", "p99, ms", quiet, None),
        Row::new(&format!("beside {count} retries due in one second"), "p99, ms", busy, None),
        Row::new("", "later by, ms", busy - quiet, Some(Goal::at_most(100.0, 20.0))),
        Row::new("", "the retries were done after, s", seconds, None),
    ])
}

/// Deliveries that failed once, with their jobs.
async fn fill_retries(gateway: &Gateway, targets: &Arc<Targets>, (count, due): (u32, DateTime<Utc>)) -> Result<()> {
    let project: ProjectId = gateway.project.parse().context("the project's id")?;
    let endpoint: EndpointId = targets.first().context("an endpoint")?.parse().context("an endpoint's id")?;
    let (project_hex, endpoint_hex) = (format!("{:032x}", project.to_bits()), format!("{:032x}", endpoint.to_bits()));
    let (due_text, time) = (due.to_rfc3339(), format!("{:012x}", Utc::now().timestamp_millis()));
    let database = Database::open(gateway.database_url()).await?;
    database
        .client
        .batch_execute(&format!(
            "CREATE TABLE wave AS SELECT n, ('{time}' || left(md5('wave' || n), 20))::uuid AS id FROM generate_series(1, {count}) n;
             INSERT INTO events (project_id, id, event_type, target_kind, target, payload, endpoint_ids, status, acknowledged_at)
             SELECT '{project_hex}', id, 'wave', 'single', '{endpoint_hex}', convert_to('{{\"filling\":\"' || repeat('x', 1000) || '\"}}', 'UTF8'), '{{}}', 'Success', now() FROM wave;
             INSERT INTO event_deliveries (project_id, id, event_id, endpoint_id, subscription_id, event_type, status, delivery_mode, strategy, retry_interval_seconds, retry_limit, attempt_count, next_send_time, acknowledged_at)
             SELECT '{project_hex}', id, id, '{endpoint_hex}', id, 'wave', 'Retry', 'at_least_once', 'linear', 10, 5, 1, '{due_text}', now() FROM wave;
             ANALYZE events, event_deliveries;"
        ))
        .await
        .context("fill retries")?;
    let rows =
        database.client.query("SELECT replace(id::text, '-', '') FROM wave", &[]).await.context("read the wave")?;
    database.close().await?;
    let queues = gateway.queues().await?;
    for part in rows.chunks(64) {
        let pushed = part.iter().map(|row| {
            let bits = u128::from_str_radix(&row.get::<_, String>(0), 16).unwrap_or_default();
            let job = DeliverEvent {
                project_id: project,
                event_delivery_id: EventDeliveryId::from_bits(bits),
                endpoint_id: Some(endpoint),
            };
            let queues = queues.clone();
            async move { queues.push_at(&job, due).await }
        });
        for pushed in futures::future::join_all(pushed).await {
            pushed.context("push a retry")?;
        }
    }
    Ok(())
}

/// Seconds from `due` until no retry of the wave is left.
async fn drained(gateway: &Gateway, due: DateTime<Utc>) -> Result<f64> {
    let database = Database::open(gateway.database_url()).await?;
    loop {
        let query = "SELECT count(*) FROM event_deliveries WHERE status IN ('Scheduled', 'Processing', 'Retry') AND event_type = 'wave'";
        let left: i64 = database.client.query_one(query, &[]).await.context("count what is left")?.get(0);
        let seconds = (Utc::now() - due).as_seconds_f64();
        if left == 0 {
            database.close().await?;
            return Ok(seconds);
        }
        anyhow::ensure!(seconds < 300.0, "{left} retries are left after {seconds:.0} s");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// A thousand endpoints of which a tenth never answers, beside a thousand that do; three times in turns.
async fn hanging(gateway: &Gateway, sink: &Sink, scale: Scale) -> Result<Vec<Row>> {
    let well = Load { endpoints: 1_000 / scale.divisor, ..paced(200.0, 30, scale) };
    let hang = Load { hang: well.endpoints / 10, ..well.clone() };
    let (mut all_well, mut others) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        all_well.push(load::run(gateway, sink, &well, "1,000 endpoints well").await?.arrived.latency.p99_ms);
        others.push(load::run(gateway, sink, &hang, "100 of 1,000 hang").await?.arrived.latency.p99_ms);
    }
    let (all_well, others) = (median(all_well), median(others));
    Ok(vec![
        Row::new("1,000 endpoints, 200 a second, three times in turns", "p99, all well, median, ms", all_well, None),
        Row::new("", "p99 of the others, 100 hang, median, ms", others, None),
        Row::new("", "the same as a ratio", others / all_well.max(0.001), Some(Goal::at_most(1.2, 1.0))),
    ])
}
