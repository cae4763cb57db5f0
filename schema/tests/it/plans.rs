//! The statements of the hot path find each row through the primary key of its day, also as planned while every
//! partition was empty: a connection keeps such a plan until the statistics change.

use chrono::Utc;
use diesel::{QueryableByName, sql_types::Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use posthouse_schema::{
    ids::EventId,
    partitions,
    pool::{self, Purpose},
};

use crate::fixture::{fixture, run};

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    text: String,
}

/// The plan of a statement with NULL for all parameters but the last ones.
async fn plan(conn: &mut AsyncPgConnection, statement: &str, parameters: usize, bounds: &[EventId]) -> String {
    run(conn, &format!("PREPARE hot AS {statement}")).await;
    let mut values = vec!["NULL".to_string(); parameters - bounds.len()];
    values.extend(bounds.iter().map(|id| format!("'{:032x}'", id.to_bits())));
    let explain = format!("EXPLAIN EXECUTE hot({})", values.join(", "));
    let lines: Vec<Line> = diesel::sql_query(explain).load(conn).await.unwrap();
    run(conn, "DEALLOCATE hot").await;
    lines.iter().map(|line| format!("{}\n", line.text)).collect()
}

fn reads_by_key(plan: &str, index: &str) {
    let (_, node) =
        plan.split_once(&format!("using {index}")).unwrap_or_else(|| panic!("{index} is not read:\n{plan}"));
    let condition = node.lines().nth(1).unwrap();
    assert!(condition.contains("Index Cond") && condition.contains("(id = "), "{condition}\n{plan}");
    for waste in ["Seq Scan", "Materialize", "_endpoint_id_", "Hash Join"] {
        assert!(!plan.contains(waste), "{waste}:\n{plan}");
    }
}

#[tokio::test]
async fn rows_are_found_by_their_key_whatever_the_statistics() {
    let mut fixture = fixture().await;
    let today = Utc::now().date_naive();
    partitions::make_ahead(&mut fixture.conn, today - chrono::Days::new(3), today).await.unwrap();
    let day = today.format("p%Y%m%d");
    let pool = pool::build(fixture.database.url(), 1, Purpose::Lookups).unwrap();
    let mut conn = pool.get().await.unwrap();
    for is_filled in [false, true] {
        if is_filled {
            run(&mut fixture.conn, "INSERT INTO event_deliveries (project_id, id, event_id, endpoint_id, subscription_id, event_type, status, delivery_mode, strategy, retry_interval_seconds, retry_limit, next_send_time, acknowledged_at) SELECT p.id, (substr(e.id::text, 1, 13) || substr(gen_random_uuid()::text, 14))::uuid, e.id, e.id, e.id, 't', 'Scheduled', 'at_least_once', 'linear', 1, 1, now(), now() FROM projects p, endpoints e, generate_series(1, 20000)").await;
            run(&mut fixture.conn, "ANALYZE event_deliveries").await;
        }
        let now = EventId::first_at(Utc::now());
        let load = plan(&mut conn, include_str!("../../src/sql/load_outgoing.sql"), 6, &[now; 4]).await;
        reads_by_key(&load, &format!("event_deliveries_{day}_pkey"));
        reads_by_key(&load, &format!("events_{day}_pkey"));
        let record = plan(&mut conn, include_str!("../../src/sql/record_attempts.sql"), 32, &[now]).await;
        reads_by_key(&record, &format!("event_deliveries_{day}_pkey"));
        let held = plan(&mut conn, include_str!("../../src/sql/hold_deliveries.sql"), 8, &[now]).await;
        reads_by_key(&held, &format!("event_deliveries_{day}_pkey"));
        let waiting = plan(&mut conn, include_str!("../../src/sql/waiting_in_line.sql"), 4, &[now; 2]).await;
        // Whom it waits for is looked up in the line's own index.
        let alone = waiting.lines().filter(|line| !line.contains("_ordering_key_")).collect::<Vec<_>>().join("\n");
        reads_by_key(&alone, &format!("event_deliveries_{day}_pkey"));
        assert!(waiting.contains("ordering_key = d.ordering_key) AND (line_place <"), "{waiting}");
        let before = format!("event_deliveries_{}", (today - chrono::Days::new(1)).format("p%Y%m%d"));
        assert!(!record.contains(&format!("using {before}")), "days before are left out:\n{record}");
        let store = plan(&mut conn, include_str!("../../src/sql/store_events.sql"), 36, &[]).await;
        assert!(store.contains("hashed SubPlan"), "{store}");
    }
}

#[tokio::test]
async fn no_statement_is_compiled() {
    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = Text)]
        jit: String,
    }
    let fixture = fixture().await;
    for purpose in [Purpose::General, Purpose::Lookups] {
        let pool = pool::build(fixture.database.url(), 1, purpose).unwrap();
        let setting: Setting = diesel::sql_query("SHOW jit").get_result(&mut *pool.get().await.unwrap()).await.unwrap();
        assert_eq!(setting.jit, "off", "{purpose:?}");
    }
}
