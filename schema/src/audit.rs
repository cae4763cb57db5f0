//! The ledger's sums: what was accepted, and where it stands. `posthouse audit` shows them, and tests prove by them that
//! nothing is lost.

use std::collections::BTreeMap;

use diesel::{QueryResult, QueryableByName, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// The sums of the whole ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// Events by what became of them: `delivered` (all its deliveries succeeded), `unfinished`, `failed`, `discarded`,
    /// `duplicate`, `unmatched`, `inconsistent`.
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
