//! Deliveries that wait for something other than their retry policy. Waiting is no attempt, and people can see what for.

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::{
    QueryResult,
    sql_types::{Array, BigInt, Integer, Text, Timestamptz, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{EventDeliveryId, ProjectId},
    statement::Statement,
    words::HeldBy,
};

/// A delivery that is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The project.
    pub project_id: ProjectId,
    /// The delivery.
    pub id: EventDeliveryId,
    /// What holds it back.
    pub by: HeldBy,
    /// More about that, where there is more to say.
    pub why: Option<String>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// Attempts that were made when this was decided.
    pub attempt_count: i32,
}

impl Hold {
    /// What people are told.
    #[must_use]
    pub fn description(&self) -> String {
        let until = self.until.to_rfc3339_opts(SecondsFormat::Secs, true);
        match self.by {
            HeldBy::RateLimit => format!("rate limited until {until}"),
            HeldBy::CircuitBreaker => format!("breaker open until {until}"),
            HeldBy::Ordering => "waits for the one before it".into(),
            HeldBy::Secrets => {
                let why = self.why.as_deref().unwrap_or("its key is not known");
                format!("a secret of the endpoint cannot be read: {why}; it is looked at again at {until}")
            }
        }
    }
}

/// Notes on the unfinished ones among these deliveries what holds them back, and until when.
///
/// # Errors
/// The database fails; nothing is written.
pub async fn hold(conn: &mut AsyncPgConnection, holds: &[Hold]) -> QueryResult<usize> {
    let Some(first) = holds.iter().map(|hold| hold.id).min() else { return Ok(0) };
    let descriptions: Vec<String> = holds.iter().map(Hold::description).collect();
    Statement::new(include_str!("../sql/hold_deliveries.sql"))
        .bind::<Array<Uuid>, _>(holds.iter().map(|hold| hold.project_id).collect::<Vec<_>>())
        .bind::<Array<Uuid>, _>(holds.iter().map(|hold| hold.id).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(holds.iter().map(|hold| hold.by).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(holds.iter().map(|hold| hold.until).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(descriptions)
        .bind::<Array<Integer>, _>(holds.iter().map(|hold| hold.attempt_count).collect::<Vec<_>>())
        .bind::<BigInt, _>(i64::try_from(holds.len()).unwrap_or(i64::MAX))
        .bind::<Uuid, _>(first)
        .execute(conn)
        .await
}
