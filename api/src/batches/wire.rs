//! Batches on the wire.

use chrono::{DateTime, Utc};
use posthouse_schema::{batch_report::BatchReport, batch_run::BatchRun};
use salvo::oapi::ToSchema;
use serde::Serialize;

/// A retry or a replay of everything that a query matched.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchWire {
    /// The batch.
    pub uid: String,
    /// `retry`, `replay`, or `dry_run` for a replay that is only tried.
    pub kind: String,
    /// `pending`, `processing`, `completed`, `failed` or `cancelled`.
    pub status: String,
    /// Deliveries or events that were enqueued so far; of a replay that is only tried, events that were matched.
    pub done: i64,
    /// It has come to what was accepted at this time, from the oldest on; null before it begins.
    pub reached_at: Option<DateTime<Utc>>,
    /// What a replay would do, as far as it was tried; null for the others.
    pub report: Option<ReportWire>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it last went on.
    pub updated_at: DateTime<Utc>,
}

/// What a replay would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportWire {
    /// Events that were matched.
    pub events: u64,
    /// Of these, events that nobody would get.
    pub unmatched: u64,
    /// Deliveries that would be made.
    pub deliveries: u64,
    /// The same for each endpoint, the one with the most first; at most 1,000 endpoints.
    pub endpoints: Vec<EndpointReportWire>,
    /// Deliveries to endpoints that are not named here.
    pub others: u64,
}

/// What an endpoint would get.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointReportWire {
    /// The endpoint.
    pub endpoint_id: String,
    /// Deliveries to it.
    pub deliveries: u64,
}

/// A batch that was begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct BegunBatchWire {
    /// The batch, to ask how far it has come.
    pub batch_id: String,
}

impl From<BatchRun> for BatchWire {
    fn from(row: BatchRun) -> Self {
        let report = row.report.clone().and_then(|report| serde_json::from_value::<BatchReport>(report).ok());
        Self {
            uid: row.id.to_string(),
            kind: row.kind.to_string(),
            status: row.status.to_string(),
            done: row.done,
            reached_at: row.reached_at(),
            report: report.map(ReportWire::from),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl From<BatchReport> for ReportWire {
    fn from(report: BatchReport) -> Self {
        let of = |(endpoint, deliveries): (posthouse_schema::ids::EndpointId, u64)| EndpointReportWire {
            endpoint_id: endpoint.to_string(),
            deliveries,
        };
        let mut endpoints: Vec<_> = report.endpoints.into_iter().map(of).collect();
        endpoints.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.deliveries));
        Self {
            events: report.events,
            unmatched: report.unmatched,
            deliveries: report.deliveries,
            endpoints,
            others: report.others,
        }
    }
}
