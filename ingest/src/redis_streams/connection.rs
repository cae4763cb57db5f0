//! One consumer of the group on one connection: it reads what is new, now and then claims what others were given and did
//! not answer, and acknowledges.

use std::time::{Duration, Instant};

use posthouse_broker_settings::{RedisSettings, Start};
use redis::{
    AsyncConnectionConfig, Cmd, ProtocolVersion, RedisConnectionInfo, RedisError, Value,
    aio::{ConnectionLike as _, MultiplexedConnection},
    cmd,
};
use rustls::ClientConfig;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::reply::{self, Entry};
use crate::{
    broker::{self, Answer, Identity, LagProbe, Link, Message, Problem, Step},
    message::Rejection,
};

/// What the names of our consumers begin with.
pub(super) const CONSUMERS: &str = "posthouse-";
/// Most entries of one read. With the largest entry it bounds memory.
const READ_MAX: usize = 200;
/// How long a read waits for something new, and so how long a stop may take.
const READ_WAITS: Duration = Duration::from_secs(1);
/// Longest wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// A consumer of ours that was silent for so long, with nothing to answer, is removed from the group.
const CONSUMER_GONE_AFTER: Duration = Duration::from_secs(3_600);

/// A connection that consumes a stream.
pub struct Connection {
    redis: MultiplexedConnection,
    _driver: AbortOnDrop,
    stream: String,
    group: String,
    consumer: String,
    body_field: String,
    redeliver_after: Duration,
    claimed_at: Option<Instant>,
    held_at: Instant,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connection {
    pub(super) async fn open(settings: &RedisSettings, consumer: String) -> Result<Self, String> {
        let (redis, driver) = connect(settings).await?;
        let mut connection = Self {
            redis,
            _driver: driver,
            stream: settings.stream.clone(),
            group: settings.group.clone(),
            consumer,
            body_field: settings.body_field.clone(),
            redeliver_after: settings.redeliver_after,
            claimed_at: None,
            held_at: Instant::now(),
        };
        let start = match settings.start {
            Start::First => "0",
            Start::New => "$",
        };
        let make = cmd("XGROUP")
            .arg("CREATE")
            .arg(&settings.stream)
            .arg(&settings.group)
            .arg(start)
            .arg("MKSTREAM")
            .to_owned();
        match connection.ask(&make).await {
            Ok(_) => {}
            Err(error) if error.code() == Some("BUSYGROUP") => {}
            Err(error) => return Err(words(&error)),
        }
        connection.remove_gone_consumers().await?;
        Ok(connection)
    }

    async fn ask(&mut self, command: &Cmd) -> Result<Value, RedisError> {
        self.redis.req_packed_command(command).await
    }

    /// Name, unanswered entries and idle milliseconds of each consumer of the group.
    async fn consumers(&mut self) -> Result<Vec<(String, i64, i64)>, String> {
        let listed = cmd("XINFO").arg("CONSUMERS").arg(&self.stream).arg(&self.group).to_owned();
        let listed = self.ask(&listed).await.map_err(|error| words(&error))?;
        reply::of_consumers(listed).ok_or_else(not_understood)
    }

    /// Removes the consumer where it has answered everything: what it has not would be forgotten with it.
    async fn leave(&mut self, consumer: &str) -> Result<(), String> {
        let has_answered = |(name, pending, _): &(String, i64, i64)| name == consumer && *pending == 0;
        match self.consumers().await?.iter().any(has_answered) {
            true => self.remove_consumer(consumer).await,
            false => Ok(()),
        }
    }

    /// Consumers are never removed by Redis, and every process has new ones.
    async fn remove_gone_consumers(&mut self) -> Result<(), String> {
        let gone_after = i64::try_from(CONSUMER_GONE_AFTER.as_millis()).unwrap_or(i64::MAX);
        for (name, pending, idle) in self.consumers().await? {
            if name.starts_with(CONSUMERS) && pending == 0 && idle >= gone_after {
                self.remove_consumer(&name).await?;
            }
        }
        Ok(())
    }

    async fn remove_consumer(&mut self, name: &str) -> Result<(), String> {
        let removal = cmd("XGROUP").arg("DELCONSUMER").arg(&self.stream).arg(&self.group).arg(name).to_owned();
        self.ask(&removal).await.map(drop).map_err(|error| words(&error))
    }

    /// What was given to consumers that have not answered for too long, itself included after a loss.
    async fn claim(&mut self) -> Result<Vec<Entry>, String> {
        let (mut from, mut claimed) = ("0-0".to_owned(), Vec::new());
        while claimed.is_empty() {
            let claim = cmd("XAUTOCLAIM")
                .arg(&self.stream)
                .arg(&self.group)
                .arg(&self.consumer)
                .arg(millis(self.redeliver_after))
                .arg(&from)
                .arg("COUNT")
                .arg(READ_MAX)
                .to_owned();
            let answer = self.ask(&claim).await.map_err(|error| words(&error))?;
            (from, claimed) = reply::of_claim(answer).ok_or_else(not_understood)?;
            if from == "0-0" {
                // The whole list has been seen: there is time until the next look.
                self.claimed_at = Some(Instant::now());
                break;
            }
        }
        Ok(claimed)
    }

    async fn read(&mut self) -> Result<Vec<Entry>, String> {
        let read = cmd("XREADGROUP")
            .arg("GROUP")
            .arg(&self.group)
            .arg(&self.consumer)
            .arg("COUNT")
            .arg(READ_MAX)
            .arg("BLOCK")
            .arg(millis(READ_WAITS))
            .arg("STREAMS")
            .arg(&self.stream)
            .arg(">")
            .to_owned();
        let answer = self.ask(&read).await.map_err(|error| words(&error))?;
        reply::of_read(answer).ok_or_else(not_understood)
    }

    async fn acknowledge(&mut self, ids: &[String]) -> Result<(), String> {
        let acknowledgement = cmd("XACK").arg(&self.stream).arg(&self.group).arg(ids).to_owned();
        self.ask(&acknowledgement).await.map(drop).map_err(|error| words(&error))
    }

    fn message(&self, entry: Entry) -> Message<String> {
        let (mut body, mut headers) = (None, Vec::new());
        for (name, value) in entry.fields.unwrap_or_default() {
            if name == self.body_field.as_bytes() {
                body = Some(value);
            } else if let (Ok(name), Ok(value)) = (String::from_utf8(name), String::from_utf8(value)) {
                headers.push((name, value));
            }
        }
        // An entry without the field is no message, whatever else it holds.
        let refusal = body.is_none().then_some(Rejection::Missing("body"));
        let id = entry.id;
        let identity = Some(Identity::of(&[self.stream.as_bytes(), id.as_bytes()]));
        let broker_message_id = Some(id.clone());
        Message { headers, refusal, broker_message_id, identity, ..Message::new(body.unwrap_or_default(), id) }
    }
}

impl Link for Connection {
    type Tag = String;

    async fn receive(&mut self, stop: &CancellationToken) -> Result<Vec<Message<String>>, String> {
        while !stop.is_cancelled() {
            let is_time = self.claimed_at.is_none_or(|at| at.elapsed() >= self.redeliver_after / 2);
            let mut entries = if is_time { self.claim().await? } else { Vec::new() };
            if entries.is_empty() {
                // Never given up half-way: what it brings is ours from then on.
                entries = self.read().await?;
            }
            let (live, deleted): (Vec<Entry>, Vec<Entry>) =
                entries.into_iter().partition(|entry| entry.fields.is_some());
            if !deleted.is_empty() {
                let ids: Vec<String> = deleted.into_iter().map(|entry| entry.id).collect();
                self.acknowledge(&ids).await?;
            }
            if !live.is_empty() {
                self.held_at = Instant::now();
                return Ok(live.into_iter().map(|entry| self.message(entry)).collect());
            }
        }
        Ok(Vec::new())
    }

    fn lag_probe(&self) -> Option<LagProbe> {
        let (redis, stream, group) = (self.redis.clone(), self.stream.clone(), self.group.clone());
        Some(Box::new(move || {
            let (mut redis, group) = (redis.clone(), group.clone());
            let groups = cmd("XINFO").arg("GROUPS").arg(&stream).to_owned();
            Box::pin(async move { reply::lag_of_group(redis.req_packed_command(&groups).await.ok()?, &group) })
        }))
    }

    async fn hold(&mut self, answers: &[(String, Answer)]) -> Result<(), String> {
        if self.held_at.elapsed() < self.redeliver_after / 3 {
            return Ok(());
        }
        self.held_at = Instant::now();
        // Claiming what is ours already starts its time anew.
        let mut claim = cmd("XCLAIM").arg(&self.stream).arg(&self.group).arg(&self.consumer).arg(0).to_owned();
        for (id, _) in answers {
            claim.arg(id);
        }
        self.ask(claim.arg("JUSTID")).await.map(drop).map_err(|error| words(&error))
    }

    async fn settle(&mut self, answers: Vec<(String, Answer)>) -> Result<(), String> {
        let ids: Vec<String> = answers.into_iter().map(|(id, _)| id).collect();
        self.acknowledge(&ids).await
    }

    async fn close(mut self) {
        let consumer = std::mem::take(&mut self.consumer);
        if let Err(error) = self.leave(&consumer).await {
            tracing::debug!(error, "A consumer stays in its group and is removed later.");
        }
    }
}

async fn connect(settings: &RedisSettings) -> Result<(MultiplexedConnection, AbortOnDrop), String> {
    let wire = broker::connect(&settings.host, settings.port, tls(settings)?).await?;
    let mut info = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2).set_db(settings.database.into());
    if let Some(username) = &settings.username {
        info = info.set_username(username);
    }
    if let Some(password) = &settings.password {
        info = info.set_password(password);
    }
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_MAX));
    let connected =
        tokio::time::timeout(ANSWER_MAX, Box::pin(MultiplexedConnection::new_with_config(&info, wire, config)));
    match connected.await {
        Ok(Ok((redis, driver))) => Ok((redis, AbortOnDrop(tokio::spawn(driver)))),
        Ok(Err(error)) => Err(words(&error)),
        Err(_) => Err("the server did not answer in time".to_owned()),
    }
}

/// The encryption that the settings ask for.
pub(super) fn tls(settings: &RedisSettings) -> Result<Option<ClientConfig>, String> {
    match settings.is_tls {
        true => broker::client_config(settings.ca_certificate.as_deref(), "pub_sub.redis.ca_certificate").map(Some),
        false => Ok(None),
    }
}

/// Signs in, and looks for the stream and whether this user may read it and answer.
pub(super) async fn check(settings: &RedisSettings) -> Result<Vec<String>, Problem> {
    let (mut redis, _driver) = connect(settings).await.map_err(|reason| Problem::at(Step::SignIn, reason))?;
    let refused = |error: &RedisError| Problem::at(Step::Open, words(error));
    // By a group that nobody has: whoever may not do this hears so, and whoever may gets nothing.
    let (stream, nobodys) = (&settings.stream, format!("{CONSUMERS}nobody-{:016x}", rand::random::<u64>()));
    let read = cmd("XREADGROUP")
        .arg("GROUP")
        .arg(&nobodys)
        .arg("nobody")
        .arg("COUNT")
        .arg(1)
        .arg("STREAMS")
        .arg(stream)
        .arg(">")
        .to_owned();
    match redis.req_packed_command(&read).await {
        Err(error) if error.code() == Some("NOGROUP") => {}
        Err(error) => return Err(refused(&error)),
        Ok(_) => {}
    }
    let answer = cmd("XACK").arg(stream).arg(&nobodys).arg("0-1").to_owned();
    redis.req_packed_command(&answer).await.map_err(|error| refused(&error))?;
    let exists = cmd("EXISTS").arg(stream).to_owned();
    let exists = redis.req_packed_command(&exists).await.map_err(|error| refused(&error))?;
    let is_there = exists == Value::Int(1);
    Ok(if is_there { Vec::new() } else { vec![format!("the stream {stream} is not there yet; the source makes it")] })
}

/// Removes the source's own group, and with it what it had not answered.
///
/// # Errors
/// The server cannot be reached or refuses.
pub(super) async fn forget(settings: &RedisSettings) -> Result<(), String> {
    if !settings.is_own {
        return Ok(());
    }
    let (mut redis, _driver) = connect(settings).await?;
    let removal = cmd("XGROUP").arg("DESTROY").arg(&settings.stream).arg(&settings.group).to_owned();
    redis.req_packed_command(&removal).await.map(drop).map_err(|error| words(&error))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn not_understood() -> String {
    "the server's answer was not understood".to_owned()
}

/// The server's own words where it gave some.
fn words(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("the server refuses: {code} {detail}"),
        _ => error.to_string(),
    }
}
