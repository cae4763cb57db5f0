//! Daily partitions of the ledger: made ahead, dropped behind. A row's day is the day of its id, so no partition ever has
//! to be searched for a row whose id is known.

use std::fmt;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use diesel::{QueryResult, QueryableByName, sql_types};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::ids::EventId;

/// Days made ahead of today: a scheduler may be down for so long before rows fall into the default partitions.
pub const DAYS_AHEAD: u64 = 7;
/// Rows deleted by one statement where no partition can be dropped.
const DELETE_ROWS_MAX: i32 = 10_000;

/// A table that is cut by day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionedTable {
    /// `events`.
    Events,
    /// `event_deliveries`.
    EventDeliveries,
    /// `delivery_attempts`.
    DeliveryAttempts,
    /// `event_search`.
    EventSearch,
}

impl PartitionedTable {
    /// All of them; what refers to another comes first, so that dropping in this order leaves no reference behind.
    pub const ALL: [Self; 4] = [Self::EventSearch, Self::DeliveryAttempts, Self::EventDeliveries, Self::Events];

    /// The table's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::EventDeliveries => "event_deliveries",
            Self::DeliveryAttempts => "delivery_attempts",
            Self::EventSearch => "event_search",
        }
    }
}

/// One day of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// The table.
    pub table: PartitionedTable,
    /// The day, in UTC.
    pub day: NaiveDate,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_p{}", self.table.name(), self.day.format("%Y%m%d"))
    }
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = sql_types::Text)]
    name: String,
}

/// Makes the partitions from `first` to [`DAYS_AHEAD`] days after `today` that are missing, and returns them.
///
/// # Errors
/// The database fails, or a lock could not be had within a second; what was made stays.
pub async fn make_ahead(
    conn: &mut AsyncPgConnection,
    first: NaiveDate,
    today: NaiveDate,
) -> QueryResult<Vec<Partition>> {
    make_between(conn, first, today + Days::new(DAYS_AHEAD)).await
}

/// Makes the partitions from `first` to `last` that are missing, and returns them.
///
/// # Errors
/// The database fails, a lock could not be had within a second, or the default partition has rows of such a day; what was
/// made stays.
pub async fn make_between(
    conn: &mut AsyncPgConnection,
    first: NaiveDate,
    last: NaiveDate,
) -> QueryResult<Vec<Partition>> {
    let mut made = Vec::new();
    for table in PartitionedTable::ALL {
        let present = list(conn, table).await?;
        for day in first.iter_days().take_while(|day| *day <= last) {
            if !present.iter().any(|partition| partition.day == day) {
                let partition = Partition { table, day };
                make(conn, partition).await?;
                made.push(partition);
            }
        }
    }
    Ok(made)
}

/// Drops every partition of a day before `first_kept`, deletes older rows of the default partitions, and forgets the
/// idempotency keys of the events that went, and meta events of those days. Returns the partitions dropped.
///
/// # Errors
/// The database fails, or a lock could not be had within a second; what was dropped stays dropped.
pub async fn drop_before(conn: &mut AsyncPgConnection, first_kept: NaiveDate) -> QueryResult<Vec<Partition>> {
    let mut dropped = Vec::new();
    for table in PartitionedTable::ALL {
        for partition in list(conn, table).await?.into_iter().filter(|partition| partition.day < first_kept) {
            in_short_transaction(conn, &[format!("DROP TABLE IF EXISTS {partition}")]).await?;
            dropped.push(partition);
        }
        delete_in_batches(conn, &format!("{}_default", table.name()), "id", first_kept).await?;
    }
    delete_in_batches(conn, "idempotency_keys", "event_id", first_kept).await?;
    delete_in_batches(conn, "past_idempotency_keys", "event_id", first_kept).await?;
    delete_in_batches(conn, "meta_events", "id", first_kept).await?;
    Ok(dropped)
}

/// The partitions of a table, by day.
///
/// # Errors
/// The database fails.
pub async fn list(conn: &mut AsyncPgConnection, table: PartitionedTable) -> QueryResult<Vec<Partition>> {
    let names: Vec<Name> = diesel::sql_query(
        "SELECT c.relname::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
         WHERE i.inhparent = $1::regclass ORDER BY 1",
    )
    .bind::<sql_types::Text, _>(table.name())
    .load(conn)
    .await?;
    let prefix = format!("{}_p", table.name());
    let day = |name: &Name| NaiveDate::parse_from_str(name.name.strip_prefix(&prefix)?, "%Y%m%d").ok();
    Ok(names.iter().filter_map(day).map(|day| Partition { table, day }).collect())
}

/// Attaching locks the parent less than `CREATE … PARTITION OF` would: reads and writes of other partitions go on.
async fn make(conn: &mut AsyncPgConnection, partition: Partition) -> QueryResult<()> {
    let parent = partition.table.name();
    let (from, to) = (bound(partition.day), bound(partition.day + Days::new(1)));
    in_short_transaction(
        conn,
        &[
            format!("CREATE TABLE {partition} (LIKE {parent} INCLUDING ALL)"),
            format!("ALTER TABLE {parent} ATTACH PARTITION {partition} FOR VALUES FROM ('{from}') TO ('{to}')"),
        ],
    )
    .await
}

/// The smallest id of a day as PostgreSQL writes a uuid.
fn bound(day: NaiveDate) -> String {
    format!("{:032x}", EventId::first_at(midnight(day)).to_bits())
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// Runs DDL that gives up rather than make the hot path queue behind it. Statements hold only names made from a day.
async fn in_short_transaction(conn: &mut AsyncPgConnection, statements: &[String]) -> QueryResult<()> {
    conn.transaction(async |conn| {
        diesel::sql_query("SET LOCAL lock_timeout = '1s'").execute(conn).await?;
        for statement in statements {
            diesel::sql_query(statement).execute(conn).await?;
        }
        Ok(())
    })
    .await
}

async fn delete_in_batches(
    conn: &mut AsyncPgConnection,
    table: &str,
    column: &str,
    first_kept: NaiveDate,
) -> QueryResult<()> {
    let statement =
        format!("DELETE FROM {table} WHERE ctid = ANY (ARRAY (SELECT ctid FROM {table} WHERE {column} < $1 LIMIT $2))");
    loop {
        let deleted = diesel::sql_query(&statement)
            .bind::<sql_types::Uuid, _>(EventId::first_at(midnight(first_kept)))
            .bind::<sql_types::Integer, _>(DELETE_ROWS_MAX)
            .execute(conn)
            .await?;
        if deleted < usize::try_from(DELETE_ROWS_MAX).unwrap_or(usize::MAX) {
            return Ok(());
        }
    }
}
