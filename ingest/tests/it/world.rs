//! A database with a project, queues of the test's own, and instances of ingest inside the test's process.

use std::time::Duration;

use diesel::{sql_query, sql_types};
use diesel_async::{AsyncConnection as _, RunQueryDsl as _};
use posthouse_ingest::{
    connection_test, feed::Feed, follow::Follower, intake::Intake, metrics::IngestMetrics, redrive, watch::Watch,
};
use posthouse_jobs::{
    CreateEvent, Job as _, StoreRejectedMessage,
    queue::{JobState, testing::TestQueues},
};
use posthouse_schema::{
    ids::{OrganisationId, ProjectId, SourceId},
    pool::Pool,
    testing::TestDatabase,
};
use posthouse_service::metrics::Metrics;
use posthouse_transform::{Limits, Transformer};
use redis::Commands as _;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::program::{SOON, eventually};

/// How often the test's instances read their sources.
const POLL: Duration = Duration::from_millis(200);
const DRAIN: Duration = Duration::from_secs(10);
const FAILING_AFTER: Duration = Duration::from_secs(2);
/// Longest run of a function: longer than anything else here takes.
pub const FUNCTION_TIME: Duration = Duration::from_secs(15);

pub struct World {
    pub database: TestDatabase,
    pub pool: Pool,
    pub project_id: ProjectId,
    pub queues: TestQueues,
}

impl World {
    /// On the Redis that the harness started.
    pub async fn new() -> Self {
        Self::with(TestQueues::new().await).await
    }

    /// On a Redis of the test's own.
    pub async fn on(redis_url: &str) -> Self {
        Self::with(TestQueues::on(redis_url).await).await
    }

    async fn with(queues: TestQueues) -> Self {
        let database = TestDatabase::create().await;
        let pool = database.pool();
        let (organisation_id, project_id) = (OrganisationId::generate(), ProjectId::generate());
        let mut conn = pool.get().await.unwrap();
        sql_query("INSERT INTO organisations (id, name) VALUES ($1, 'o')")
            .bind::<sql_types::Uuid, _>(organisation_id)
            .execute(&mut conn)
            .await
            .unwrap();
        sql_query(
            "INSERT INTO projects (id, organisation_id, name, kind, config) VALUES ($1, $2, 'p', 'outgoing', '{}')",
        )
        .bind::<sql_types::Uuid, _>(project_id)
        .bind::<sql_types::Uuid, _>(organisation_id)
        .execute(&mut conn)
        .await
        .unwrap();
        drop(conn);
        Self { database, pool, project_id, queues }
    }

    /// Runs a statement with `$1` as the source and `$2` as the settings.
    async fn change(&self, statement: &str, source_id: SourceId, pub_sub: &Value) {
        let changed = sql_query(statement)
            .bind::<sql_types::Uuid, _>(source_id)
            .bind::<sql_types::Jsonb, _>(pub_sub)
            .bind::<sql_types::Uuid, _>(self.project_id)
            .execute(&mut self.pool.get().await.unwrap())
            .await
            .unwrap();
        assert_eq!(changed, 1, "{statement}");
    }

    /// A new enabled source.
    pub async fn source(&self, pub_sub: &Value) -> SourceId {
        let id = SourceId::generate();
        let insert = format!(
            "INSERT INTO sources (project_id, id, mask_id, name, kind, pub_sub) VALUES ($3, $1, '{id}', 's', 'pub_sub', $2)"
        );
        self.change(&insert, id, pub_sub).await;
        id
    }

    pub async fn set_settings(&self, id: SourceId, pub_sub: &Value) {
        self.change(
            "UPDATE sources SET pub_sub = $2, updated_at = now() WHERE id = $1 AND project_id = $3",
            id,
            pub_sub,
        )
        .await;
    }

    /// Gives the source these functions; an empty text is none.
    pub async fn set_functions(&self, id: SourceId, body: &str, header: &str) {
        let update = "UPDATE sources SET body_function = nullif($2->>0, ''), header_function = nullif($2->>1, ''), updated_at = now() WHERE id = $1 AND project_id = $3";
        self.change(update, id, &json!([body, header])).await;
    }

    /// The jobs that keep refused messages, in the order of their ids.
    pub async fn rejected(&self) -> Vec<StoreRejectedMessage> {
        let view = self.queues.view(StoreRejectedMessage::QUEUE);
        let page = view.page(JobState::Ready, 0, 1_000).await.unwrap_or_default();
        let mut jobs: Vec<StoreRejectedMessage> =
            page.iter().map(|job| serde_json::from_slice(&job.payload).unwrap()).collect();
        jobs.sort_by_key(|job| job.message_id);
        jobs
    }

    /// Waits for so many of them.
    pub async fn wait_for_rejected(&self, count: usize) -> Vec<StoreRejectedMessage> {
        eventually(&format!("{count} refused messages"), SOON, async || self.rejected().await.len() >= count).await;
        self.rejected().await
    }

    /// So many messages in so many seconds.
    pub async fn set_rate(&self, id: SourceId, count: u32, seconds: u32) {
        let update = "UPDATE sources SET rate_limit = ($2->>0)::int, rate_limit_duration_seconds = ($2->>1)::int, updated_at = now() WHERE id = $1 AND project_id = $3";
        self.change(update, id, &json!([count, seconds])).await;
    }

    pub async fn set_disabled(&self, id: SourceId, is_disabled: bool) {
        let update =
            "UPDATE sources SET is_disabled = $2::text::bool, updated_at = now() WHERE id = $1 AND project_id = $3";
        self.change(update, id, &Value::from(is_disabled)).await;
    }

    pub async fn delete(&self, id: SourceId) {
        let update = "UPDATE sources SET deleted_at = now() WHERE id = $1 AND project_id = $3 AND $2::text IS NOT NULL";
        self.change(update, id, &Value::from(true)).await;
    }

    pub async fn set_incoming(&self) {
        sql_query("UPDATE projects SET kind = 'incoming'").execute(&mut self.pool.get().await.unwrap()).await.unwrap();
    }

    /// Takes the database away from under everybody who uses it.
    pub async fn drop_database(&self) {
        #[expect(clippy::disallowed_methods, reason = "the harness names the tests' server in the environment")]
        let server = std::env::var("POSTHOUSE_TEST_DATABASE_URL").unwrap();
        let name = self.database.url().rsplit('/').next().unwrap().split('?').next().unwrap();
        let mut conn = diesel_async::AsyncPgConnection::establish(&server).await.unwrap();
        sql_query(format!("DROP DATABASE {name} WITH (FORCE)")).execute(&mut conn).await.unwrap();
    }

    /// The way into the test's queues.
    pub fn intake(&self, metrics: &Metrics) -> Intake {
        Intake {
            queues: self.queues.queues(),
            metrics: IngestMetrics::register(metrics),
            transformer: Transformer::new(Limits { time: FUNCTION_TIME, ..Limits::default() }),
        }
    }

    /// Starts an instance in this process.
    pub async fn ingest(&self) -> Instance {
        self.ingest_that_looks_every(POLL).await
    }

    /// The same with this poll interval.
    pub async fn ingest_that_looks_every(&self, poll: Duration) -> Instance {
        let metrics = Metrics::new("ingest");
        let intake = self.intake(&metrics);
        let instance = format!("test-{:x}", rand::random::<u64>());
        let feed = Feed::new(Follower { pool: self.pool.clone(), intake: intake.clone(), instance });
        let shutdown = CancellationToken::new();
        let redrive = redrive::run(self.pool.clone(), intake.clone(), POLL, shutdown.clone());
        let tests = connection_test::run(self.pool.clone(), self.queues.queues(), shutdown.clone());
        let watch = Watch {
            pool: self.pool.clone(),
            queues: self.queues.queues(),
            statuses: intake.metrics.statuses().clone(),
            failing_after: FAILING_AFTER,
        };
        let followed = CancellationToken::new();
        let task = tokio::spawn({
            let shutdown = shutdown.clone();
            async move {
                let watching = watch.run(followed.clone());
                let following = async {
                    tokio::join!(feed.run(poll, DRAIN, shutdown), redrive, tests);
                    followed.cancel();
                };
                tokio::join!(following, watching);
            }
        });
        Instance { metrics, shutdown, task }
    }

    /// The events that Redis holds, in the order of their ids; none while it does not answer.
    pub async fn events(&self) -> Vec<CreateEvent> {
        let view = self.queues.view(CreateEvent::QUEUE);
        let mut events: Vec<CreateEvent> = Vec::new();
        while let Ok(page) = view.page(JobState::Ready, events.len(), 1_000).await {
            if page.is_empty() {
                break;
            }
            events.extend(page.iter().map(|job| serde_json::from_slice::<CreateEvent>(&job.payload).unwrap()));
        }
        events.sort_by_key(|event| event.event_id);
        events
    }

    /// Whether Redis holds so many events, which is quicker to tell than what they are.
    async fn has_events(&self, count: usize) -> bool {
        let counts = self.queues.view(CreateEvent::QUEUE).counts().await;
        counts.is_ok_and(|counts| usize::try_from(counts.ready).is_ok_and(|ready| ready >= count))
    }

    /// The data of the events, which is their number, sorted.
    pub async fn numbers(&self) -> Vec<usize> {
        let mut numbers: Vec<usize> =
            self.events().await.iter().map(|event| event.data.get().parse().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    }

    /// Waits for so many events and returns them.
    pub async fn wait_for(&self, count: usize) -> Vec<CreateEvent> {
        eventually(&format!("{count} events"), SOON, async || self.events().await.len() >= count).await;
        self.events().await
    }

    /// Waits until each of these numbers has its event; some may have two.
    pub async fn wait_for_numbers(&self, range: std::ops::Range<usize>, limit: Duration) -> Vec<usize> {
        let wanted: Vec<usize> = range.collect();
        eventually(&format!("all of {} events", wanted.len()), limit, async || {
            if !self.has_events(wanted.len()).await {
                return false;
            }
            let mut have = self.numbers().await;
            have.dedup();
            have == wanted
        })
        .await;
        self.numbers().await
    }
}

/// Removes the keys of the test, also of one that failed.
impl Drop for World {
    fn drop(&mut self) {
        let Ok(mut conn) = redis::Client::open(self.queues.url()).and_then(|client| client.get_connection()) else {
            return;
        };
        let pattern = format!("{{{}:*", self.queues.prefix());
        let keys: Vec<String> = conn.scan_match(pattern).map(|keys| keys.flatten().collect()).unwrap_or_default();
        if !keys.is_empty() {
            conn.unlink::<_, ()>(keys).ok();
        }
    }
}

/// Ingest inside the test's process.
pub struct Instance {
    metrics: Metrics,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Instance {
    /// The value of a metric with these labels, as printed; `None`: there is no such series.
    pub fn metric(&self, series: &str) -> Option<f64> {
        metric(&self.metrics, series)
    }

    pub fn is_connected(&self, source: SourceId) -> bool {
        let text = self.metrics.encode();
        text.lines().any(|line| {
            line.contains("ingest_connected{") && line.contains(&source.to_string()) && line.ends_with(" 1")
        })
    }

    pub async fn connected(&self, source: SourceId) {
        eventually("the source is consumed", SOON, async || self.is_connected(source)).await;
    }

    /// As SIGTERM does.
    pub async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(SOON, self.task).await.expect("the drain ends").unwrap();
    }

    /// As SIGKILL does: nothing is finished, acknowledged or released.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// The value of a metric with these labels, as printed; `None`: there is no such series.
pub fn metric(metrics: &Metrics, series: &str) -> Option<f64> {
    let text = metrics.encode();
    let line = text.lines().find(|line| !line.starts_with('#') && line.contains(series))?;
    line.rsplit(' ').next()?.parse().ok()
}
