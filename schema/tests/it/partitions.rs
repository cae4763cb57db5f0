//! Partitions are made ahead and dropped behind, and a row whose day has none is still taken.

use chrono::{Days, TimeDelta, Utc};
use diesel_async::RunQueryDsl;
use posthouse_schema::{
    event::{self, Event, KeyWindow},
    ids::EventId,
    ledger::AcceptedEvent,
    partitions::{self, DAYS_AHEAD, PartitionedTable},
};

use crate::fixture::{fixture, run, store};

#[tokio::test]
async fn partitions_cover_the_days_ahead_and_making_them_again_makes_none() {
    let mut conn = fixture().await.conn;
    let today = Utc::now().date_naive();
    for table in PartitionedTable::ALL {
        let days: Vec<_> =
            partitions::list(&mut conn, table).await.unwrap().into_iter().map(|partition| partition.day).collect();
        let expected: Vec<_> = today.iter_days().take(usize::try_from(DAYS_AHEAD).unwrap() + 1).collect();
        assert_eq!(days, expected, "{}", table.name());
    }
    assert!(partitions::make_ahead(&mut conn, today, today).await.unwrap().is_empty());
}

#[tokio::test]
async fn old_days_go_with_everything_in_them() {
    let mut fixture = fixture().await;
    let today = Utc::now().date_naive();
    let old_day = today - Days::new(40);
    partitions::make_ahead(&mut fixture.conn, old_day, old_day - Days::new(DAYS_AHEAD)).await.unwrap();
    let in_partition = EventId::first_at(Utc::now() - TimeDelta::days(40));
    let in_default = EventId::first_at(Utc::now() - TimeDelta::days(35));
    let kept = EventId::first_at(Utc::now());
    for id in [in_partition, in_default, kept] {
        let event = fixture.event(id, "");
        let accepted = AcceptedEvent::new(event, Vec::new());
        store(&mut fixture.conn, vec![accepted]).await;
        let window = KeyWindow::of_seconds(60);
        event::claim_keys(&mut fixture.conn, fixture.project, &[("one key of all", id)], window).await.unwrap();
    }
    assert_eq!(diesel::sql_query("SELECT 1 FROM events_default").execute(&mut fixture.conn).await.unwrap(), 1);
    let dropped = partitions::drop_before(&mut fixture.conn, today - Days::new(30)).await.unwrap();
    assert_eq!(dropped.len(), PartitionedTable::ALL.len(), "the old day of each table");
    for (id, is_there) in [(in_partition, false), (in_default, false), (kept, true)] {
        assert_eq!(Event::find(&mut fixture.conn, fixture.project, id).await.unwrap().is_some(), is_there);
    }
    for (table, left) in [("idempotency_keys", 1), ("past_idempotency_keys", 0)] {
        assert_eq!(run(&mut fixture.conn, &format!("SELECT 1 FROM {table}")).await, left, "{table}");
    }
}

#[tokio::test]
async fn a_locked_table_is_not_waited_for() {
    let mut fixture = fixture().await;
    let pool = fixture.database.pool();
    let mut other = pool.get().await.unwrap();
    run(&mut other, "BEGIN").await;
    run(&mut other, "LOCK TABLE events IN ACCESS EXCLUSIVE MODE").await;
    let began = std::time::Instant::now();
    let today = Utc::now().date_naive();
    let refused = partitions::make_ahead(&mut fixture.conn, today - Days::new(3), today).await;
    assert!(refused.is_err() && began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    run(&mut other, "ROLLBACK").await;
}
