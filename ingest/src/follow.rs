//! One source, from its settings to its farewell. It runs in a task of its own, so nothing that happens here delays
//! another source.

use posthouse_broker_settings::Settings;
use posthouse_jobs::queue::Rate;
use posthouse_schema::{pool::Pool, source_feed::FeedSource};
use tokio::sync::watch;

use crate::{
    amqp::AmqpBroker,
    broker::{Broker, Consumer, Sharing, settings, workers},
    intake::Intake,
    kafka::KafkaBroker,
    lease::SourceLease,
    message::Origin,
    mqtt::MqttBroker,
    nats::NatsBroker,
    pubsub::GoogleBroker,
    redis_streams::RedisBroker,
    sqs::SqsBroker,
    status::End,
    stop::{Farewell, Stop},
};

/// What following a source takes.
#[derive(Clone)]
pub struct Follower {
    /// The database, for leases.
    pub pool: Pool,
    /// Where events go.
    pub intake: Intake,
    /// Names this instance; differs between any two that run.
    pub instance: String,
}

impl Follower {
    /// Consumes the source until `stop`, sharing it with other instances as its broker allows.
    pub async fn follow(&self, source: &FeedSource, stale_topics: Vec<String>, stop: &Stop) {
        let statuses = self.intake.metrics.statuses();
        match settings(source) {
            Ok(Settings::Mqtt(settings)) => {
                self.consume(source, &MqttBroker { source_id: source.id, settings, stale_topics }, stop).await;
            }
            Ok(Settings::Amqp(settings)) => self.consume(source, &AmqpBroker { settings }, stop).await,
            Ok(Settings::Nats(settings)) => self.consume(source, &NatsBroker { settings }, stop).await,
            Ok(Settings::Kafka(settings)) => self.consume(source, &KafkaBroker { settings }, stop).await,
            Ok(Settings::Sqs(settings)) => self.consume(source, &SqsBroker { settings }, stop).await,
            Ok(Settings::Google(settings)) => self.consume(source, &GoogleBroker { settings }, stop).await,
            Ok(Settings::Redis(settings)) => {
                let broker = RedisBroker::new(settings, &self.instance);
                self.consume(source, &broker, stop).await;
            }
            Err(error) => {
                let error = error.to_string();
                tracing::warn!(source.id = %source.id, error, "The source cannot be consumed with these settings.");
                statuses.begin(source);
                statuses.lost(source.id, &error);
                stop.requested().await;
                statuses.end(source, End::Left);
            }
        }
    }

    /// Makes the broker of a source that is gone and was not being consumed forget it.
    pub async fn forget(&self, source: &FeedSource) {
        match settings(source) {
            Ok(Settings::Mqtt(settings)) => {
                forget(source, &MqttBroker { source_id: source.id, settings, stale_topics: Vec::new() }).await;
            }
            Ok(Settings::Amqp(settings)) => forget(source, &AmqpBroker { settings }).await,
            Ok(Settings::Nats(settings)) => forget(source, &NatsBroker { settings }).await,
            Ok(Settings::Kafka(settings)) => forget(source, &KafkaBroker { settings }).await,
            Ok(Settings::Sqs(settings)) => forget(source, &SqsBroker { settings }).await,
            Ok(Settings::Google(settings)) => forget(source, &GoogleBroker { settings }).await,
            Ok(Settings::Redis(settings)) => forget(source, &RedisBroker::new(settings, &self.instance)).await,
            Err(_) => {}
        }
    }

    async fn consume<B: Broker>(&self, source: &FeedSource, broker: &B, stop: &Stop) {
        let intake = Intake { metrics: self.intake.metrics.of_kind(B::KIND), ..self.intake.clone() };
        let rate = Rate::of_seconds(source.rate_limit, source.rate_limit_duration_seconds);
        let consumer = Consumer { origin: Origin::of(source), rate, broker, intake };
        match B::SHARING {
            Sharing::Lease => self.consume_by_lease(source, &consumer, stop).await,
            Sharing::Broker => {
                let statuses = self.intake.metrics.statuses();
                let (_always, may_connect) = watch::channel(true);
                let turn = stop.child();
                let links = (0..workers(source)).map(|_| consumer.run(may_connect.clone(), &turn));
                statuses.begin(source);
                futures::future::join_all(links).await;
                statuses.end(source, End::Left);
                if stop.requested().await == Farewell::Forget {
                    forget(source, broker).await;
                }
            }
        }
    }

    /// Consumes the source whenever this instance holds its lease.
    async fn consume_by_lease<B: Broker>(&self, source: &FeedSource, consumer: &Consumer<'_, B>, stop: &Stop) {
        let lease = SourceLease::new(self.pool.clone(), source.id, &self.instance);
        loop {
            tokio::select! {
                biased;
                _ = stop.requested() => return,
                () = lease.acquire() => {}
            }
            self.intake.metrics.statuses().begin(source);
            consume_while_held(consumer, &lease, stop).await;
            self.intake.metrics.statuses().end(source, End::Left);
            if stop.is_requested() {
                break;
            }
            tracing::warn!(source.id = %source.id, "Another instance took the source over.");
        }
        if stop.requested().await == Farewell::Forget {
            forget(source, consumer.broker).await;
        }
        lease.release().await;
    }
}

async fn consume_while_held<B: Broker>(consumer: &Consumer<'_, B>, lease: &SourceLease, stop: &Stop) {
    let (is_held, may_connect) = watch::channel(true);
    let turn = stop.child();
    let mut consume = Box::pin(consumer.run(may_connect, &turn));
    tokio::select! {
        () = &mut consume => {}
        () = lease.keep(&is_held) => {
            turn.cancel();
            consume.await;
        }
    }
}

async fn forget<B: Broker>(source: &FeedSource, broker: &B) {
    if let Err(error) = broker.forget().await {
        tracing::warn!(source.id = %source.id, error, "The broker still keeps what it has for a source that is gone.");
    }
}
