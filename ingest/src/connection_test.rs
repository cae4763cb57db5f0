//! Tries sources' brokers for those who ask by the API: step by step, by the same code that reads them, and without taking a
//! message. Of several instances one does it.

use std::time::Duration;

use posthouse_broker_settings::Settings;
use posthouse_jobs::{
    Queues,
    queue::{ConnectionTest, ConnectionTestResult},
};
use posthouse_schema::{
    pool::Pool,
    source_feed::{self, FeedSource},
    words::ProjectKind,
};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    amqp::AmqpBroker,
    broker::{Broker, Problem, Step, settings},
    fault::Fault,
    kafka::KafkaBroker,
    mqtt::MqttBroker,
    nats::NatsBroker,
    pubsub::GoogleBroker,
    redis_streams::RedisBroker,
    sqs::SqsBroker,
};

/// How often this instance looks whether somebody asks.
const PAUSE: Duration = Duration::from_millis(250);
/// Tests at once.
const TESTS_MAX: usize = 8;
/// Longest time for one of them.
const TEST_MAX: Duration = Duration::from_secs(15);

/// Answers until `shutdown`.
pub async fn run(pool: Pool, queues: Queues, shutdown: CancellationToken) {
    let (mut ticks, mut fault, mut tests) = (interval(PAUSE), Fault::default(), JoinSet::new());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            Some(ended) = tests.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "A test of a connection ended unexpectedly.");
                }
                continue;
            }
            _ = ticks.tick() => {}
        }
        while tests.len() < TESTS_MAX {
            match queues.take_connection_test().await {
                Ok(Some(test)) => {
                    let (pool, queues) = (pool.clone(), queues.clone());
                    tests.spawn(async move { answer(&pool, &queues, test).await });
                }
                Ok(None) => {
                    fault.is_over();
                    break;
                }
                Err(error) => {
                    let error = error.to_string();
                    if fault.is_news(&error) {
                        tracing::warn!(error, "Whether somebody asks for a test of a connection cannot be read now.");
                    }
                    break;
                }
            }
        }
    }
}

async fn answer(pool: &Pool, queues: &Queues, test: ConnectionTest) {
    let (id, source_id, started) = (test.id.clone(), test.source_id, Instant::now());
    let outcome = match timeout(TEST_MAX, Box::pin(source(pool, test))).await {
        Ok(Ok(source)) => Box::pin(check(&source)).await,
        Ok(Err(problem)) => Err(problem),
        Err(_) => Err(Problem::at(Step::Settings, "the database did not answer in time")),
    };
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let result = match outcome {
        Ok(notes) => ConnectionTestResult { failed_step: None, reason: None, notes, duration_ms },
        Err(problem) => ConnectionTestResult {
            failed_step: Some(problem.step.word().to_owned()),
            reason: Some(problem.reason),
            notes: Vec::new(),
            duration_ms,
        },
    };
    tracing::info!(source.id = %source_id, step = result.failed_step, duration_ms, "The connection of a source was tried.");
    if let Err(error) = queues.answer_connection_test(&id, result).await {
        tracing::warn!(source.id = %source_id, error = %error, "What came of it could not be told.");
    }
}

/// The source as it is stored, or as it would be.
async fn source(pool: &Pool, test: ConnectionTest) -> Result<FeedSource, Problem> {
    let given =
        test.pub_sub().map_err(|error| Problem::at(Step::Settings, format!("the settings cannot be read: {error}")))?;
    if let Some(pub_sub) = given {
        return Ok(FeedSource {
            project_id: test.project_id,
            project_kind: ProjectKind::Outgoing,
            id: test.source_id,
            name: String::new(),
            is_disabled: false,
            pub_sub: Some(pub_sub),
            locked: None,
            body_function: None,
            header_function: None,
            rate_limit: 0,
            rate_limit_duration_seconds: 0,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        });
    }
    let unreadable = || Problem::at(Step::Settings, "the source could not be read from the database");
    let mut conn = pool.get().await.map_err(|_| unreadable())?;
    let found = source_feed::find_broker_sources_all_projects(&mut conn, &[test.source_id]).await;
    let found = found.map_err(|_| unreadable())?.into_iter().find(|source| source.project_id == test.project_id);
    found.ok_or_else(|| Problem::at(Step::Settings, "the source is gone, or reads no broker"))
}

/// Goes through all steps.
///
/// # Errors
/// The first that fails.
pub async fn check(source: &FeedSource) -> Result<Vec<String>, Problem> {
    match settings(source).map_err(|error| Problem::at(Step::Settings, error.to_string()))? {
        Settings::Mqtt(settings) => {
            steps(&MqttBroker { source_id: source.id, settings, stale_topics: Vec::new() }).await
        }
        Settings::Amqp(settings) => steps(&AmqpBroker { settings }).await,
        Settings::Nats(settings) => steps(&NatsBroker { settings }).await,
        Settings::Kafka(settings) => steps(&KafkaBroker { settings }).await,
        Settings::Redis(settings) => steps(&RedisBroker::new(settings, "test")).await,
        Settings::Sqs(settings) => steps(&SqsBroker { settings }).await,
        Settings::Google(settings) => steps(&GoogleBroker { settings }).await,
    }
}

async fn steps<B: Broker>(broker: &B) -> Result<Vec<String>, Problem> {
    let all = async {
        if let Some(reach) = broker.reach().map_err(|reason| Problem::at(Step::Settings, reason))? {
            reach.check().await?;
        }
        broker.check().await
    };
    match timeout(TEST_MAX, Box::pin(all)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Problem::at(Step::SignIn, "the broker did not answer in time")),
    }
}
