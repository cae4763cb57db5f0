//! One source, from the wait for its lease to its farewell. It runs in a task of its own, so nothing that happens here
//! delays another source.

use posthouse_schema::{pool::Pool, source_feed::FeedSource};
use tokio::sync::watch;

use crate::{
    intake::Intake,
    lease::SourceLease,
    message::Origin,
    mqtt::{MqttConsumer, MqttSettings, SettingsError, forget},
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

/// The settings of a source, if this build can consume it.
///
/// # Errors
/// Another kind of broker, or settings that cannot work; in words for the source's owner.
pub fn settings(source: &FeedSource) -> Result<MqttSettings, String> {
    let pub_sub = source.pub_sub.as_ref().ok_or_else(|| "pub_sub is missing".to_owned())?;
    match pub_sub.get("type").and_then(serde_json::Value::as_str) {
        Some("mqtt") => MqttSettings::read(pub_sub, source.id).map_err(|error: SettingsError| error.to_string()),
        Some(_) => Err("this kind of broker is not supported; only mqtt is".to_owned()),
        None => Err("pub_sub.type is missing".to_owned()),
    }
}

impl Follower {
    /// Consumes the source whenever this instance holds its lease, until `stop`.
    pub async fn follow(&self, source: &FeedSource, stale_topics: Vec<String>, stop: &Stop) {
        let statuses = self.intake.metrics.statuses();
        let settings = match settings(source) {
            Ok(settings) => settings,
            Err(error) => {
                tracing::warn!(source.id = %source.id, error, "The source cannot be consumed with these settings.");
                statuses.begin(source);
                statuses.lost(source.id, &error);
                stop.requested().await;
                statuses.end(source, End::Left);
                return;
            }
        };
        let origin = Origin::of(source);
        let consumer = MqttConsumer { origin, settings, stale_topics, intake: self.intake.clone() };
        let lease = SourceLease::new(self.pool.clone(), source.id, &self.instance);
        loop {
            tokio::select! {
                biased;
                _ = stop.requested() => return,
                () = lease.acquire() => {}
            }
            statuses.begin(source);
            consume_while_held(&consumer, &lease, stop).await;
            statuses.end(source, End::Left);
            if stop.is_requested() {
                break;
            }
            tracing::warn!(source.id = %source.id, "Another instance took the source over.");
        }
        if stop.requested().await == Farewell::Forget {
            forget_session(source, &consumer.settings).await;
        }
        lease.release().await;
    }

    /// Makes the broker of a source that is gone and was not being consumed forget it.
    pub async fn forget(&self, source: &FeedSource) {
        if let Ok(settings) = settings(source) {
            forget_session(source, &settings).await;
        }
    }
}

async fn consume_while_held(consumer: &MqttConsumer, lease: &SourceLease, stop: &Stop) {
    let (is_held, may_connect) = watch::channel(true);
    let turn = stop.child();
    let mut consume = std::pin::pin!(consumer.run(may_connect, &turn));
    tokio::select! {
        () = &mut consume => {}
        () = lease.keep(&is_held) => {
            turn.cancel();
            consume.await;
        }
    }
}

async fn forget_session(source: &FeedSource, settings: &MqttSettings) {
    if let Err(error) = forget(settings).await {
        tracing::warn!(source.id = %source.id, error, "The broker still keeps the session of a source that is gone.");
    }
}
