//! PostgreSQL itself counts the rows that a question looks at, in tables and in indexes.

use diesel::{QueryResult, QueryableByName, sql_types::BigInt};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use posthouse_schema::page::{Direction, PageRequest, Sort};

use crate::fixture::run;

/// Rows of a page.
pub const PER_PAGE: u32 = 10;
/// Rows that may be read for a page, whatever is asked and however much there is.
pub const FEW: i64 = 60;
/// A statement is planned for its values five times; after that PostgreSQL may keep one plan for all values.
const TIMES: usize = 7;

#[derive(QueryableByName)]
struct Counted {
    /// Rows that were read one after the other.
    #[diesel(sql_type = BigInt)]
    scanned: i64,
    /// Rows that an index led to.
    #[diesel(sql_type = BigInt)]
    fetched: i64,
    /// Entries of indexes: where they answer alone, no row is fetched.
    #[diesel(sql_type = BigInt)]
    entries: i64,
}

async fn counted(conn: &mut AsyncPgConnection, tables: &str) -> Counted {
    run(conn, "SELECT pg_stat_force_next_flush()").await;
    run(conn, "SELECT pg_stat_clear_snapshot()").await;
    let statement = format!(
        "SELECT coalesce(sum(seq_tup_read), 0)::int8 AS scanned, coalesce(sum(idx_tup_fetch), 0)::int8 AS fetched, \
            coalesce(sum((SELECT sum(idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid)), 0)::int8 AS entries \
        FROM pg_stat_user_tables t WHERE relname ~ '^({tables})'"
    );
    diesel::sql_query(statement).get_result(conn).await.unwrap()
}

/// What a question is answered with, and the most rows that it read of the tables whose names begin so.
pub async fn measured<T>(
    conn: &mut AsyncPgConnection,
    tables: &str,
    ask: impl AsyncFn(&mut AsyncPgConnection) -> QueryResult<T>,
) -> (T, i64) {
    let mut most = 0;
    let mut answer = None;
    for _ in 0..TIMES {
        let before = counted(conn, tables).await;
        answer = Some(ask(conn).await.unwrap());
        let after = counted(conn, tables).await;
        let by_index = (after.fetched - before.fetched).max(after.entries - before.entries);
        most = most.max(after.scanned - before.scanned + by_index);
    }
    (answer.unwrap(), most)
}

/// The first page.
pub fn page<Id>(sort: Sort) -> PageRequest<Id> {
    PageRequest { per_page: PER_PAGE, sort, direction: Direction::Next, cursor: None }
}

/// What was wrong with some questions, all of it at once.
#[derive(Default)]
pub struct Verdict(Vec<String>);

impl Verdict {
    /// Of one question: the rows of its answer and how many they should be, those that it read and how many it may.
    pub fn add(&mut self, what: &str, (rows, expected): (usize, usize), (read, read_max): (i64, i64)) {
        if rows != expected || read > read_max {
            self.0.push(format!("{what}: {read} rows were read, of at most {read_max}, for {rows}, of {expected}"));
        }
    }

    pub fn give(self) {
        assert!(self.0.is_empty(), "{:#?}", self.0);
    }
}
