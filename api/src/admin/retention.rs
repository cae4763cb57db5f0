//! What the instance keeps and for how long, and what the next purge would take.

use chrono::{DateTime, Utc};
use posthouse_boxed::boxed;
use posthouse_schema::retention::{self, Horizon, InstanceRetention};
use salvo::{oapi::ToSchema, prelude::*};
use serde::Serialize;

use crate::{
    auth,
    error::{ApiError, ApiResult},
    reply::Reply,
};

/// The route of what has expired.
pub fn router() -> Router {
    Router::with_path("admin/purge/preview").get(preview_purge)
}

/// From when on something is kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct HorizonWire {
    /// Events.
    pub events: DateTime<Utc>,
    /// Deliveries, by when their events were accepted.
    pub event_deliveries: DateTime<Utc>,
    /// Attempts.
    pub delivery_attempts: DateTime<Utc>,
    /// The data of events; null where it goes with them.
    pub payloads: Option<DateTime<Utc>>,
}

/// A project that keeps something for a shorter time than the instance.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectHorizonWire {
    /// The project.
    pub project_id: String,
    /// From when on it keeps something.
    #[serde(flatten)]
    pub kept_since: HorizonWire,
}

/// Rows of a project that have expired.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExpiredWire {
    /// The project.
    pub project_id: String,
    /// `events`, `event_deliveries`, `delivery_attempts`, or `payloads` for events that only lose their data.
    pub table: String,
    /// How many.
    pub rows: i64,
}

/// What a purge would take.
#[derive(Debug, Serialize, ToSchema)]
pub struct PurgePreviewWire {
    /// From when on the instance keeps something.
    pub kept_since: HorizonWire,
    /// Projects that keep something for a shorter time.
    pub projects: Vec<ProjectHorizonWire>,
    /// What would go, of each project and each table.
    pub expired: Vec<ExpiredWire>,
    /// Days that go as a whole, unless something of them is still to be delivered.
    pub partitions: Vec<String>,
}

/// Shows what a purge would take
///
/// For instance administrators. Nothing is changed. Everything that has expired is counted, which is given up after five
/// seconds: `posthouse purge --dry-run` takes the time that it needs.
#[endpoint(tags("Administration"), operation_id = "PreviewPurge")]
#[boxed]
pub async fn preview_purge(depot: &mut Depot) -> ApiResult<PurgePreviewWire> {
    let (app, _) = auth::instance_admin(depot).await?;
    let (mut conn, now) = (app.conn().await?, Utc::now());
    let unknown = || ApiError::invalid("no scheduler has said yet how long anything is kept");
    let instance = InstanceRetention::announced(&mut conn).await?.ok_or_else(unknown)?.horizon(now);
    let projects = retention::horizons_all_projects(&mut conn, &instance, now).await?;
    let (expired, partitions) = retention::preview_all_projects(&mut conn, &instance, &projects, true).await?;
    let data = PurgePreviewWire {
        kept_since: instance.into(),
        projects: projects
            .into_iter()
            .map(|(project, own)| ProjectHorizonWire { project_id: project.to_string(), kept_since: own.into() })
            .collect(),
        expired: expired
            .into_iter()
            .map(|row| ExpiredWire { project_id: row.project_id.to_string(), table: row.purged, rows: row.rows })
            .collect(),
        partitions: partitions.iter().map(ToString::to_string).collect(),
    };
    Ok(Reply::ok("Purge previewed successfully", data))
}

impl From<Horizon> for HorizonWire {
    fn from(horizon: Horizon) -> Self {
        Self {
            events: horizon.events,
            event_deliveries: horizon.deliveries,
            delivery_attempts: horizon.attempts,
            payloads: horizon.payloads,
        }
    }
}
