//! The small periodic tasks, what operators see of them, and a scheduler that is told what to do.

use std::{sync::Arc, time::Duration};

use apalis::prelude::Data;
use chrono::{DateTime, Utc};
use diesel_async::RunQueryDsl as _;
use posthouse_jobs::{HouseTask, Job as _, KeepHouse, PurgeExpired, SweepDeliveries};
use posthouse_schema::{
    ids::SourceId,
    lease,
    meta_event::MetaEvent,
    page::{Direction, PageRequest, Sort},
    schedule::{self, NewSchedule, ScheduleRun, ScheduleView},
    words::{DeliveryStatus, MetaEventKind},
};
use posthouse_service::metrics::Metrics;
use posthouse_worker::{
    handlers,
    scheduler::{
        self,
        metrics::SchedulerMetrics,
        schedules::{CatchUp, Schedule, Work},
    },
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    receiver::{Receiver, plain},
    world::{World, config, direct, until},
};

async fn sql(world: &World, statement: String) -> usize {
    diesel::sql_query(statement).execute(&mut *world.conn().await).await.unwrap()
}

/// Runs the task as a tick of its schedule, and gives what it tells.
async fn kept(world: &World, task: HouseTask) -> Value {
    let tick = noted(world, task.name()).await;
    handlers::keep_house(KeepHouse { tick: tick.into(), task }, Data::new(Arc::clone(&world.context))).await.unwrap();
    run(world, task.name()).await.result.unwrap()
}

/// A tick of the schedule, as the scheduler notes it.
async fn noted(world: &World, name: &'static str) -> DateTime<Utc> {
    let mut conn = world.conn().await;
    let token = lease::acquire(&mut conn, "scheduler", "s", Duration::from_secs(60)).await.unwrap().unwrap();
    let new = NewSchedule {
        name,
        cron: "0 * * * * *".into(),
        catch_up_max: 1,
        jitter_seconds: 0,
        settings: json!({}),
        next_tick_at: None,
    };
    schedule::announce(&mut conn, &[new], "s", ("scheduler", token)).await.unwrap();
    let tick = DateTime::from_timestamp_millis(Utc::now().timestamp_millis()).unwrap();
    assert!(schedule::note_tick(&mut conn, name, tick, ("scheduler", token)).await.unwrap());
    schedule::mark_enqueued(&mut conn, name, tick).await.unwrap();
    tick
}

async fn run(world: &World, name: &str) -> ScheduleRun {
    ScheduleRun::list(&mut *world.conn().await, name, 1).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_run_tells_who_did_it_and_what_came_of_it() {
    let world = World::start(config(), direct(), None).await;
    let tick = noted(&world, SweepDeliveries::QUEUE).await;
    handlers::sweep_deliveries(SweepDeliveries { tick: tick.into() }, Data::new(Arc::clone(&world.context)))
        .await
        .unwrap();
    let swept = run(&world, SweepDeliveries::QUEUE).await;
    assert_eq!((swept.status(), swept.worker.as_ref(), swept.tries), ("succeeded", Some(&world.context.instance), 1));
    assert_eq!(swept.result.unwrap()["overdue"], 0);
    let tick = noted(&world, PurgeExpired::QUEUE).await;
    sql(&world, "ALTER TABLE sessions RENAME TO lost".into()).await;
    let purge = PurgeExpired::new(tick, 30);
    assert!(handlers::purge_expired(purge.clone(), Data::new(Arc::clone(&world.context))).await.is_err());
    let failed = run(&world, PurgeExpired::QUEUE).await;
    assert!(failed.status() == "failed" && failed.error.unwrap().contains("sessions"));
    sql(&world, "ALTER TABLE lost RENAME TO sessions".into()).await;
    handlers::purge_expired(purge, Data::new(Arc::clone(&world.context))).await.unwrap();
    let purged = run(&world, PurgeExpired::QUEUE).await;
    assert_eq!((purged.status(), purged.tries, purged.error), ("succeeded", 2, None));
    assert!(purged.result.unwrap()["partitions_dropped"].is_array());
    world.stop().await;
}

#[tokio::test]
async fn secrets_keys_and_invitations_go_after_their_time() {
    let world = World::start(config(), direct(), None).await;
    let endpoint = world.endpoint("http://127.0.0.1:1/", |_, _| {}).await;
    let project = world.project.to_bits();
    for ago in ["2 days", "1 hour"] {
        sql(&world, format!("INSERT INTO endpoint_secrets (project_id, endpoint_id, id, value, expires_at) VALUES ('{project:032x}', '{:032x}', gen_random_uuid(), 'old', now() - interval '{ago}')", endpoint.to_bits())).await;
        sql(&world, format!("WITH link AS (INSERT INTO portal_links (project_id, id, name, owner_id, auth_type, token, token_hash) VALUES ('{project:032x}', gen_random_uuid(), 'l', 'o', 'static_token', 't', '{ago}') RETURNING id) INSERT INTO portal_keys (id, project_id, portal_link_id, mask, hash, expires_at) SELECT gen_random_uuid(), '{project:032x}', id, '{ago}', 'h', now() - interval '{ago}' FROM link")).await;
    }
    for (ago, status) in [("31 days", "pending"), ("29 days", "pending"), ("31 days", "accepted")] {
        sql(&world, format!("INSERT INTO organisation_invites (organisation_id, id, invitee_email, role, token_hash, status, expires_at) SELECT id, gen_random_uuid(), '{ago}', 'project_viewer', '{ago}{status}', '{status}', now() - interval '{ago}' FROM organisations")).await;
    }
    let expired = kept(&world, HouseTask::ExpireSecrets).await;
    assert_eq!(expired, json!({"endpoint_secrets": 1, "portal_keys": 1, "invitations": 1}));
    assert_eq!(
        sql(&world, "SELECT 1 FROM endpoint_secrets".into()).await,
        2,
        "the one that signs, and one just rolled"
    );
    world.stop().await;
}

#[tokio::test]
async fn a_project_is_told_once_of_a_source_that_has_fallen_silent() {
    let receiver = Receiver::start().await;
    receiver.then(&[&plain("200 OK", ""), &plain("200 OK", "")]);
    let mut wanting = config();
    (wanting.meta_event.is_enabled, wanting.meta_event.url) = (true, receiver.url());
    wanting.meta_event.event_type = Some(vec![MetaEventKind::SourceFailing.as_str().into()]);
    let world = World::start(wanting, direct(), None).await;
    let (project, source) = (world.project.to_bits(), SourceId::generate());
    sql(&world, format!("INSERT INTO sources (project_id, id, mask_id, name, kind, stale_after_seconds, updated_at) VALUES ('{project:032x}', '{:032x}', 'm', 'billing', 'http', 3600, now() - interval '2 hours')", source.to_bits())).await;
    assert_eq!(kept(&world, HouseTask::WatchSources).await, json!({"stale": 1, "recovered": 0}));
    assert_eq!(kept(&world, HouseTask::WatchSources).await, json!({"stale": 0, "recovered": 0}));
    let page = PageRequest { per_page: 10, sort: Sort::Descending, direction: Direction::Next, cursor: None };
    let told = async || {
        let time = (Utc::now() - chrono::TimeDelta::hours(1), Utc::now() + chrono::TimeDelta::hours(1));
        MetaEvent::list(&mut *world.conn().await, world.project, time, &page).await.unwrap().rows
    };
    until("it is told", async || told().await.iter().any(|row| row.status == DeliveryStatus::Success)).await;
    let [event] = &told().await[..] else { panic!("once") };
    let payload: Value = serde_json::from_slice(&event.payload).unwrap();
    assert_eq!((event.event_type.as_str(), &payload["data"]["reason"]), ("source.failing", &json!("stale")));
    assert_eq!((&payload["data"]["uid"], &payload["data"]["name"]), (&json!(source), &json!("billing")));
    assert_eq!((&payload["data"]["type"], &payload["data"]["broker"]), (&json!("http"), &json!("")));
    sql(&world, "UPDATE sources SET updated_at = now()".into()).await;
    assert_eq!(kept(&world, HouseTask::WatchSources).await, json!({"stale": 0, "recovered": 1}));
    world.stop().await;
}

#[tokio::test]
async fn an_audit_goes_on_where_the_last_one_ended() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    receiver.then(&[&plain("200 OK", ""), &plain("200 OK", "")]);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    for _ in 0..2 {
        world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    }
    world.ended(2, DeliveryStatus::Success).await;
    sql(&world, "UPDATE events SET updated_at = now() - interval '5 minutes'".into()).await;
    let task = HouseTask::AuditLedger { events_max: 100 };
    let first = kept(&world, task).await;
    assert_eq!((&first["audited"], &first["inconsistent"], &first["overdue"]), (&json!(2), &json!(0), &json!(0)));
    let second = kept(&world, task).await;
    assert_eq!(second["audited"], json!(0), "not again");
    // One was lost, and the next looks at it.
    sql(&world, "DELETE FROM event_deliveries WHERE id = (SELECT id FROM event_deliveries LIMIT 1)".into()).await;
    sql(
        &world,
        format!(
            "UPDATE events SET updated_at = '{}'::timestamptz + interval '1 millisecond'",
            second["until"].as_str().unwrap()
        ),
    )
    .await;
    until("the time is old enough", async || kept(&world, task).await["inconsistent"] == json!(1)).await;
    let sums =
        schedule::sum_audits(&mut *world.conn().await, task.name(), Utc::now() - chrono::TimeDelta::hours(1)).await;
    assert_eq!(sums.unwrap().inconsistent, 1);
    world.stop().await;
}

#[tokio::test]
async fn what_happened_is_counted_once() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    receiver.then(&[&plain("200 OK", "")]);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    world.ended(1, DeliveryStatus::Success).await;
    sql(&world, "UPDATE events SET updated_at = now() - interval '5 minutes'".into()).await;
    let counted = kept(&world, HouseTask::CountActivity).await;
    assert_eq!(counted, json!({"windows": 1, "is_up_to_date": true}));
    assert_eq!(
        sql(&world, "SELECT 1 FROM activity_deliveries WHERE success = 1 AND waiting + retry = 0".into()).await,
        1
    );
    let again = kept(&world, HouseTask::CountActivity).await;
    assert_eq!(again, json!({"windows": 0, "is_up_to_date": true}));
    world.stop().await;
}

/// Else the newest window is counted again and again for as long as events come in.
#[tokio::test]
async fn what_is_stored_while_it_is_counted_is_left_to_the_next_time() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    receiver.then(&[&plain("200 OK", "")]);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    for _ in 0..100 {
        world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    }
    world.ended(100, DeliveryStatus::Success).await;
    // One becomes old enough every 20 ms.
    let statement = "WITH numbered AS (SELECT id, row_number() OVER () AS number FROM events) \
        UPDATE events e SET updated_at = clock_timestamp() - interval '2 seconds' + n.number * interval '20 milliseconds' \
        FROM numbered n WHERE e.id = n.id";
    sql(&world, statement.into()).await;
    let counted = kept(&world, HouseTask::CountActivity).await;
    assert!(counted["windows"].as_u64().unwrap() <= 2 && counted["is_up_to_date"] == json!(true), "{counted}");
    world.stop().await;
}

fn schedules() -> Vec<Schedule> {
    let every_second: cron::Schedule = "* * * * * *".parse().unwrap();
    let never: cron::Schedule = "0 0 0 1 1 * 2099".parse().unwrap();
    let schedule = |name, cron, work| Schedule { name, cron, catch_up: CatchUp::Latest, jitter: Duration::ZERO, work };
    vec![
        schedule(SweepDeliveries::QUEUE, every_second, Work::Sweep),
        schedule("expire_secrets", never, Work::House(HouseTask::ExpireSecrets)),
    ]
}

#[tokio::test]
async fn a_scheduler_does_what_it_is_told_and_the_next_one_as_well() {
    let world = World::start(config(), direct(), None).await;
    let ticks = async |name: &str| ScheduleRun::list(&mut *world.conn().await, name, 1_000).await.unwrap();
    let start = |holder: &'static str| {
        let (pool, queues, stop) = (world.context.pool.clone(), world.queues.queues(), CancellationToken::new());
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let metrics = Metrics::new("scheduler");
            let own = SchedulerMetrics::new(&metrics);
            scheduler::run((&pool, &queues), &schedules(), holder, (&metrics, &own), &stopped).await;
        });
        (stop, task)
    };
    let (stop, task) = start("first");
    until("it ticks", async || {
        ticks(SweepDeliveries::QUEUE).await.iter().filter(|run| run.enqueued_at.is_some()).count() >= 2
    })
    .await;
    let view = ScheduleView::find(&mut *world.conn().await, "expire_secrets").await.unwrap().unwrap();
    assert_eq!(
        (view.announced_by.as_str(), view.next_tick_at.unwrap().to_rfc3339().as_str()),
        ("first", "2099-01-01T00:00:00+00:00")
    );
    let tick =
        schedule::request_run(&mut *world.conn().await, ("expire_secrets", "ada"), Utc::now()).await.unwrap().unwrap();
    until("what was asked for is enqueued", async || ticks("expire_secrets").await[0].enqueued_at.is_some()).await;
    let counts = world.queues.view(KeepHouse::QUEUE).counts().await.unwrap();
    assert_eq!(
        (counts.ready, ticks("expire_secrets").await.len(), ticks("expire_secrets").await[0].tick_at),
        (1, 1, tick)
    );
    schedule::pause(&mut *world.conn().await, SweepDeliveries::QUEUE, "ada").await.unwrap().unwrap();
    stop.cancel();
    task.await.unwrap();
    let before = ticks(SweepDeliveries::QUEUE).await.len();
    let (stop, task) = start("second");
    until("another one is active", async || {
        ScheduleView::find(&mut *world.conn().await, SweepDeliveries::QUEUE).await.unwrap().unwrap().announced_by
            == "second"
    })
    .await;
    let again =
        schedule::request_run(&mut *world.conn().await, ("expire_secrets", "ada"), Utc::now()).await.unwrap().unwrap();
    until("it takes what is asked for", async || {
        ticks("expire_secrets").await.iter().any(|run| run.tick_at == again && run.enqueued_at.is_some())
    })
    .await;
    assert_eq!(ticks(SweepDeliveries::QUEUE).await.len(), before, "it stays paused");
    let resumed_at = Utc::now();
    schedule::resume(&mut *world.conn().await, SweepDeliveries::QUEUE, "ada").await.unwrap().unwrap();
    until("it goes on", async || ticks(SweepDeliveries::QUEUE).await.len() > before).await;
    let since = ticks(SweepDeliveries::QUEUE).await;
    let since: Vec<_> = since.iter().take(since.len() - before).map(|run| run.tick_at).collect();
    assert!(since.iter().all(|tick| *tick > resumed_at), "what came meanwhile is not made up for: {since:?}");
    stop.cancel();
    task.await.unwrap();
    world.stop().await;
}
