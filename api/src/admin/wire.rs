//! Retries in all projects on the wire, contract section 2.16.

use chrono::{DateTime, Utc};
use posthouse_schema::{
    event_delivery::DeliveryFilter,
    instance_retry::{BegunRetry, InstanceRetry},
    words::BatchStatus,
};
use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};

/// What is retried in all projects.
#[derive(Debug, Deserialize, ToSchema)]
pub struct InstanceRetryBody {
    /// `Failure`, `Discarded`, or both with a comma between; both where it is missing.
    pub status: Option<String>,
    /// How far back, such as `1h30m`: of events accepted within this time. Required; at most 90 days.
    pub time: Option<String>,
    /// Only what this event became.
    pub event_id: Option<String>,
}

/// What a retry takes, in every project.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetryFilterWire {
    /// The states: `Failure`, `Discarded` or both.
    pub status: Vec<String>,
    /// The only event that is meant; null for all.
    pub event_id: Option<String>,
    /// Events accepted at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Events accepted at this instant or earlier.
    pub to: Option<DateTime<Utc>>,
}

/// A retry that was begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct BegunRetryWire {
    /// The retry, to ask how far it has come; null where no project has anything to retry.
    pub batch_id: Option<String>,
    /// `pending`, or `completed` where no project has anything to retry.
    pub status: String,
    /// Projects in which something is retried.
    pub projects: usize,
    /// Projects that are left out because a retry of theirs is under way.
    pub skipped: usize,
    /// What is retried.
    pub filter: RetryFilterWire,
}

/// How far a retry in all projects has come.
#[derive(Debug, Serialize, ToSchema)]
pub struct InstanceRetryWire {
    /// The retry.
    pub batch_id: String,
    /// `pending`, `processing`, `completed`, or `failed` where it failed in one of the projects.
    pub status: String,
    /// Projects in which something is retried.
    pub projects: i64,
    /// Deliveries that got another attempt.
    pub done: i64,
    /// What is retried.
    pub filter: RetryFilterWire,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it last went on.
    pub updated_at: DateTime<Utc>,
}

impl BegunRetryWire {
    /// The answer to who asked for it.
    #[must_use]
    pub fn new(begun: &BegunRetry, filter: DeliveryFilter) -> Self {
        let status = if begun.runs.is_empty() { BatchStatus::Completed } else { BatchStatus::Pending };
        Self {
            // Without runs nothing has this id.
            batch_id: (!begun.runs.is_empty()).then(|| begun.id.to_string()),
            status: status.to_string(),
            projects: begun.runs.len(),
            skipped: begun.skipped,
            filter: filter.into(),
        }
    }
}

impl From<InstanceRetry> for InstanceRetryWire {
    fn from(row: InstanceRetry) -> Self {
        Self {
            batch_id: row.id.to_string(),
            status: row.status().to_string(),
            projects: row.projects,
            done: row.done,
            // We wrote it. One that a later version wrote and this one cannot read is shown as empty, not as a failure.
            filter: serde_json::from_value::<DeliveryFilter>(row.filter).unwrap_or_default().into(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl From<DeliveryFilter> for RetryFilterWire {
    fn from(filter: DeliveryFilter) -> Self {
        let event = filter.event_ids.and_then(|events| events.into_iter().next());
        Self {
            status: filter.statuses.iter().map(ToString::to_string).collect(),
            event_id: event.map(|event| event.to_string()),
            from: filter.from,
            to: filter.to,
        }
    }
}
