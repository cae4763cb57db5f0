//! Daily partitions of the ledger: made ahead, dropped behind. A row's day is the day of its id, so no partition ever has
//! to be searched for a row whose id is known.

use std::{fmt, time::Duration};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use diesel::{QueryResult, QueryableByName, sql_types};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use tokio::time::sleep;

use crate::{QueryError, ids::EventId, retention::Horizon};

/// Days made ahead of today: a scheduler may be down for so long before rows fall into the default partitions.
pub const DAYS_AHEAD: u64 = 7;
/// Rows deleted by one statement where no partition can be dropped.
const DELETE_ROWS_MAX: i32 = 1_000;
/// Longest wait for one lock, of which a drop takes three. Everybody who comes later waits behind who waits, so this is what
/// the hot path may notice.
const LOCK_WAIT: Duration = Duration::from_millis(30);
/// Tries to get the locks in a row, and the wait between two. Whoever reads for longer is left alone until the next time.
const TRIES: usize = 8;
const TRY_PAUSE: Duration = Duration::from_millis(200);

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

    /// The first day of which something is kept by this horizon. What searches find an event by goes with it, or with its data.
    #[must_use]
    pub fn first_kept(self, horizon: &Horizon) -> NaiveDate {
        let kept_since = match self {
            Self::Events => horizon.events,
            Self::EventDeliveries => horizon.deliveries,
            Self::DeliveryAttempts => horizon.attempts,
            Self::EventSearch => horizon.payloads.unwrap_or(horizon.events),
        };
        kept_since.date_naive()
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
/// The database fails, or a lock could not be had in a few seconds; what was made stays.
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

/// What became of an expired day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropping {
    /// It is gone.
    Dropped,
    /// Something of it is still to be delivered.
    Unfinished,
    /// Somebody is reading it, or its table, for longer than can be waited.
    Busy,
}

/// Drops a day of a table, unless something of it is still to be delivered. Nobody waits longer than a moment for it.
///
/// # Errors
/// The database fails; the day is still there.
pub async fn drop(conn: &mut AsyncPgConnection, partition: Partition) -> QueryResult<Dropping> {
    let is_delivered = matches!(partition.table, PartitionedTable::EventDeliveries | PartitionedTable::Events);
    if is_delivered && has_unfinished(conn, partition.day).await? {
        return Ok(Dropping::Unfinished);
    }
    let parent = partition.table.name();
    // The table itself comes last: whoever writes to it waits for nothing but the drop.
    let locks = [
        format!("LOCK TABLE {partition} IN ACCESS EXCLUSIVE MODE"),
        format!("LOCK TABLE {parent}_default IN ACCESS EXCLUSIVE MODE"),
        format!("LOCK TABLE ONLY {parent} IN ACCESS EXCLUSIVE MODE"),
    ];
    let guard = (partition.table == PartitionedTable::EventDeliveries).then_some(partition);
    for attempt in 0..TRIES {
        if attempt > 0 {
            sleep(TRY_PAUSE).await;
        }
        match drop_at_once(conn, &locks, partition, guard).await {
            Err(error) if is_locked(&error) => {}
            outcome => return outcome,
        }
    }
    Ok(Dropping::Busy)
}

async fn drop_at_once(
    conn: &mut AsyncPgConnection,
    [own, rest @ ..]: &[String; 3],
    partition: Partition,
    guard: Option<Partition>,
) -> QueryResult<Dropping> {
    conn.transaction(async |conn| {
        set_lock_timeout(conn).await?;
        diesel::sql_query(own).execute(conn).await?;
        // Now that nobody can send anything of it again.
        if let Some(partition) = guard
            && is_unfinished(conn, &partition.to_string()).await?
        {
            return Ok(Dropping::Unfinished);
        }
        for lock in rest {
            diesel::sql_query(lock).execute(conn).await?;
        }
        diesel::sql_query(format!("DROP TABLE {partition}")).execute(conn).await?;
        Ok(Dropping::Dropped)
    })
    .await
}

/// Whether anything of the day is still to be delivered.
async fn has_unfinished(conn: &mut AsyncPgConnection, day: NaiveDate) -> QueryResult<bool> {
    let table = PartitionedTable::EventDeliveries;
    let is_there = list(conn, table).await?.iter().any(|partition| partition.day == day);
    Ok(is_there && is_unfinished(conn, &Partition { table, day }.to_string()).await?)
}

async fn is_unfinished(conn: &mut AsyncPgConnection, partition: &str) -> QueryResult<bool> {
    let statement = format!("SELECT 1 FROM {partition} WHERE status IN ('Scheduled', 'Processing', 'Retry') LIMIT 1");
    Ok(diesel::sql_query(statement).execute(conn).await? > 0)
}

/// Whether a lock was not to be had in time.
#[must_use]
pub fn is_locked(error: &QueryError) -> bool {
    // diesel has no kind for it, and the server's text is the same in every release.
    matches!(error, QueryError::DatabaseError(_, info) if info.message().contains("lock timeout"))
}

/// Forgets what is kept for as long as events and is not cut by day: idempotency keys of events before this day, and meta
/// events.
///
/// # Errors
/// The database fails; what was deleted stays deleted.
pub async fn forget_before(conn: &mut AsyncPgConnection, first_kept: NaiveDate) -> QueryResult<()> {
    delete_in_batches(conn, "idempotency_keys", "event_id", first_kept).await?;
    delete_in_batches(conn, "past_idempotency_keys", "event_id", first_kept).await?;
    delete_in_batches(conn, "event_search_default", "id", first_kept).await?;
    delete_in_batches(conn, "meta_events", "id", first_kept).await
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

pub(crate) fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// Runs DDL that gives up rather than make the hot path queue behind it, and tries again. Statements hold only names made
/// from a day.
async fn in_short_transaction(conn: &mut AsyncPgConnection, statements: &[String]) -> QueryResult<()> {
    let mut tries = TRIES;
    loop {
        let done = conn
            .transaction(async |conn| {
                set_lock_timeout(conn).await?;
                for statement in statements {
                    diesel::sql_query(statement).execute(conn).await?;
                }
                Ok(())
            })
            .await;
        tries -= 1;
        match done {
            Err(error) if is_locked(&error) && tries > 0 => sleep(TRY_PAUSE).await,
            done => return done,
        }
    }
}

async fn set_lock_timeout(conn: &mut AsyncPgConnection) -> QueryResult<usize> {
    let milliseconds = LOCK_WAIT.as_millis();
    diesel::sql_query(format!("SET LOCAL lock_timeout = {milliseconds}")).execute(conn).await
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
