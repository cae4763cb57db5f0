//! Whether what was stored lately adds up: every event has exactly the deliveries that it was matched to. Each event is looked
//! at some minutes after it was stored or replayed; `posthouse audit` looks at everything.

use apalis::prelude::BoxDynError;
use chrono::{DateTime, TimeDelta, Utc};
use posthouse_jobs::HouseTask;
use posthouse_schema::{audit, schedule::ScheduleRun};
use serde_json::{Value, json};

use crate::context::Context;

/// What is younger may still be being written.
const SETTLED: TimeDelta = TimeDelta::minutes(2);
/// How far back the first audit begins.
const FIRST: TimeDelta = TimeDelta::minutes(10);
/// Events that are named where they do not add up.
const EXAMPLES_MAX: usize = 10;

/// Goes on where the last audit that succeeded has ended.
///
/// # Errors
/// The database fails.
pub async fn audit(context: &Context, events_max: u32) -> Result<Value, BoxDynError> {
    let name = HouseTask::AuditLedger { events_max }.name();
    let mut conn = context.pool.get().await?;
    let until = Utc::now() - SETTLED;
    let last = ScheduleRun::last_success(&mut conn, name).await?.and_then(|run| reached(&run));
    let from = last.unwrap_or(until - FIRST);
    let window = audit::audit_stored_all_projects(&mut conn, (from, until), events_max, EXAMPLES_MAX).await?;
    let overdue = audit::overdue_all_projects(&mut conn).await?;
    if window.inconsistent > 0 {
        let (events, examples) = (window.inconsistent, &window.examples);
        tracing::error!(events, examples = ?examples, "Events do not have the deliveries that they were matched to.");
    }
    Ok(json!({
        "audited": window.audited,
        "inconsistent": window.inconsistent,
        "examples": window.examples,
        "overdue": overdue,
        "until": window.until,
    }))
}

fn reached(run: &ScheduleRun) -> Option<DateTime<Utc>> {
    run.result.as_ref()?.get("until")?.as_str()?.parse().ok()
}
