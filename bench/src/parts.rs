//! What each part of an event's way costs. The parts overlap under load, so here they run one after another: the queues
//! between them are paused, and each is let go when the one before has done all of its work. Recording cannot be held back
//! from delivering; it is measured once more by itself, with the same statement on the same tables.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use posthouse_jobs::{CreateEvent, DeliverEvent, Job as _, Queues};
use posthouse_schema::{
    delivery_attempt::{AttemptTimings, DeliveryAttempt},
    event::NewEvent,
    event_delivery::{NewEventDelivery, Outcome},
    ids::{DeliveryAttemptId, EndpointId, EventDeliveryId, EventId, ProjectId, SubscriptionId},
    json::Headers,
    ledger::{self, AcceptedEvent},
    pool::{self, Purpose},
    words::{DeliveryMode, DeliveryStatus, EventStatus, RetryStrategy, TargetKind},
};

use crate::{
    gateway::{Account, Gateway, memory_of_roles},
    load::{self, Load},
    processes::Snapshot,
    progress::Progress,
    sink::{Sink, now_ns},
    table::{Goal, Row},
};

const LIMIT: Duration = Duration::from_secs(120);
/// Rows of a statement; about what a worker gathers under load.
const RECORDS: usize = 100;

/// Accept, create, deliver with record, and record alone; and the memory of the roles while all events are queued.
pub async fn measure(gateway: &Gateway, sink: &Sink, load: &Load) -> Result<Vec<Row>> {
    let queues = gateway.queues().await?;
    let (creating, delivering) = (queues.view(CreateEvent::QUEUE), queues.view(DeliverEvent::QUEUE));
    let run = now_ns() / 1_000_000;
    let targets = load::create(gateway, sink, load, run).await?;
    let endpoint = targets.first().context("no endpoint was made")?;
    sink.reset(run).await?;
    creating.pause().await?;
    delivering.pause().await?;
    let progress = Progress::new("parts", load.events);
    let start = gateway.account().await?;
    let accepted = load::send(gateway, load, &targets, run, &progress).await?.accepted();
    let after_accept = gateway.account().await?;
    let queued = memory_of_roles(&gateway.usage());
    creating.resume().await?;
    empty(&queues, CreateEvent::QUEUE).await?;
    let after_create = gateway.account().await?;
    let queued = queued.max(memory_of_roles(&gateway.usage()));
    delivering.resume().await?;
    load::wait(sink, accepted, &progress).await?;
    empty(&queues, DeliverEvent::QUEUE).await?;
    let after_deliver = gateway.account().await?;
    progress.end();
    let recorded = record(gateway, endpoint, accepted).await?;
    let mut rows = rows("accept", &after_accept.since(&start), accepted);
    rows.extend(self::rows("create", &after_create.since(&after_accept), accepted));
    rows.extend(self::rows("deliver and record", &after_deliver.since(&after_create), accepted));
    rows.extend(recorded);
    rows.push(Row::new(
        &format!("{accepted} events queued"),
        "memory of all roles, MB",
        whole(queued) / 1e6,
        Some(Goal::at_most(150.0, 60.0)),
    ));
    Ok(rows)
}

/// Waits until the queue holds nothing.
async fn empty(queues: &Queues, queue: &str) -> Result<()> {
    let (view, began) = (queues.view(queue), std::time::Instant::now());
    loop {
        let counts = view.counts().await?;
        if counts.ready + counts.running == 0 {
            return Ok(());
        }
        if began.elapsed() > LIMIT {
            bail!("{} jobs are left in {queue}", counts.ready + counts.running);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A part's sum, and whoever has spent more than a hundredth of it.
fn rows(part: &str, account: &Account, events: u64) -> Vec<Row> {
    let ms = |cpu: Duration| cpu.as_secs_f64() * 1_000.0 / whole(events.max(1));
    let sum = ms(account.cpu());
    let mut rows = vec![Row::new(part, "CPU-ms per event", sum, None)];
    let spent: BTreeMap<&String, f64> = account.parts.iter().map(|(name, usage)| (name, ms(usage.cpu))).collect();
    let spent = spent.into_iter().filter(|(_, spent)| *spent > sum / 100.0);
    rows.extend(spent.map(|(name, spent)| Row::new("", &format!("of which {name}"), spent, None)));
    rows
}

/// Attempts and outcomes of deliveries that only the ledger knows.
async fn record(gateway: &Gateway, endpoint: &str, events: u64) -> Result<Vec<Row>> {
    let pool = pool::build(gateway.database_url(), 1, Purpose::Lookups)?;
    let mut conn = pool.get().await?;
    let (project, endpoint) = (gateway.project.parse()?, endpoint.parse()?);
    let batches = usize::try_from(events)?.div_ceil(RECORDS);
    let mut stored = Vec::with_capacity(batches);
    for _ in 0..batches {
        let batch: Vec<AcceptedEvent> = (0..RECORDS).map(|_| event(project, endpoint)).collect();
        let records: Vec<(DeliveryAttempt, Outcome)> =
            batch.iter().flat_map(|accepted| accepted.deliveries.first()).map(outcome).collect();
        drop(ledger::store_events(&mut conn, batch, &[]).await?);
        stored.push(records.into_iter().unzip::<_, _, Vec<_>, Vec<_>>());
    }
    let before = (gateway.account().await?, own());
    for (attempts, outcomes) in &stored {
        let moved = ledger::record_attempts(&mut conn, attempts, outcomes).await?;
        if moved != outcomes.len() {
            bail!("{moved} of {} outcomes were recorded", outcomes.len());
        }
    }
    let own = own() - before.1;
    let account = gateway.account().await?.since(&before.0);
    let postgres = account.parts.get("postgres").map_or(Duration::ZERO, |usage| usage.cpu);
    let ms = |cpu: Duration| cpu.as_secs_f64() * 1_000.0 / whole(events.max(1));
    Ok(vec![
        Row::new(&format!("record alone, {RECORDS} at a time"), "CPU-ms per event", ms(postgres + own), None),
        Row::new("", "of which postgres", ms(postgres), None),
        Row::new("", "of which its client", ms(own), None),
    ])
}

fn own() -> Duration {
    Snapshot::take().usage(&[std::process::id()]).cpu
}

/// An event of 1 KiB with one delivery, which no sweep takes for overdue.
fn event(project: ProjectId, endpoint: EndpointId) -> AcceptedEvent {
    let (id, subscription, now) = (EventId::generate(), SubscriptionId::generate(), Utc::now());
    let delivery = NewEventDelivery {
        project_id: project,
        id: EventDeliveryId::derive(id, subscription),
        event_id: id,
        endpoint_id: endpoint,
        subscription_id: subscription,
        event_type: "bench.event".into(),
        status: DeliveryStatus::Scheduled,
        delivery_mode: DeliveryMode::AtLeastOnce,
        strategy: RetryStrategy::Linear,
        retry_interval_seconds: 100,
        retry_limit: 10,
        next_send_time: now + TimeDelta::hours(1),
        description: String::new(),
        acknowledged_at: now,
        payload: None,
        ordering_key: None,
        retry_schedule: Vec::new(),
        give_up_at: None,
    };
    let event = NewEvent {
        project_id: project,
        id,
        event_type: "bench.event".into(),
        target_kind: TargetKind::Single,
        target: endpoint.to_string(),
        source_id: None,
        headers: Headers::default(),
        payload: format!("{{\"filling\":\"{}\"}}", "x".repeat(1_000)).into_bytes(),
        idempotency_key: String::new(),
        is_duplicate: false,
        url_query_params: String::new(),
        url_path: String::new(),
        endpoint_ids: vec![Some(endpoint)],
        status: EventStatus::Success,
        failure_reason: None,
        acknowledged_at: now,
    };
    AcceptedEvent::new(event, vec![delivery])
}

/// What a worker writes after a request that succeeded.
fn outcome(delivery: &NewEventDelivery) -> (DeliveryAttempt, Outcome) {
    let now: DateTime<Utc> = Utc::now();
    let headers = |pairs: &[(&str, &str)]| {
        Headers(pairs.iter().map(|(name, value)| ((*name).into(), vec![(*value).into()])).collect())
    };
    let attempt = DeliveryAttempt {
        project_id: delivery.project_id,
        id: DeliveryAttemptId::generate(),
        event_delivery_id: delivery.id,
        endpoint_id: delivery.endpoint_id,
        url: "http://127.0.0.1:9900/ok/1/0".into(),
        method: "POST".into(),
        is_success: true,
        status_code: Some(200),
        error: None,
        error_class: None,
        request_headers: headers(&[
            ("content-type", "application/json"),
            ("user-agent", "Posthouse"),
            ("webhook-id", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            ("x-convoy-signature", "0000000000000000000000000000000000000000000000000000000000000000"),
        ]),
        response_headers: headers(&[("content-length", "2"), ("content-type", "application/json")]),
        response_body: Some(b"{}".to_vec()),
        ip_address: None,
        requested_at: now,
        responded_at: Some(now),
        duration_ms: 1,
        timings: AttemptTimings { queue_ms: Some(0), first_byte_us: Some(900), ..AttemptTimings::default() },
        redirects: None,
    };
    let outcome = Outcome {
        project_id: delivery.project_id,
        id: delivery.id,
        status: DeliveryStatus::Success,
        attempt_count: 1,
        next_send_time: now,
        latency_seconds: Some(0.01),
        description: String::new(),
    };
    (attempt, outcome)
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn whole(number: u64) -> f64 {
    number as f64
}
