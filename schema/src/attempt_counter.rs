//! How often something was tried within a window, counted in the database so that all instances see the same number. Who
//! tried is kept as a hash: whatever is typed into a form leaves 32 bytes.

use std::time::Duration;

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName,
    sql_types::{Array, Bytea, Double, Integer},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sha2::{Digest as _, Sha256};

use crate::tables::attempt_counters;

/// Who tries what, such as a password for an account from an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject(Vec<u8>);

impl Subject {
    /// The subject made of these parts.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            // The length keeps ("a", "bc") and ("ab", "c") apart.
            digest.update(part.len().to_be_bytes());
            digest.update(part.as_bytes());
        }
        Self(digest.finalize().to_vec())
    }
}

/// Attempts of a subject in its window, the one just counted included.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// Who.
    pub subject: Subject,
    /// How many.
    pub attempts: i32,
    /// When the window ends.
    pub ends_in: Duration,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Bytea)]
    subject: Vec<u8>,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Double)]
    seconds: f64,
}

/// Counts an attempt of each subject. A subject whose window is over begins a new one.
///
/// # Errors
/// The database fails.
pub async fn count(conn: &mut AsyncPgConnection, subjects: &[Subject], window: Duration) -> QueryResult<Vec<Counted>> {
    let hashes: Vec<&[u8]> = subjects.iter().map(|subject| subject.0.as_slice()).collect();
    let rows: Vec<Row> = diesel::sql_query(include_str!("sql/count_attempts.sql"))
        .bind::<Array<Bytea>, _>(hashes)
        .bind::<Double, _>(window.as_secs_f64())
        .load(conn)
        .await?;
    let counted = |row: Row| Counted {
        subject: Subject(row.subject),
        attempts: row.attempts,
        ends_in: Duration::try_from_secs_f64(row.seconds).unwrap_or_default(),
    };
    Ok(rows.into_iter().map(counted).collect())
}

/// Forgets the attempts of a subject.
///
/// # Errors
/// The database fails.
pub async fn forget(conn: &mut AsyncPgConnection, subject: &Subject) -> QueryResult<()> {
    diesel::delete(attempt_counters::table.filter(attempt_counters::subject.eq(&subject.0))).execute(conn).await?;
    Ok(())
}

/// Takes one attempt of a subject back.
///
/// # Errors
/// The database fails.
pub async fn take_back(conn: &mut AsyncPgConnection, subject: &Subject) -> QueryResult<()> {
    use attempt_counters::attempts;
    diesel::update(attempt_counters::table.find(&subject.0).filter(attempts.gt(0)))
        .set(attempts.eq(attempts - 1))
        .execute(conn)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_told_apart() {
        assert_eq!(Subject::of(&["a", "bc"]), Subject::of(&["a", "bc"]));
        assert_ne!(Subject::of(&["a", "bc"]), Subject::of(&["ab", "c"]));
        assert_ne!(Subject::of(&["a"]), Subject::of(&["a", ""]));
    }
}
