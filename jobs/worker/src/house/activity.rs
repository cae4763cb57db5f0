//! Counts what happened in projects, for the dashboard's charts: what was stored, and what changed, since the last time.

use std::time::Duration;

use apalis::prelude::BoxDynError;
use posthouse_schema::activity::{Counted, count_all_projects, note_open_all_projects, settled};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::context::Context;

/// How long one run goes on while there is more: the next tick does the rest.
const RUN_MAX: Duration = Duration::from_secs(10);

/// Counts until everything is counted, or the time is over.
///
/// # Errors
/// The database fails; the next tick goes on.
pub async fn count(context: &Context) -> Result<Value, BoxDynError> {
    let end = Instant::now() + RUN_MAX;
    let mut conn = context.pool.get().await?;
    let until = settled(&mut conn).await?;
    let (mut windows, mut is_open_noted) = (0, false);
    while Instant::now() < end {
        match count_all_projects(&mut conn, until).await? {
            Counted::Windows(counted) => windows += counted,
            Counted::Busy => break,
            // Beside what was stored, so that a window of both is counted once.
            Counted::Noted | Counted::UpToDate if !is_open_noted => {
                note_open_all_projects(&mut conn).await?;
                is_open_noted = true;
            }
            Counted::Noted => {}
            Counted::UpToDate => return Ok(json!({"windows": windows, "is_up_to_date": true})),
        }
    }
    Ok(json!({"windows": windows, "is_up_to_date": false}))
}
