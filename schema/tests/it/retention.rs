//! What has expired goes, by days and by rows; what is still to be delivered stays; and nobody has to wait for any of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use chrono::{DateTime, Days, TimeDelta, Utc};
use diesel::{
    QueryableByName,
    sql_types::{BigInt, Double},
};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _};
use posthouse_schema::{
    audit::{audit_all_projects, audit_stored_all_projects},
    event::{self, Event, KeyWindow},
    event_count,
    event_delivery::{DeliveryFilter, EventDelivery},
    ids::{DeliveryAttemptId, EventDeliveryId, EventId, ProjectId},
    ledger::AcceptedEvent,
    partitions::{self, DAYS_AHEAD, Dropping, Partition, PartitionedTable},
    retention::{self, Horizon, InstanceRetention, Purge},
    words::DeliveryStatus,
};

use crate::fixture::{Fixture, fixture, run, store};

fn ago(days: i64) -> EventId {
    EventId::first_at(Utc::now() - TimeDelta::days(days))
}

fn horizon(days: u16) -> Horizon {
    InstanceRetention::new(days, None, None, None).horizon(Utc::now())
}

async fn make_day(conn: &mut AsyncPgConnection, id: EventId) {
    let day = id.created_at().date_naive();
    partitions::make_ahead(conn, day, day - Days::new(DAYS_AHEAD)).await.unwrap();
}

/// An event with a delivery in this state and an attempt of it.
async fn stored(fixture: &mut Fixture, id: EventId, status: DeliveryStatus) {
    let mut delivery = fixture.delivery(id, id.created_at());
    delivery.status = status;
    let mut event = fixture.event(id, &format!("key of {id}"));
    event.endpoint_ids = vec![Some(fixture.endpoint)];
    store(&mut fixture.conn, vec![AcceptedEvent::new(event, vec![delivery])]).await;
    let key = format!("key of {id}");
    let window = KeyWindow::of_seconds(0);
    event::claim_keys(&mut fixture.conn, fixture.project, &[(&key, id)], window).await.unwrap();
    let delivery = EventDeliveryId::derive(id, fixture.subscription);
    // Of the same time, and as unique.
    let attempt = DeliveryAttemptId::from_bits(delivery.to_bits());
    run(
        &mut fixture.conn,
        &format!(
            "INSERT INTO delivery_attempts (project_id, id, event_delivery_id, endpoint_id, url, method, is_success, requested_at, duration_ms) \
             VALUES ('{:032x}', '{:032x}', '{:032x}', '{:032x}', 'u', 'POST', true, now(), 1)",
            fixture.project.to_bits(),
            attempt.to_bits(),
            delivery.to_bits(),
            fixture.endpoint.to_bits()
        ),
    )
    .await;
}

async fn purge(fixture: &mut Fixture, horizon: &Horizon) -> Purge {
    retention::purge_all_projects(&mut fixture.conn, horizon, Utc::now()).await.unwrap()
}

async fn rows(fixture: &mut Fixture, table: &str) -> usize {
    run(&mut fixture.conn, &format!("SELECT 1 FROM {table}")).await
}

async fn policy(fixture: &mut Fixture, policy: &str) {
    let statement = format!("UPDATE projects SET config = jsonb_set(config, '{{retention_policy}}', '{policy}')");
    run(&mut fixture.conn, &statement).await;
}

async fn is_there(fixture: &mut Fixture, id: EventId) -> bool {
    Event::find(&mut fixture.conn, fixture.project, id).await.unwrap().is_some()
}

#[tokio::test]
async fn old_days_go_with_everything_in_them() {
    let mut fixture = fixture().await;
    let (in_partition, in_default, kept) = (ago(40), ago(35), ago(0));
    make_day(&mut fixture.conn, in_partition).await;
    for id in [in_partition, in_default, kept] {
        stored(&mut fixture, id, DeliveryStatus::Success).await;
    }
    assert_eq!(rows(&mut fixture, "events_default").await, 1);
    let instance = horizon(30);
    let (expired, days) = retention::preview_all_projects(&mut fixture.conn, &instance, &[], true).await.unwrap();
    let counts: Vec<_> = expired.iter().map(|row| (row.purged.as_str(), row.project_id, row.rows)).collect();
    let project = fixture.project;
    assert_eq!(
        counts,
        [("delivery_attempts", project, 2), ("event_deliveries", project, 2), ("events", project, 2)],
        "what goes with its day, and what has none"
    );
    assert_eq!(rows(&mut fixture, "events").await, 3, "nothing has gone yet");
    let purge = purge(&mut fixture, &instance).await;
    assert_eq!(purge.dropped.len(), PartitionedTable::ALL.len(), "the old day of each table");
    assert_eq!(days, purge.dropped);
    assert_eq!(
        purge.rows.into_iter().collect::<Vec<_>>(),
        [("delivery_attempts", 1), ("event_deliveries", 1), ("events", 1)]
    );
    for (id, is_kept) in [(in_partition, false), (in_default, false), (kept, true)] {
        assert_eq!(is_there(&mut fixture, id).await, is_kept);
    }
    for table in ["idempotency_keys", "events", "event_deliveries", "delivery_attempts"] {
        assert_eq!(rows(&mut fixture, table).await, 1, "{table}");
    }
}

#[tokio::test]
async fn what_is_still_to_be_delivered_stays_with_its_event() {
    let mut fixture = fixture().await;
    let old = ago(40);
    let waiting = EventId::from_bits(old.to_bits() | 7);
    make_day(&mut fixture.conn, old).await;
    stored(&mut fixture, old, DeliveryStatus::Success).await;
    stored(&mut fixture, waiting, DeliveryStatus::Retry).await;
    let instance = horizon(30);
    let purged = purge(&mut fixture, &instance).await;
    let unfinished: Vec<_> = purged.unfinished.iter().map(|partition| partition.table).collect();
    assert_eq!(unfinished, [PartitionedTable::EventDeliveries, PartitionedTable::Events]);
    assert!(is_there(&mut fixture, waiting).await && !is_there(&mut fixture, old).await);
    assert_eq!((rows(&mut fixture, "events").await, rows(&mut fixture, "event_deliveries").await), (1, 1));
    assert!(audit_all_projects(&mut fixture.conn).await.unwrap().adds_up());
    run(&mut fixture.conn, "UPDATE event_deliveries SET status = 'Success'").await;
    assert_eq!(purge(&mut fixture, &instance).await.dropped.len(), 2);
    assert_eq!(rows(&mut fixture, "events").await, 0);
}

#[tokio::test]
async fn a_project_keeps_what_it_has_for_a_shorter_time() {
    let mut fixture = fixture().await;
    for days in [5, 20] {
        make_day(&mut fixture.conn, ago(days)).await;
        stored(&mut fixture, ago(days), DeliveryStatus::Failure).await;
    }
    // Another project's, of the same days.
    let other = ProjectId::generate();
    let add = format!(
        "INSERT INTO projects (id, organisation_id, name, kind, config) SELECT '{:032x}', organisation_id, 'q', kind, '{{}}' FROM projects",
        other.to_bits()
    );
    let own = fixture.project;
    policy(&mut fixture, r#"{"policy": "10d", "attempts": "96h"}"#).await;
    run(&mut fixture.conn, &add).await;
    fixture.project = other;
    let others = EventId::from_bits(ago(20).to_bits() | 9);
    stored(&mut fixture, others, DeliveryStatus::Success).await;
    fixture.project = own;
    let instance = horizon(30);
    let projects = retention::horizons_all_projects(&mut fixture.conn, &instance, Utc::now()).await.unwrap();
    assert_eq!(projects.iter().map(|(project, _)| *project).collect::<Vec<_>>(), [own]);
    let (expired, days) =
        retention::preview_all_projects(&mut fixture.conn, &instance, &projects, false).await.unwrap();
    let counts: Vec<_> = expired.iter().map(|row| (row.purged.as_str(), row.project_id, row.rows)).collect();
    assert_eq!(counts, [("delivery_attempts", own, 2), ("event_deliveries", own, 1), ("events", own, 1)]);
    assert!(days.is_empty());
    let purged = purge(&mut fixture, &instance).await;
    assert!(purged.dropped.is_empty());
    assert_eq!(
        purged.rows.into_iter().collect::<Vec<_>>(),
        [("delivery_attempts", 2), ("event_deliveries", 1), ("events", 1)]
    );
    assert_eq!((rows(&mut fixture, "events").await, rows(&mut fixture, "idempotency_keys").await), (2, 2));
    assert!(Event::find(&mut fixture.conn, other, others).await.unwrap().is_some(), "others keep theirs");
    assert!(purge(&mut fixture, &instance).await.rows.is_empty());
    assert!(audit_all_projects(&mut fixture.conn).await.unwrap().adds_up());
}

#[tokio::test]
async fn an_event_outlives_its_data_and_its_deliveries_and_the_ledger_adds_up() {
    let mut fixture = fixture().await;
    let (old, fresh, waiting) = (ago(5), ago(0), EventId::from_bits(ago(5).to_bits() | 3));
    make_day(&mut fixture.conn, old).await;
    for (id, status) in
        [(old, DeliveryStatus::Success), (fresh, DeliveryStatus::Success), (waiting, DeliveryStatus::Scheduled)]
    {
        stored(&mut fixture, id, status).await;
    }
    run(&mut fixture.conn, "UPDATE event_deliveries SET payload = '{}'").await;
    policy(&mut fixture, r#"{"payloads": "24h"}"#).await;
    let purged = purge(&mut fixture, &horizon(30)).await;
    assert_eq!(purged.rows.into_iter().collect::<Vec<_>>(), [("payloads", 1)]);
    for (id, is_gone) in [(old, true), (fresh, false), (waiting, false)] {
        let event = Event::find(&mut fixture.conn, fixture.project, id).await.unwrap().unwrap();
        assert_eq!(event.payload.is_empty(), is_gone, "{id}");
    }
    assert_eq!(run(&mut fixture.conn, "SELECT 1 FROM event_deliveries WHERE payload IS NULL").await, 1);
    assert!(purge(&mut fixture, &horizon(30)).await.rows.is_empty());
    policy(&mut fixture, r#"{"deliveries": "72h", "payloads": "24h"}"#).await;
    let from = Utc::now() - TimeDelta::hours(1);
    purge(&mut fixture, &horizon(30)).await;
    let audit = audit_all_projects(&mut fixture.conn).await.unwrap();
    assert!(audit.adds_up() && audit.events["expired"] == 1, "{audit:?}");
    let now = Utc::now() + TimeDelta::minutes(1);
    let stored = audit_stored_all_projects(&mut fixture.conn, (from, now), 1_000, 5).await.unwrap();
    assert_eq!((stored.audited, stored.inconsistent, stored.until), (3, 0, now));
}

#[tokio::test]
async fn an_event_without_its_deliveries_is_found_by_the_audit() {
    let mut fixture = fixture().await;
    let ids: Vec<EventId> = (0..5).map(|_| EventId::generate()).collect();
    for id in &ids {
        stored(&mut fixture, *id, DeliveryStatus::Success).await;
    }
    let lost = format!("DELETE FROM event_deliveries WHERE event_id = '{:032x}'", ids[2].to_bits());
    run(&mut fixture.conn, &lost).await;
    let (from, until) = (Utc::now() - TimeDelta::hours(1), Utc::now() + TimeDelta::minutes(1));
    let all = audit_stored_all_projects(&mut fixture.conn, (from, until), 1_000, 5).await.unwrap();
    assert_eq!((all.audited, all.inconsistent, all.examples), (5, 1, vec![ids[2]]));
    // In steps, each of which goes on where the one before has ended.
    let (mut reached, mut audited, mut steps) = (from, 0, 0);
    while reached < until {
        let step = audit_stored_all_projects(&mut fixture.conn, (reached, until), 2, 5).await.unwrap();
        assert!(step.until > reached, "it goes on");
        (reached, audited, steps) = (step.until, audited + step.audited, steps + 1);
    }
    assert!(audited == 5 && steps > 1, "{audited} in {steps}");
}

#[tokio::test]
async fn days_are_counted_while_they_are_there() {
    let mut fixture = fixture().await;
    let now = Utc::now();
    let days: Vec<_> = event_count::closed_days(now, 3).collect();
    assert_eq!(days, [4, 3, 2].map(|ago| now.date_naive() - Days::new(ago)));
    let id = EventId::first_at(days[1].and_hms_opt(23, 59, 59).unwrap().and_utc());
    stored(&mut fixture, id, DeliveryStatus::Success).await;
    for _ in 0..2 {
        event_count::count_day_all_projects(&mut fixture.conn, days[1]).await.unwrap();
        event_count::count_day_all_projects(&mut fixture.conn, days[2]).await.unwrap();
    }
    run(&mut fixture.conn, "DELETE FROM events").await;
    let counted = event_count::by_day(&mut fixture.conn, fixture.project, (days[0], days[2]), now).await.unwrap();
    assert_eq!(counted, [(days[1], 1)]);
}

#[derive(QueryableByName)]
struct Waits {
    #[diesel(sql_type = BigInt)]
    waiting: i64,
    #[diesel(sql_type = Double)]
    longest_ms: f64,
}

/// How long anybody but this process waits for a lock, by the server's own account, until `done`.
async fn longest_wait(url: String, purger: i32, done: Arc<AtomicBool>) -> (i64, f64) {
    let mut conn = AsyncPgConnection::establish(&url).await.unwrap();
    let (mut seen, mut longest) = (0, 0.0_f64);
    while !AtomicBool::load(&done, SeqCst) {
        let now: Waits = diesel::sql_query(format!(
            "SELECT count(*) AS waiting, coalesce(max(extract(epoch FROM clock_timestamp() - waitstart) * 1000), 0)::float8 AS longest_ms \
             FROM pg_locks WHERE NOT granted AND waitstart IS NOT NULL AND pid <> {purger} AND locktype = 'relation' \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ))
        .get_result(&mut conn)
        .await
        .unwrap();
        (seen, longest) = (seen + now.waiting, longest.max(now.longest_ms));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (seen, longest)
}

#[derive(QueryableByName)]
struct Pid {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    pid: i32,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_hardly_notice_a_purge_that_has_to_wait_for_a_long_reader() {
    let mut fixture = fixture().await;
    let old = ago(40);
    make_day(&mut fixture.conn, old).await;
    stored(&mut fixture, old, DeliveryStatus::Success).await;
    let partition = Partition { table: PartitionedTable::Events, day: old.created_at().date_naive() };
    let url = fixture.database.url().to_string();
    let mut reader = AsyncPgConnection::establish(&url).await.unwrap();
    run(&mut reader, "BEGIN").await;
    // Whoever reads the old day as well, as a backup does, is met before the table is locked.
    run(&mut reader, "LOCK TABLE ONLY events IN ACCESS SHARE MODE").await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for number in 0..3_u128 {
        let (stop, url, project) = (Arc::clone(&stop), url.clone(), fixture.project);
        writers.push(tokio::spawn(async move {
            let mut conn = AsyncPgConnection::establish(&url).await.unwrap();
            let mut written = 0_u128;
            while !AtomicBool::load(&stop, SeqCst) {
                let id = EventId::from_bits(ago(0).to_bits() | (number << 40) | written);
                let statement = format!(
                    "INSERT INTO events (project_id, id, event_type, target_kind, target, payload, status, acknowledged_at) \
                     VALUES ('{:032x}', '{:032x}', 't', 'broadcast', '', '{{}}', 'Success', now()) ON CONFLICT DO NOTHING",
                    project.to_bits(),
                    id.to_bits()
                );
                run(&mut conn, &statement).await;
                written += 1;
            }
            written
        }));
    }
    let purger: Pid = diesel::sql_query("SELECT pg_backend_pid() AS pid").get_result(&mut fixture.conn).await.unwrap();
    // On a machine that has other things to do any wait may be long; but not the longest of every round.
    let (mut seen, mut best) = (0, f64::MAX);
    for _ in 0..3 {
        let done = Arc::new(AtomicBool::new(false));
        let watched = tokio::spawn(longest_wait(url.clone(), purger.pid, Arc::clone(&done)));
        let dropping = partitions::drop(&mut fixture.conn, partition).await.unwrap();
        assert_eq!(dropping, Dropping::Busy, "somebody reads the day");
        done.store(true, SeqCst);
        let (waits, longest) = watched.await.unwrap();
        (seen, best) = (seen + waits, best.min(longest));
    }
    run(&mut reader, "COMMIT").await;
    // Between two requests, sooner or later.
    let mut rounds = 0;
    while partitions::drop(&mut fixture.conn, partition).await.unwrap() != Dropping::Dropped {
        rounds += 1;
        assert!(rounds < 20, "it never gets its turn");
    }
    stop.store(true, SeqCst);
    for writer in writers {
        assert!(writer.await.unwrap() > 0);
    }
    println!("{seen} waits seen, the longest of the best round {best:.1} ms");
    assert!(seen > 0, "the writers were never in the way");
    assert!(best < 100.0, "{best} ms");
}

#[tokio::test]
async fn a_delivery_that_is_sent_again_keeps_its_day() {
    let mut fixture = fixture().await;
    let old = ago(40);
    make_day(&mut fixture.conn, old).await;
    stored(&mut fixture, old, DeliveryStatus::Failure).await;
    let day = old.created_at().date_naive();
    let mut other = AsyncPgConnection::establish(fixture.database.url()).await.unwrap();
    // Not committed yet when the purge looks for the first time.
    run(&mut other, "BEGIN").await;
    run(&mut other, "UPDATE event_deliveries SET status = 'Scheduled'").await;
    let partition = Partition { table: PartitionedTable::EventDeliveries, day };
    assert_eq!(partitions::drop(&mut fixture.conn, partition).await.unwrap(), Dropping::Busy);
    run(&mut other, "COMMIT").await;
    assert_eq!(partitions::drop(&mut fixture.conn, partition).await.unwrap(), Dropping::Unfinished);
    let kept: Vec<EventDelivery> = event_deliveries(&mut fixture, old.created_at()).await;
    assert_eq!(kept.len(), 1);
}

async fn event_deliveries(fixture: &mut Fixture, at: DateTime<Utc>) -> Vec<EventDelivery> {
    use posthouse_schema::page::{Direction, PageRequest, Sort};
    let page = PageRequest { per_page: 10, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
    let filter = DeliveryFilter { from: Some(at), to: Some(at), ..DeliveryFilter::default() };
    posthouse_schema::event_delivery::list(&mut fixture.conn, fixture.project, &filter, &page).await.unwrap().rows
}
