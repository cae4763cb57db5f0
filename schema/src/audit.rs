//! The ledger's sums: what was accepted, and where it stands. `posthouse audit` shows them, and tests prove by them that
//! nothing is lost.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::{QueryResult, QueryableByName, sql_types};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::{QueryError, ids::EventId};

/// The sums of the whole ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// Events by what became of them: `delivered` (all its deliveries succeeded), `unfinished`, `failed`, `discarded`,
    /// `duplicate`, `unmatched`, `expired` (deliveries of it are gone on purpose), `inconsistent`.
    pub events: BTreeMap<String, i64>,
    /// Deliveries by status.
    pub deliveries: BTreeMap<String, i64>,
    /// Unfinished deliveries that were due more than a minute ago.
    pub overdue: i64,
    /// Attempts recorded.
    pub attempts: i64,
}

#[derive(QueryableByName)]
struct Sum {
    #[diesel(sql_type = sql_types::Text)]
    name: String,
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
}

impl Audit {
    /// Whether every event has exactly the deliveries that it was matched to.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        !self.events.contains_key("inconsistent")
    }

    /// Events in all.
    #[must_use]
    pub fn accepted(&self) -> i64 {
        self.events.values().sum()
    }
}

/// Sums up the ledger of all projects. Reads everything: for operators and tests, not for a hot path.
///
/// # Errors
/// The database fails.
pub async fn audit_all_projects(conn: &mut AsyncPgConnection) -> QueryResult<Audit> {
    let mut audit = Audit::default();
    for (name, statement) in [
        ("events", include_str!("sql/audit_events.sql")),
        ("deliveries", "SELECT status AS name, count(*) AS count FROM event_deliveries GROUP BY 1"),
        (
            "overdue",
            "SELECT 'overdue' AS name, count(*) AS count FROM event_deliveries \
             WHERE status IN ('Scheduled', 'Processing', 'Retry') AND next_send_time < now() - interval '1 minute'",
        ),
        ("attempts", "SELECT 'attempts' AS name, count(*) AS count FROM delivery_attempts"),
    ] {
        let sums: Vec<Sum> = diesel::sql_query(statement).load(conn).await?;
        for sum in sums {
            match name {
                "events" => drop(audit.events.insert(sum.name, sum.count)),
                "deliveries" => drop(audit.deliveries.insert(sum.name, sum.count)),
                "overdue" => audit.overdue = sum.count,
                _ => audit.attempts = sum.count,
            }
        }
    }
    Ok(audit)
}

/// What an audit of the events that were stored within a time has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAudit {
    /// Events that were looked at.
    pub audited: i64,
    /// Those that have not the deliveries that they were matched to.
    pub inconsistent: i64,
    /// Some of them.
    pub examples: Vec<EventId>,
    /// What was stored up to here was looked at.
    pub until: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct StoredSums {
    #[diesel(sql_type = sql_types::BigInt)]
    audited: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    inconsistent: i64,
    #[diesel(sql_type = sql_types::Array<sql_types::Uuid>)]
    examples: Vec<EventId>,
}

#[derive(QueryableByName)]
struct Reached {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    stored_at: Option<DateTime<Utc>>,
}

/// Audits the events of all projects that were stored or replayed after the first instant, up to the second or about
/// `events_max` of them, in this order.
///
/// # Errors
/// The database fails, or takes longer than a minute.
pub async fn audit_stored_all_projects(
    conn: &mut AsyncPgConnection,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    events_max: u32,
    examples_max: usize,
) -> QueryResult<StoredAudit> {
    conn.transaction::<_, QueryError, _>(async |conn| {
        diesel::sql_query("SET LOCAL statement_timeout = '1min'").execute(conn).await?;
        let beyond: Reached = diesel::sql_query(
            "SELECT max(updated_at) AS stored_at FROM (SELECT updated_at FROM events \
             WHERE updated_at > $1 AND updated_at <= $2 ORDER BY updated_at OFFSET $3 LIMIT 1) AS beyond",
        )
        .bind::<sql_types::Timestamptz, _>(from)
        .bind::<sql_types::Timestamptz, _>(until)
        .bind::<sql_types::BigInt, _>(i64::from(events_max))
        .get_result(conn)
        .await?;
        // Those that were stored together are looked at together.
        let until = beyond.stored_at.unwrap_or(until);
        let sums: StoredSums = diesel::sql_query(include_str!("sql/audit_stored.sql"))
            .bind::<sql_types::Timestamptz, _>(from)
            .bind::<sql_types::Timestamptz, _>(until)
            .bind::<sql_types::Integer, _>(i32::try_from(examples_max).unwrap_or(i32::MAX))
            .get_result(conn)
            .await?;
        let StoredSums { audited, inconsistent, examples } = sums;
        Ok(StoredAudit { audited, inconsistent, examples, until })
    })
    .await
}

/// Unfinished deliveries of all projects that were due more than a minute ago; beyond a million they are not counted.
///
/// # Errors
/// The database fails.
pub async fn overdue_all_projects(conn: &mut AsyncPgConnection) -> QueryResult<i64> {
    let sum: Sum = diesel::sql_query(
        "SELECT 'overdue' AS name, count(*) AS count FROM (SELECT FROM event_deliveries \
         WHERE status IN ('Scheduled', 'Processing', 'Retry') AND next_send_time < now() - interval '1 minute' \
         LIMIT 1000000) AS overdue",
    )
    .get_result(conn)
    .await?;
    Ok(sum.count)
}
