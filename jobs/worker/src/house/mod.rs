//! The small periodic tasks.

mod activity;
mod audit;
mod sources;

use apalis::prelude::BoxDynError;
use chrono::{TimeDelta, Utc};
use posthouse_jobs::{HouseTask, QUEUES};
use posthouse_schema::{
    event_count,
    secret_purge::{self, SecretPurge},
};
use serde_json::{Value, json};

use crate::context::Context;

/// Rows of each kind that one statement deletes.
const ROWS_AT_ONCE: i64 = 1_000;
/// Days that are counted if they were not: a scheduler may have been away for a weekend.
const DAYS_COUNTED: u64 = 3;

/// Does the task, and tells what it did.
///
/// # Errors
/// The database or the queue fails; it is done again.
pub async fn keep(task: HouseTask, context: &Context) -> Result<Value, BoxDynError> {
    match task {
        HouseTask::CountEvents => count_events(context).await,
        HouseTask::CountActivity => activity::count(context).await,
        HouseTask::ExpireSecrets => expire_secrets(context).await,
        HouseTask::WatchSources => sources::watch(context).await,
        HouseTask::TrimDeadLetters { days, letters_max } => trim_dead_letters(context, days, letters_max).await,
        HouseTask::AuditLedger { events_max } => audit::audit(context, events_max).await,
    }
}

async fn count_events(context: &Context) -> Result<Value, BoxDynError> {
    let mut conn = context.pool.get().await?;
    let mut counted = 0;
    for day in event_count::closed_days(Utc::now(), DAYS_COUNTED) {
        counted += event_count::count_day_all_projects(&mut conn, day).await?;
    }
    Ok(json!({"project_days": counted}))
}

async fn expire_secrets(context: &Context) -> Result<Value, BoxDynError> {
    let purge = secret_purge::purge_all_projects(&mut *context.pool.get().await?, ROWS_AT_ONCE).await?;
    let SecretPurge { endpoint_secrets, portal_keys, invitations } = purge;
    Ok(json!({"endpoint_secrets": endpoint_secrets, "portal_keys": portal_keys, "invitations": invitations}))
}

async fn trim_dead_letters(context: &Context, days: u16, letters_max: u32) -> Result<Value, BoxDynError> {
    let before = Utc::now() - TimeDelta::days(days.into());
    let mut trimmed = serde_json::Map::new();
    for queue in QUEUES {
        let letters = context.queues.view(queue).trim_dead(before, letters_max).await?;
        if letters > 0 {
            trimmed.insert(queue.into(), letters.into());
        }
    }
    Ok(Value::Object(trimmed))
}
