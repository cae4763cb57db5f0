//! A project, and workers on its queues.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::Utc;
use diesel_async::RunQueryDsl as _;
use posthouse_egress::{AddressRule, Rules, client::ClientSettings};
use posthouse_jobs::{
    BackendSettings, CreateEvent, DeliverEvent, DeliverMetaEvent, EventTarget, Job, Notify, ReplayEvent, RunBatch,
    SendChatMessage, SendEmail,
    queue::{run_worker, testing::TestQueues},
};
use posthouse_schema::{
    delivery_attempt::{self, DeliveryAttempt},
    endpoint::{Endpoint, EndpointValues},
    event_delivery::{DeliveryFilter, EventDelivery},
    ids::{EndpointId, EventId, ProjectId},
    json::Headers,
    organisation,
    page::{Direction, PageRequest, Sort},
    pool::PooledConnection,
    project::{NewProject, Project},
    project_config::ProjectConfig,
    subscription::{Subscription, SubscriptionValues},
    testing::TestDatabase,
    text_array::TextArray,
    words::{DeliveryMode, DeliveryStatus, ProjectKind, RetryStrategy},
};
use posthouse_service::metrics::Metrics;
use posthouse_worker::{
    context::Context,
    delivery::{
        gate::Gates,
        send::{Sender, Way},
    },
    handlers,
    mail::Mailer,
};
use serde_json::value::RawValue;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(10);
pub const SECRET: &str = "whsec-of-the-test";
/// Written as nobody's serializer would write it.
pub const DATA: &str = r#"{ "b": 1.00,  "a" : "ä" }"#;

pub struct World {
    pub queues: TestQueues,
    pub context: Arc<Context>,
    pub project: ProjectId,
    stop: CancellationToken,
    workers: JoinSet<()>,
}

/// A way out that allows this machine's addresses, and nothing else that is refused by default.
pub fn direct() -> Way {
    Way::Direct(Arc::new(Rules::with_allowed(vec!["127.0.0.1/32".parse::<AddressRule>().unwrap()])))
}

/// A way out through these proxies.
pub fn through(urls: Vec<url::Url>) -> Way {
    Way::Egress(Box::new(ClientSettings::at(urls)))
}

/// Attempts at once, and three at most.
pub fn config() -> ProjectConfig {
    let mut config = ProjectConfig::default();
    (config.strategy.strategy, config.strategy.duration, config.strategy.retry_count) = (RetryStrategy::Linear, 1, 3);
    config
}

impl World {
    pub async fn start(config: ProjectConfig, way: Way, mailer: Option<Mailer>) -> Self {
        Self::begin(config, (way, &[]), mailer).await
    }

    /// With this authority's certificate beside those of the system.
    pub async fn start_trusting(config: ProjectConfig, way: Way, authority: &[u8]) -> Self {
        Self::begin(config, (way, authority), None).await
    }

    async fn begin(config: ProjectConfig, (way, authority): (Way, &[u8]), mailer: Option<Mailer>) -> Self {
        // Another test of the process may have been first.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let (database, queues) = (TestDatabase::create().await, TestQueues::new().await);
        let sender = Sender::new(way, authority).unwrap();
        let metrics = Metrics::new("worker");
        let context =
            Arc::new(Context::new(database.pool(), queues.queues(), (sender, Gates::new(8)), mailer, &metrics));
        let mut conn = context.pool.get().await.unwrap();
        let organisation_id = organisation::insert(&mut conn, "acme").await.unwrap();
        let (kind, name, logo_url) = (ProjectKind::Outgoing, "orders".to_string(), String::new());
        let new = NewProject { organisation_id, name, kind, logo_url, config };
        let project = Project::insert(&mut conn, &new).await.unwrap().id;
        drop(conn);
        let mut world = Self { queues, context, project, stop: CancellationToken::new(), workers: JoinSet::new() };
        world.serve();
        world
    }

    fn serve(&mut self) {
        let (queues, stop) = (self.queues.queues(), &self.stop);
        let settings = || BackendSettings { drain: Duration::from_secs(5), ..BackendSettings::default() };
        let context = || Arc::clone(&self.context);
        let (create, deliver, mail) = (handlers::create_event, handlers::deliver_event, handlers::send_email);
        self.workers.spawn(run_worker::<CreateEvent, _, _, _>(
            queues.clone(),
            settings(),
            context(),
            create,
            stop.clone(),
        ));
        self.workers.spawn(run_worker::<DeliverEvent, _, _, _>(
            queues.clone(),
            settings(),
            context(),
            deliver,
            stop.clone(),
        ));
        let (replay, batch) = (handlers::replay_event, handlers::run_batch);
        self.workers.spawn(run_worker::<ReplayEvent, _, _, _>(
            queues.clone(),
            settings(),
            context(),
            replay,
            stop.clone(),
        ));
        self.workers.spawn(run_worker::<RunBatch, _, _, _>(queues.clone(), settings(), context(), batch, stop.clone()));
        self.workers.spawn(run_worker::<DeliverMetaEvent, _, _, _>(
            queues.clone(),
            settings(),
            context(),
            handlers::deliver_meta_event,
            stop.clone(),
        ));
        self.workers.spawn(run_worker::<Notify, _, _, _>(
            queues.clone(),
            settings(),
            context(),
            handlers::notify,
            stop.clone(),
        ));
        self.workers.spawn(run_worker::<SendChatMessage, _, _, _>(
            queues.clone(),
            settings(),
            context(),
            handlers::send_chat_message,
            stop.clone(),
        ));
        self.workers.spawn(run_worker::<SendEmail, _, _, _>(queues, settings(), context(), mail, stop.clone()));
    }

    pub async fn conn(&self) -> PooledConnection {
        self.context.pool.get().await.unwrap()
    }

    /// An endpoint at this URL that subscribes to `invoice.paid`.
    pub async fn endpoint(
        &self,
        url: &str,
        change: impl FnOnce(&mut EndpointValues, &mut SubscriptionValues),
    ) -> EndpointId {
        let mut values = EndpointValues {
            name: "e".into(),
            url: url.into(),
            description: String::new(),
            owner_id: String::new(),
            advanced_signatures: false,
            content_type: "application/json".into(),
            http_timeout_seconds: 2,
            rate_limit: 0,
            rate_limit_duration_seconds: 0,
            authentication: None,
            mtls_client_cert: None,
            ordering: None,
            follow_redirects: false,
            support_email: String::new(),
            slack_webhook_url: String::new(),
            teams_webhook_url: String::new(),
        };
        let mut subscription = SubscriptionValues {
            name: "s".into(),
            endpoint_id: EndpointId::generate(),
            source_id: None,
            event_types: TextArray(vec!["invoice.paid".into()]),
            filter: None,
            function: None,
            delivery_mode: DeliveryMode::AtLeastOnce,
            alert_config: None,
            retry_config: None,
            rate_limit_config: None,
        };
        change(&mut values, &mut subscription);
        let mut conn = self.conn().await;
        let endpoint = Endpoint::insert(&mut conn, self.project, &values, SECRET).await.unwrap();
        subscription.endpoint_id = endpoint.id;
        Subscription::insert(&mut conn, self.project, &subscription).await.unwrap();
        endpoint.id
    }

    /// One more subscription of the endpoint.
    pub async fn subscribe(&self, endpoint_id: EndpointId, event_type: &str) {
        let values = SubscriptionValues::plain("more".into(), endpoint_id, vec![event_type.into()]);
        Subscription::insert(&mut *self.conn().await, self.project, &values).await.unwrap();
    }

    /// An event for this endpoint, as the API would have accepted it.
    pub fn event(&self, endpoint_id: EndpointId, event_type: &str) -> CreateEvent {
        CreateEvent {
            project_id: self.project,
            event_id: EventId::generate(),
            target: EventTarget::Single { endpoint_id },
            event_type: event_type.into(),
            data: RawValue::from_string(DATA.into()).unwrap(),
            headers: BTreeMap::new(),
            idempotency_key: String::new(),
            source_id: None,
            url_query_params: String::new(),
            url_path: String::new(),
            ordering_key: None,
            after: None,
            accepted_at: Utc::now(),
        }
    }

    pub async fn deliveries(&self) -> Vec<EventDelivery> {
        let page = PageRequest { per_page: 1_000, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
        let mut conn = self.conn().await;
        posthouse_schema::event_delivery::list(&mut conn, self.project, &DeliveryFilter::default(), &page)
            .await
            .unwrap()
            .rows
    }

    /// Waits until there are `count` deliveries and each has ended in `status`.
    pub async fn ended(&self, count: usize, status: DeliveryStatus) -> Vec<EventDelivery> {
        let began = Instant::now();
        loop {
            let deliveries = self.deliveries().await;
            if deliveries.len() == count && deliveries.iter().all(|delivery| delivery.status == status) {
                return deliveries;
            }
            assert!(began.elapsed() < PATIENCE, "not {count} in {status:?}: {deliveries:#?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The attempts of a delivery, the first one first.
    pub async fn attempts(&self, delivery: &EventDelivery) -> Vec<DeliveryAttempt> {
        delivery_attempt::list(&mut *self.conn().await, self.project, delivery.id, 100).await.unwrap()
    }

    /// Lets the time come at which every unfinished delivery was due long ago.
    pub async fn make_overdue(&self) {
        diesel::sql_query("UPDATE event_deliveries SET next_send_time = now() - interval '5 minutes'")
            .execute(&mut *self.conn().await)
            .await
            .unwrap();
    }

    pub async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = tokio::time::timeout(PATIENCE, self.workers.join_next()).await.unwrap() {
            ended.unwrap();
        }
        for queue in posthouse_jobs::QUEUES {
            let counts = self.queues.view(queue).counts().await.unwrap();
            assert_eq!((counts.running, counts.dead), (0, 0), "{queue}");
        }
        self.queues.close().await;
    }
}

/// Waits until the condition holds.
pub async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "{what} did not come about");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Headers of an event.
pub fn headers(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<String>> {
    let pairs = pairs.iter().map(|(name, value)| (name.to_string(), vec![value.to_string()]));
    let headers: Headers = Headers(pairs.collect());
    headers.0
}

/// The queue of a job is empty.
pub async fn is_idle<J: Job>(world: &World) -> bool {
    let counts = world.queues.view(J::QUEUE).counts().await.unwrap();
    (counts.ready, counts.delayed, counts.running) == (0, 0, 0)
}
