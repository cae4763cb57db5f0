//! What every request shares: connections, caches, settings.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use posthouse_egress::Rules;
use posthouse_jobs::Queues;
use posthouse_schema::{
    ids::{EndpointId, EventId, ProjectId},
    pool::{Pool, PooledConnection},
    project::Project,
};
use posthouse_service::{metrics::Metrics, probes::Checks};
use posthouse_transform::Transformer;
use salvo::{http::HeaderName, prelude::*};
use secrecy::SecretString;
use url::Url;

use crate::{
    auth::{KeyCache, PortalCache, password::Passwords, session::Sessions},
    cache::Cache,
    dashboard::ActivityCache,
    error::ApiError,
    ingest::source::HttpSource,
    limits::{LimitSettings, Limits},
    metrics::RequestMetrics,
    outbound::Outbound,
};

/// How long a configuration may be remembered: what changes elsewhere is seen here within this time.
pub const CACHE_TTL: Duration = Duration::from_secs(5);
const PROJECTS_MAX: usize = 10_000;
const ENDPOINTS_MAX: usize = 100_000;
const SOURCES_MAX: usize = 50_000;
/// How long an accepted idempotency key is remembered here: longer than it takes until the event is stored.
const RECENT_KEYS_TTL: Duration = Duration::from_secs(60);
const RECENT_KEYS_MAX: usize = 100_000;
/// How long a caller waits for news to go out that may be lost.
const NEWS_MAX: Duration = Duration::from_millis(500);

/// Settings of the API that handlers read.
#[derive(Debug, Clone, Default)]
pub struct ApiSettings {
    /// Most bytes of a request's body.
    pub body_bytes_max: usize,
    /// What the URLs of sources begin with; `None`: the host that the request was sent to.
    pub public_url: Option<String>,
    /// Pages of these origins may read answers, such as `https://console.example.com`; `*` for all.
    pub cors_origins: Vec<String>,
    /// Sites that may frame the customer portal, unless its project names others; none where it is empty.
    pub portal_frame_ancestors: Vec<String>,
    /// How many requests are taken.
    pub limits: LimitSettings,
    /// What endpoints' URLs are judged by when they are saved; `None` leaves that to each delivery.
    pub endpoint_rules: Option<Arc<Rules>>,
    /// Those of accounts.
    pub accounts: AccountSettings,
    /// Where the job board is read; `None`: at the host of the dashboard, by its own port.
    pub board_url: Option<Url>,
    /// What the job board listens at; `None`: it is not there.
    pub board_listen: Option<SocketAddr>,
    /// What the API listens at, where browsers find the dashboard unless `public_url` says where; `None`: it is not known.
    pub listen: Option<SocketAddr>,
}

/// Settings of accounts.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// Whether anybody may make an account.
    pub is_sign_up_open: bool,
    /// Where people reach the dashboard: what links in mails begin with.
    pub public_url: Url,
    /// What signs access tokens; without it a secret that the instances share in the database.
    pub access_token_secret: Option<SecretString>,
    /// The same for refresh tokens.
    pub refresh_token_secret: Option<SecretString>,
    /// The header in which a proxy in front names a client's address.
    pub client_address_header: Option<HeaderName>,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self {
            is_sign_up_open: true,
            public_url: Url::parse("http://127.0.0.1:5005").expect("it is a URL"),
            access_token_secret: None,
            refresh_token_secret: None,
            client_address_header: None,
        }
    }
}

/// What every request shares.
pub struct App {
    /// Database connections.
    pub pool: Pool,
    /// Where jobs go.
    pub queues: Queues,
    /// Settings.
    pub settings: ApiSettings,
    /// How many requests are taken.
    pub limits: Limits,
    /// Keys that were checked lately.
    pub keys: KeyCache,
    /// Portal links and their credentials that were checked lately.
    pub portal: PortalCache,
    /// Sessions that went on lately, and what signs their tokens.
    pub sessions: Sessions,
    /// Takes turns at hashing.
    pub passwords: Passwords,
    /// Projects that were read lately.
    pub projects: Cache<ProjectId, Arc<Project>>,
    /// Endpoints that were there lately, so that an event to one costs no query.
    pub endpoints: Cache<(ProjectId, EndpointId), ()>,
    /// How requests of the API itself leave.
    pub outbound: Outbound,
    /// Runs functions that callers try.
    pub transformer: Transformer,
    /// Sources by mask, also that there is none.
    pub sources: Cache<String, Option<Arc<HttpSource>>>,
    /// Idempotency keys of events that were accepted here lately.
    pub recent_keys: Cache<(ProjectId, String), EventId>,
    /// What the dashboard summed up lately.
    pub activity: ActivityCache,
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
    pub fn new(
        pool: Pool,
        queues: Queues,
        checks: Arc<Checks>,
        settings: ApiSettings,
        outbound: Outbound,
    ) -> Arc<Self> {
        let metrics = Metrics::new("api");
        let requests = RequestMetrics::new(&metrics);
        let limits = Limits::new(&queues, settings.limits);
        let accounts = &settings.accounts;
        let sessions = Sessions::new(accounts.access_token_secret.clone(), accounts.refresh_token_secret.clone());
        Arc::new(Self {
            pool,
            queues,
            settings,
            limits,
            sessions,
            passwords: Passwords::default(),
            keys: KeyCache::default(),
            portal: PortalCache::default(),
            projects: Cache::new(CACHE_TTL, PROJECTS_MAX),
            endpoints: Cache::new(CACHE_TTL, ENDPOINTS_MAX),
            outbound,
            transformer: Transformer::new(posthouse_transform::Limits::default()),
            sources: Cache::new(CACHE_TTL, SOURCES_MAX),
            recent_keys: Cache::new(RECENT_KEYS_TTL, RECENT_KEYS_MAX),
            activity: ActivityCache::default(),
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

    /// Tells ingest that sources of brokers have changed or are gone. It looks by itself now and then, so nothing fails with this.
    pub async fn announce_source_change(&self) {
        let told = tokio::time::timeout(NEWS_MAX, self.queues.announce_source_change()).await;
        if !matches!(told, Ok(Ok(()))) {
            tracing::debug!("That sources have changed could not be told; ingest sees it when it looks.");
        }
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
