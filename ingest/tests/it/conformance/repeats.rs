//! What a broker sends again: where it names its messages, it makes no second event, whether the connection was lost before the
//! answer or the process was killed.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use posthouse_broker_settings::Settings;
use posthouse_ingest::{
    amqp::AmqpBroker,
    broker::{Answer, Broker, Consumer, Link, Message, Sharing, settings},
    kafka::KafkaBroker,
    message::Origin,
    mqtt::MqttBroker,
    nats::NatsBroker,
    pubsub::GoogleBroker,
    redis_streams::RedisBroker,
    sqs::SqsBroker,
};
use posthouse_jobs::CreateEvent;
use posthouse_service::metrics::Metrics;
use tokio_util::sync::CancellationToken;

use super::{RIGHT, TestBroker, feed_source, publish};
use crate::{
    broker::numbers,
    process::Process,
    program::{SOON, eventually},
    world::{World, metric},
};

/// Longest wait for what a broker sends again: Kafka waits for a silent member of the group first.
const LONG: Duration = Duration::from_secs(60);
const COUNT: usize = 20;
/// More than any broker sends two readers without an answer.
const WAITING: usize = 1_500;

/// A broker whose first answers never reach it: the connection ends before.
struct Forgetful<B> {
    broker: B,
    forgotten: Arc<AtomicUsize>,
}

struct ForgetfulLink<L> {
    link: L,
    forgotten: Arc<AtomicUsize>,
}

impl<B: Broker> Broker for Forgetful<B> {
    type Link = ForgetfulLink<B::Link>;
    const KIND: &'static str = B::KIND;
    const SHARING: Sharing = B::SHARING;

    async fn connect(&self) -> Result<Self::Link, String> {
        Ok(ForgetfulLink { link: self.broker.connect().await?, forgotten: Arc::clone(&self.forgotten) })
    }
}

impl<L: Link> Link for ForgetfulLink<L> {
    type Tag = L::Tag;

    async fn receive(&mut self, stop: &CancellationToken) -> Result<Vec<Message<L::Tag>>, String> {
        self.link.receive(stop).await
    }

    async fn hold(&mut self, answers: &[(L::Tag, Answer)]) -> Result<(), String> {
        self.link.hold(answers).await
    }

    async fn settle(&mut self, answers: Vec<(L::Tag, Answer)>) -> Result<(), String> {
        if self.forgotten.compare_exchange(0, answers.len(), Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            return Err("cut before the answer".to_owned());
        }
        self.link.settle(answers).await
    }

    async fn close(self) {
        self.link.close().await;
    }
}

pub async fn are_recognised<B: TestBroker + 'static>() {
    let broker = B::start().await;
    B::make(broker.port(), "slow").await;
    rate_and_lag(&broker).await;
    B::make(broker.port(), "again").await;
    lost_answers(&broker).await;
    B::make(broker.port(), "killed").await;
    sigkill(&broker).await;
}

async fn lost_answers<B: TestBroker>(broker: &B) {
    let world = World::new().await;
    let source = feed_source(broker.source("again", broker.port(), RIGHT));
    let (origin, source_id, stop) = (Origin::of(&source), source.id, CancellationToken::new());
    let (forgotten, metrics) = (Arc::new(AtomicUsize::new(0)), Metrics::new("ingest"));
    let intake = world.intake(&metrics);
    let consuming = tokio::spawn({
        let (stop, forgotten) = (stop.clone(), Arc::clone(&forgotten));
        async move {
            macro_rules! consume {
                ($broker:expr) => {{
                    let broker = &Forgetful { broker: $broker, forgotten };
                    let (_always, may_connect) = tokio::sync::watch::channel(true);
                    Box::pin(Consumer { origin, rate: None, broker, intake }.run(may_connect, &stop)).await;
                }};
            }
            match settings(&source).unwrap() {
                Settings::Mqtt(settings) => consume!(MqttBroker { source_id, settings, stale_topics: Vec::new() }),
                Settings::Amqp(settings) => consume!(AmqpBroker { settings }),
                Settings::Kafka(settings) => consume!(KafkaBroker { settings }),
                Settings::Nats(settings) => consume!(NatsBroker { settings }),
                Settings::Redis(settings) => consume!(RedisBroker::new(settings, "test")),
                Settings::Sqs(settings) => consume!(SqsBroker { settings }),
                Settings::Google(settings) => consume!(GoogleBroker { settings }),
            }
        }
    });
    let is_connected = async || metric(&metrics, &format!("ingest_connected{{source_id=\"{source_id}\"")) == Some(1.0);
    eventually("it is consumed", SOON, is_connected).await;
    let mut bodies = numbers(0..COUNT);
    bodies.push("no json".to_owned());
    publish(broker, "again", &bodies).await;
    eventually("what was not answered comes again", LONG, async || {
        let expected = bodies.len() + forgotten.load(Ordering::SeqCst);
        let received = metric(&metrics, "ingest_received_total{").unwrap_or_default();
        expected > bodies.len() && received >= f64::from(u32::try_from(expected).unwrap())
    })
    .await;
    stop.cancel();
    consuming.await.unwrap();
    let mut numbers = world.numbers().await;
    if B::NAMES_MESSAGES {
        assert_eq!(numbers.len(), COUNT, "{} came again", forgotten.load(Ordering::SeqCst));
        assert_eq!(world.rejected().await.len(), 1);
    } else {
        assert!(numbers.len() > COUNT, "nobody can tell that they came before");
        numbers.dedup();
    }
    assert_eq!(numbers, (0..COUNT).collect::<Vec<_>>());
}

/// A source with a rate takes no more in, the rest waits at its broker, and the broker tells how many wait.
async fn rate_and_lag<B: TestBroker>(broker: &B) {
    let world = World::new().await;
    let source_id = world.source(&broker.source("slow", broker.port(), RIGHT)).await;
    world.set_rate(source_id, 40, 86_400).await;
    let (one, two) = (world.ingest().await, world.ingest().await);
    eventually("it is consumed", SOON, async || one.is_connected(source_id) || two.is_connected(source_id)).await;
    publish(broker, "slow", &numbers(0..WAITING)).await;
    world.wait_for(1).await;
    let lag = format!("ingest_lag{{source_id=\"{source_id}\"");
    if B::TELLS_LAG {
        eventually("the broker tells what waits", LONG, async || {
            [&one, &two].iter().any(|ingest| ingest.metric(&lag).is_some_and(|lag| lag > 0.0))
        })
        .await;
        eventually("it is told with the source's state", SOON, async || {
            let state = world.queues.queues().source_state(source_id).await.unwrap();
            state.is_some_and(|state| state.note.lag.is_some())
        })
        .await;
    }
    // Of Kafka it may be less: what a member had in hand when another one joined comes to that one too, and takes a turn twice.
    eventually("as many come as may", SOON, async || {
        world.events().await.len() >= if B::IS_DEALT_OUT { 1 } else { 40 }
    })
    .await;
    assert!(world.events().await.len() <= 40, "and no more in a day");
    world.set_rate(source_id, 0, 0).await;
    assert_eq!(
        world.wait_for_numbers(0..WAITING, LONG).await.len(),
        WAITING,
        "held back, and neither lost nor doubled"
    );
    one.stop().await;
    two.stop().await;
}

/// The real program is killed while messages flow.
async fn sigkill<B: TestBroker>(broker: &B) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let world = World::new().await;
    world.source(&broker.source("killed", broker.port(), RIGHT)).await;
    let mut process = Process::start(&world);
    process.consumes().await;
    let bodies = numbers(0..1_000);
    let publishing = publish(broker, "killed", &bodies);
    let killing = async {
        eventually("messages flow", SOON, async || !world.events().await.is_empty()).await;
        process.kill().await;
    };
    tokio::join!(publishing, killing);
    let process = Process::start(&world);
    world.wait_for_numbers(0..1_000, LONG).await;
    process.stop().await;
    if B::NAMES_MESSAGES {
        assert_distinct(&world.events().await);
    } else {
        // What was in hand comes once more, and however much of it there was, only that.
        let numbers = world.numbers().await;
        assert!(numbers.windows(3).all(|three| three[0] != three[2]), "a message has three events");
    }
}

/// No two events are of one message.
pub fn assert_distinct(events: &[CreateEvent]) {
    let mut names = HashSet::new();
    for event in events {
        let name = &event.headers["x-broker-message-id"][0];
        assert!(names.insert(name), "{name} is two events: {}", event.data);
    }
}
