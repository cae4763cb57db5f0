//! Migrations apply once, are seen as pending before, and can be reverted and applied again. An older database keeps what is in
//! it.

use std::collections::BTreeMap;

use diesel::{QueryableByName, sql_types::Text};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _};
use posthouse_schema::{migrations, testing::TestDatabase};

/// The newest migration of the release before.
const RELEASED: &str = "20261126000022";
/// Rows as that release wrote them, one at least in each table that people's data is in.
const RELEASED_ROWS: &str = include_str!("released_rows.sql");

#[tokio::test(flavor = "multi_thread")]
async fn they_apply_once_and_can_be_redone() {
    let database = TestDatabase::create_empty().await;
    let pending = migrations::pending(database.url()).await.unwrap();
    assert!(!pending.is_empty());
    let both = tokio::join!(migrations::run(database.url()), migrations::run(database.url()));
    let (one, other) = (both.0.unwrap(), both.1.unwrap());
    assert_eq!(one.len() + other.len(), pending.len(), "two at once apply each migration once");
    assert!(migrations::pending(database.url()).await.unwrap().is_empty());
    migrations::revert_last(database.url()).await.unwrap();
    assert_eq!(migrations::pending(database.url()).await.unwrap().len(), 1);
    migrations::run(database.url()).await.unwrap();
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

async fn lines(conn: &mut AsyncPgConnection, statement: &str) -> Vec<String> {
    let lines: Vec<Line> = diesel::sql_query(statement).load(conn).await.unwrap();
    lines.into_iter().map(|line| line.line).collect()
}

/// The columns of every table, as a list for SELECT.
async fn columns(conn: &mut AsyncPgConnection) -> BTreeMap<String, String> {
    let columns = lines(
        conn,
        "SELECT c.table_name || ' ' || string_agg(quote_ident(c.column_name), ', ' ORDER BY c.column_name) AS line \
         FROM information_schema.columns c \
         JOIN pg_class p ON p.oid = format('public.%I', c.table_name)::regclass AND NOT p.relispartition AND p.relkind IN ('r', 'p') \
         WHERE c.table_schema = 'public' AND c.table_name NOT LIKE '\\_\\_%' GROUP BY c.table_name",
    )
    .await;
    let split = |line: String| line.split_once(' ').map(|(table, columns)| (table.to_string(), columns.to_string()));
    columns.into_iter().filter_map(split).collect()
}

/// Every row of every table in these columns.
async fn rows(conn: &mut AsyncPgConnection, columns: &BTreeMap<String, String>) -> BTreeMap<String, Vec<String>> {
    let mut rows = BTreeMap::new();
    for (table, columns) in columns {
        let statement = format!("SELECT to_jsonb(t)::text AS line FROM (SELECT {columns} FROM {table}) t ORDER BY 1");
        rows.insert(table.clone(), lines(conn, &statement).await);
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_of_the_release_before_keeps_what_is_in_it() {
    let database = TestDatabase::create_empty().await;
    migrations::run_up_to(database.url(), RELEASED).await.unwrap();
    for statement in RELEASED_ROWS.split(";\n").filter(|statement| !statement.trim().is_empty()) {
        database.run(statement).await;
    }
    let mut conn = AsyncPgConnection::establish(database.url()).await.unwrap();
    let known = columns(&mut conn).await;
    let before = rows(&mut conn, &known).await;
    for table in [
        "projects",
        "endpoints",
        "endpoint_secrets",
        "subscriptions",
        "events",
        "event_deliveries",
        "delivery_attempts",
    ] {
        assert!(!before[table].is_empty(), "{table} has no row to lose");
    }
    let pending = migrations::pending(database.url()).await.unwrap();
    assert_eq!(migrations::run(database.url()).await.unwrap().len(), pending.len());
    // In the columns that the release before knows, which it goes on to read while both run.
    for (table, before) in before {
        let known = BTreeMap::from([(table.clone(), known[&table].clone())]);
        assert_eq!(rows(&mut conn, &known).await[&table], before, "{table}");
    }
    // What it writes goes on to be taken.
    for statement in
        RELEASED_ROWS.replace("00000000-0000", "11111111-0000").replace("@example", "@again.example").split(";\n")
    {
        if !statement.trim().is_empty() {
            database.run(statement).await;
        }
    }
}
