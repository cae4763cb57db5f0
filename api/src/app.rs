//! What every request shares: connections, caches, settings.

use std::{sync::Arc, time::Duration};

use posthouse_jobs::Queues;
use posthouse_schema::{
    ids::{EndpointId, ProjectId},
    pool::{Pool, PooledConnection},
    project::Project,
};
use posthouse_service::{metrics::Metrics, probes::Checks};
use salvo::prelude::*;

use crate::{
    auth::{KeyCache, PortalCache},
    cache::Cache,
    error::ApiError,
    metrics::RequestMetrics,
    outbound::Outbound,
};

/// How long a configuration may be remembered: what changes elsewhere is seen here within this time.
pub const CACHE_TTL: Duration = Duration::from_secs(5);
const PROJECTS_MAX: usize = 10_000;
const ENDPOINTS_MAX: usize = 100_000;

/// Settings of the API that handlers read.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Most bytes of a request's body.
    pub body_bytes_max: usize,
    /// Where people reach this service, without a slash at its end; empty makes links relative.
    pub public_url: String,
    /// How requests of the API itself leave.
    pub outbound: Outbound,
}

/// What every request shares.
pub struct App {
    /// Database connections.
    pub pool: Pool,
    /// Where jobs go.
    pub queues: Queues,
    /// Settings.
    pub settings: ApiSettings,
    /// Keys that were checked lately.
    pub keys: KeyCache,
    /// Portal links and their credentials that were checked lately.
    pub portal: PortalCache,
    /// Projects that were read lately.
    pub projects: Cache<ProjectId, Arc<Project>>,
    /// Endpoints that were there lately, so that an event to one costs no query.
    pub endpoints: Cache<(ProjectId, EndpointId), ()>,
    /// Readiness.
    pub checks: Arc<Checks>,
    /// All metrics.
    pub metrics: Metrics,
    /// Those of requests.
    pub requests: RequestMetrics,
}

impl App {
    /// Shared state over these services.
    #[must_use]
    pub fn new(pool: Pool, queues: Queues, checks: Arc<Checks>, settings: ApiSettings) -> Arc<Self> {
        let metrics = Metrics::new("api");
        let requests = RequestMetrics::new(&metrics);
        Arc::new(Self {
            pool,
            queues,
            settings,
            keys: KeyCache::default(),
            portal: PortalCache::default(),
            projects: Cache::new(CACHE_TTL, PROJECTS_MAX),
            endpoints: Cache::new(CACHE_TTL, ENDPOINTS_MAX),
            checks,
            metrics,
            requests,
        })
    }

    /// A database connection.
    ///
    /// # Errors
    /// 503 when there is none.
    pub async fn conn(&self) -> Result<PooledConnection, ApiError> {
        Ok(self.pool.get().await?)
    }

    /// The project with this id, as it was within the last seconds; `None`: there is none.
    ///
    /// # Errors
    /// 503 when the database is away.
    pub async fn project(&self, id: ProjectId) -> Result<Option<Arc<Project>>, ApiError> {
        if let Some(project) = self.projects.get(&id) {
            return Ok(Some(project));
        }
        let found = Project::find(&mut *self.conn().await?, id).await?.map(Arc::new);
        if let Some(project) = &found {
            self.projects.put(id, Arc::clone(project));
        }
        Ok(found)
    }
}

/// The shared state of this request.
///
/// # Errors
/// 500 when the router was built without it.
pub fn app(depot: &Depot) -> Result<Arc<App>, ApiError> {
    depot
        .get_typed::<Arc<App>>()
        .cloned()
        .map_err(|_| ApiError::Internal(anyhow::anyhow!("the router has no application state")))
}
