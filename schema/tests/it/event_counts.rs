//! Events are counted by day: those of a day that is over once, and in the index of their partition.

use chrono::{Days, Utc};
use diesel::{QueryableByName, sql_types::Text};
use diesel_async::RunQueryDsl as _;
use posthouse_schema::{event_count, ids::EventId, partitions};

use crate::fixture::{fixture, run, store};

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    text: String,
}

#[tokio::test]
async fn a_day_that_is_over_is_counted_once() {
    let mut fixture = fixture().await;
    let (now, project) = (Utc::now(), fixture.project);
    let today = now.date_naive();
    let back = |days: u64| now - Days::new(days);
    partitions::make_ahead(&mut fixture.conn, today - Days::new(10), today).await.unwrap();
    let mut batch = Vec::new();
    for (days, count) in [(0, 2), (1, 3), (5, 4)] {
        for _ in 0..count {
            let event = fixture.event(EventId::first_at(back(days)), "");
            let event = posthouse_schema::event::NewEvent { id: random_at(back(days)), ..event };
            batch.push(posthouse_schema::ledger::AcceptedEvent::new(event, Vec::new()));
        }
    }
    store(&mut fixture.conn, batch).await;
    let window = (today - Days::new(30), today + Days::new(30));
    let expected = [(today - Days::new(5), 4), (today - Days::new(1), 3), (today, 2)];
    for _ in 0..2 {
        assert_eq!(event_count::by_day(&mut fixture.conn, project, window, now).await.unwrap(), expected);
    }
    run(&mut fixture.conn, "DELETE FROM events").await;
    let kept = event_count::by_day(&mut fixture.conn, project, window, now).await.unwrap();
    assert_eq!(kept, expected[..1], "of what has expired, the count remains");
    let existing = event_count::existing(&mut fixture.conn, project).await.unwrap();
    assert_eq!(
        (existing.events, existing.endpoints, existing.subscriptions, existing.sources),
        (false, true, true, false)
    );
    assert_eq!(event_count::endpoints(&mut fixture.conn, project).await.unwrap(), 1);
}

fn random_at(at: chrono::DateTime<Utc>) -> EventId {
    let (first, random) = (EventId::first_at(at).to_string(), EventId::generate().to_string());
    format!("{}{}", first.get(..10).unwrap(), random.get(10..).unwrap()).parse().unwrap()
}

#[tokio::test]
async fn a_day_is_counted_in_one_index() {
    let mut fixture = fixture().await;
    let today = Utc::now().date_naive();
    partitions::make_ahead(&mut fixture.conn, today - Days::new(3), today).await.unwrap();
    run(&mut fixture.conn, "INSERT INTO events (project_id, id, event_type, target_kind, target, payload, status, acknowledged_at) SELECT p.id, (substr(e.id::text, 1, 13) || substr(gen_random_uuid()::text, 14))::uuid, 't', 'broadcast', '', '', 'Success', now() FROM projects p, endpoints e, generate_series(1, 20000)").await;
    run(&mut fixture.conn, "VACUUM ANALYZE events").await;
    let begin = today.and_time(chrono::NaiveTime::MIN).and_utc();
    let (first, last) =
        (EventId::first_at(begin), EventId::last_at(begin + chrono::TimeDelta::milliseconds(86_399_999)));
    let statement = include_str!("../../src/sql/count_events.sql");
    run(&mut fixture.conn, &format!("PREPARE counting (uuid, date[], uuid[], uuid[]) AS {statement}")).await;
    let explain = format!(
        "EXPLAIN (ANALYZE, COSTS off, TIMING off) EXECUTE counting ('{:032x}', '{{{today}}}', '{{{:032x}}}', '{{{:032x}}}')",
        fixture.project.to_bits(),
        first.to_bits(),
        last.to_bits()
    );
    let lines: Vec<Line> = diesel::sql_query(explain).load(&mut fixture.conn).await.unwrap();
    let plan: String = lines.iter().map(|line| format!("{}\n", line.text)).collect();
    let index = format!("Index Only Scan using events_{}_pkey", today.format("p%Y%m%d"));
    // Of the other partitions nothing is read; the one for days that have none is empty.
    let read: Vec<&str> = plan
        .lines()
        .filter(|line| line.contains("Scan") && line.contains(" on events_") && !line.contains("never executed"))
        .filter(|line| !line.contains(" on events_default"))
        .collect();
    assert!(read.len() == 1 && read[0].contains(&index), "{plan}");
}
