//! One member of the consumer group. The library connects again by itself and says nothing of it; so when nothing comes,
//! the cluster is asked for the topic, and a member that hears nothing is given up.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use krafka::{
    ConsumerRecord, Kafka, KrafkaError,
    auth::{AuthConfig, TlsConfig},
    consumer::{AutoOffsetReset, Consumer, OffsetAndMetadata, TopicPartition},
};
use posthouse_broker_settings::{KafkaSettings, Mechanism, Start};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::broker::{Answer, Identity, LagProbe, Link, Message, Problem, Reach, Step, client_config};

/// Longest wait for the cluster to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Most partitions of a topic that are looked at for its lag.
const PARTITIONS_MAX: usize = 1_000;
/// How long a poll waits for something new.
const POLL_LASTS: Duration = Duration::from_secs(3);
/// A poll that goes on for longer has lost the cluster: the library joins the group again inside it, without a limit of its own.
const POLL_ENDS: Duration = Duration::from_secs(30);
/// After so long without a sign of life the group gives a member's partitions to others.
const SESSION: Duration = Duration::from_secs(10);
/// Most messages of one poll, and of those that wait for the next.
const POLL_MAX: i32 = 500;
/// Most bytes of one fetch; a larger message comes alone.
const FETCH_BYTES_MAX: i32 = 8 * 1024 * 1024;

/// A member of the group that reads a topic.
pub struct Connection {
    consumer: Arc<Consumer>,
    topic: String,
    start: Start,
}

impl Connection {
    pub(super) async fn open(settings: &KafkaSettings) -> Result<Self, String> {
        let connection = Self::sign_in(settings).await?;
        connection.look_for_topic().await?;
        answered(connection.consumer.subscribe([&settings.topic])).await?;
        Ok(connection)
    }

    /// Knows the cluster, and is no member of the group yet.
    async fn sign_in(settings: &KafkaSettings) -> Result<Self, String> {
        let kafka = Kafka::builder(settings.brokers.join(","))
            .client_id("posthouse")
            .connect_timeout(ANSWER_MAX)
            .request_timeout(ANSWER_MAX)
            .allow_auto_create_topics(false)
            .security(security(settings)?)
            .connect();
        let kafka = answered(kafka).await?;
        let consumer = kafka
            .consumer(&settings.group)
            .enable_auto_commit(false)
            .auto_offset_reset(match settings.start {
                Start::First => AutoOffsetReset::Earliest,
                Start::New => AutoOffsetReset::Latest,
            })
            .session_timeout(SESSION)
            .max_poll_records(POLL_MAX)
            .max_buffered_records(POLL_MAX)
            .fetch_max_bytes(FETCH_BYTES_MAX)
            .build();
        let consumer = Arc::new(answered(consumer).await?);
        Ok(Self { consumer, topic: settings.topic.clone(), start: settings.start })
    }

    async fn look_for_topic(&self) -> Result<(), String> {
        let found = answered(self.consumer.fetch_metadata(Some(&self.topic))).await?;
        if found.topics.is_empty() {
            return Err(format!("the topic {} is not there", self.topic));
        }
        Ok(())
    }
}

impl Link for Connection {
    type Tag = (i32, i64);

    async fn receive(&mut self, stop: &CancellationToken) -> Result<Vec<Message<(i32, i64)>>, String> {
        loop {
            let records = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Vec::new()),
                records = timeout(POLL_ENDS, self.consumer.poll(POLL_LASTS)) => {
                    records.map_err(|_| "the cluster does not answer")?.map_err(|error| words(&error))?
                }
            };
            if !records.is_empty() {
                return Ok(records.into_iter().map(message).collect());
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Vec::new()),
                found = self.look_for_topic() => found?,
            }
        }
    }

    fn lag_probe(&self) -> Option<LagProbe> {
        let (consumer, topic, start) = (Arc::clone(&self.consumer), self.topic.clone(), self.start);
        Some(Box::new(move || {
            let (consumer, topic) = (Arc::clone(&consumer), topic.clone());
            Box::pin(async move { lag(&consumer, &topic, start).await })
        }))
    }

    /// The library tells the group by itself that the member lives.
    async fn hold(&mut self, _answers: &[((i32, i64), Answer)]) -> Result<(), String> {
        Ok(())
    }

    async fn settle(&mut self, answers: Vec<((i32, i64), Answer)>) -> Result<(), String> {
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        for ((partition, offset), _) in answers {
            let next = next.entry(partition).or_default();
            *next = (*next).max(offset + 1);
        }
        let offsets = next.into_iter().map(|(partition, offset)| {
            (TopicPartition::new(self.topic.as_str(), partition), OffsetAndMetadata::new(offset))
        });
        answered(self.consumer.commit_offsets(offsets)).await
    }

    async fn close(self) {
        if let Err(error) = answered(self.consumer.close()).await {
            tracing::debug!(error, "The group notices later that a member has left.");
        }
    }
}

/// Signs in, and looks for the topic and what the group has committed of it.
pub(super) async fn check(settings: &KafkaSettings) -> Result<Vec<String>, Problem> {
    let connection = Connection::sign_in(settings).await.map_err(|reason| Problem::at(Step::SignIn, reason))?;
    let unusable = |reason| Problem::at(Step::Open, reason);
    connection.look_for_topic().await.map_err(unusable)?;
    answered(connection.consumer.fetch_watermarks(&connection.topic, 0)).await.map_err(unusable)?;
    answered(connection.consumer.committed(&[(&connection.topic, 0)])).await.map_err(unusable)?;
    connection.close().await;
    Ok(Vec::new())
}

pub(super) fn reach(settings: &KafkaSettings) -> Result<Reach, String> {
    let address = |broker: &String| {
        let (host, port) = broker.rsplit_once(':')?;
        Some((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port.parse().ok()?))
    };
    let tls = match settings.is_tls {
        true => Some(client_config(settings.ca_certificate.as_deref(), "pub_sub.kafka.ca_certificate")?),
        false => None,
    };
    Ok(Reach { addresses: settings.brokers.iter().filter_map(address).collect(), tls, greets: false })
}

/// What the group has not committed yet, of all partitions.
async fn lag(consumer: &Consumer, topic: &str, start: Start) -> Option<u64> {
    let metadata = answered(consumer.fetch_metadata(Some(topic))).await.ok()?;
    let partitions: Vec<i32> =
        metadata.topics.iter().flat_map(|topic| topic.partitions.keys().copied()).take(PARTITIONS_MAX).collect();
    let places: Vec<(&str, i32)> = partitions.iter().map(|partition| (topic, *partition)).collect();
    let committed = answered(consumer.committed(&places)).await.ok()?;
    let mut lag = 0;
    for partition in partitions {
        let (first, end) = answered(consumer.fetch_watermarks(topic, partition)).await.ok()?;
        let at = match (committed.get(&(topic.to_owned(), partition)), start) {
            (Some(committed), _) => committed.offset.max(first),
            (None, Start::First) => first,
            (None, Start::New) => end,
        };
        lag += u64::try_from(end - at).unwrap_or_default();
    }
    Some(lag)
}

fn security(settings: &KafkaSettings) -> Result<AuthConfig, String> {
    let mut security = match &settings.credentials {
        None => AuthConfig::plaintext(),
        Some(credentials) => {
            let (username, password) = (credentials.username.clone(), credentials.password.clone());
            match credentials.mechanism {
                Mechanism::Plain => AuthConfig::sasl_plain(username, password),
                Mechanism::ScramSha256 => AuthConfig::sasl_scram_sha256(username, password),
                Mechanism::ScramSha512 => AuthConfig::sasl_scram_sha512(username, password),
            }
        }
    };
    if settings.is_tls {
        let mut tls = TlsConfig::new();
        if let Some(pem) = &settings.ca_certificate {
            // For what is wrong with it in our words; the library reads it itself.
            client_config(Some(pem), "pub_sub.kafka.ca_certificate")?;
            tls = tls.with_ca_cert_pem(pem.clone().into_bytes());
        }
        security = security.with_tls(tls);
    }
    Ok(security)
}

async fn answered<T>(asked: impl Future<Output = Result<T, KrafkaError>>) -> Result<T, String> {
    match timeout(ANSWER_MAX, asked).await {
        Ok(answer) => answer.map_err(|error| words(&error)),
        Err(_) => Err("the cluster did not answer in time".to_owned()),
    }
}

fn words(error: &KrafkaError) -> String {
    format!("the cluster cannot be used: {error}")
}

/// The contract calls a message by its key; one without gets its place in the topic for a name.
fn message(record: ConsumerRecord) -> Message<(i32, i64)> {
    let name = match record.key_str() {
        Some(key) if !key.is_empty() => key.to_owned(),
        Some(_) | None => format!("{}:{}:{}", record.topic, record.partition, record.offset),
    };
    // Its time tells it from one that was at this place before the topic was made anew.
    let place = [i64::from(record.partition), record.offset, record.timestamp].map(i64::to_be_bytes);
    let identity = Identity::of(&[record.topic.as_bytes(), place.as_flattened()]);
    let text = |value: Option<bytes::Bytes>| String::from_utf8(value?.to_vec()).ok();
    let headers = record.headers.into_iter().filter_map(|(name, value)| Some((name, text(value)?)));
    Message {
        headers: headers.collect(),
        broker_message_id: Some(name),
        identity: Some(identity),
        ..Message::new(record.value.unwrap_or_default(), (record.partition, record.offset))
    }
}
