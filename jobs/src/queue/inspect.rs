//! A queue as operators see it: what it holds and who works on it. Reading takes no locks and changes nothing; numbers
//! read one after another may be a moment apart.

use chrono::{DateTime, Utc};
use redis::{FromRedisValue, Pipeline};

use super::{QueueError, connection::Connection, keys::Keys};

/// Most jobs in one page.
pub(crate) const PAGE_MAX: usize = 1_000;
/// Workers of a queue that are looked at; no queue has more in earnest.
pub(crate) const WORKERS_MAX: isize = 1_000;

/// One queue, for operators.
#[derive(Clone)]
pub struct QueueView {
    pub(crate) connection: Connection,
    pub(crate) keys: Keys,
    name: String,
}

/// How many jobs a queue holds, and how many it has had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Jobs that may run now.
    pub ready: u64,
    /// Jobs that wait for their time.
    pub delayed: u64,
    /// Jobs leased to workers.
    pub running: u64,
    /// Live jobs, in any of the three states, whose last try failed.
    pub failing: u64,
    /// Dead letters kept.
    pub dead: u64,
    /// Jobs done, ever.
    pub done: u64,
    /// Failed tries, ever.
    pub failed: u64,
    /// Jobs that became dead letters, ever.
    pub died: u64,
    /// Jobs taken over from dead workers, ever.
    pub taken_over: u64,
    /// Jobs done on each of the last seven days (UTC), today last.
    pub done_by_day: [u64; 7],
}

/// Where a live job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// It may run now.
    Ready,
    /// It waits for its time.
    Delayed,
    /// It is leased to a worker.
    Running,
}

/// A live job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub state: JobState,
    /// Failed tries so far.
    pub tries: u32,
    /// When it was enqueued.
    pub enqueued_at: DateTime<Utc>,
    /// When it may run; only while it is delayed.
    pub due: Option<DateTime<Utc>>,
    /// The worker that has it, and since when; only while it runs.
    pub leased: Option<(String, DateTime<Utc>)>,
    /// The stored payload, JSON.
    pub payload: Vec<u8>,
}

/// A worker that is registered on a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerRecord {
    /// Its name: host, process and a ULID.
    pub name: String,
    /// When it registered.
    pub started_at: DateTime<Utc>,
    /// When it was last heard of, by the server's clock.
    pub last_heartbeat: DateTime<Utc>,
    /// Most jobs that it runs at once.
    pub concurrency: u64,
    /// Jobs that it has now.
    pub running: u64,
}

impl QueueView {
    pub(crate) fn new(connection: Connection, keys: Keys, name: &str) -> Self {
        Self { connection, keys, name: name.to_owned() }
    }

    /// The queue's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn ask<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, QueueError> {
        self.connection.ask(pipeline).await
    }

    /// Names of all who hold leases: workers, and those whose jobs are being given back.
    pub(crate) async fn holders(&self) -> Result<Vec<String>, QueueError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("ZRANGE").arg(self.keys.workers()).arg(0).arg(WORKERS_MAX - 1);
        pipeline.cmd("SRANDMEMBER").arg(self.keys.reaping()).arg(WORKERS_MAX);
        let (mut names, reaping): (Vec<String>, Vec<String>) = self.ask(&pipeline).await?;
        names.extend(reaping);
        Ok(names)
    }

    /// The queue's numbers.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`].
    pub async fn counts(&self) -> Result<Counts, QueueError> {
        let keys = &self.keys;
        let holders = self.holders().await?;
        let today = Utc::now().timestamp().div_euclid(86_400);
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.cmd("HLEN").arg(keys.jobs()).cmd("ZCARD").arg(keys.delayed());
        pipeline.cmd("ZCARD").arg(keys.tries()).cmd("ZCARD").arg(keys.dead());
        pipeline.cmd("HMGET").arg(keys.stats()).arg(&["done", "failed", "dead", "taken_over"]);
        pipeline.arg((today - 6..=today).map(|day| format!("done@{day}")).collect::<Vec<_>>());
        for name in &holders {
            pipeline.cmd("ZCARD").arg(keys.leases(name));
        }
        let answers: Vec<redis::Value> = self.ask(&pipeline).await?;
        let [jobs, delayed, failing, dead, ever, leases @ ..] = &answers[..] else {
            return Err(QueueError::Refused("the numbers of the queue are incomplete"));
        };
        let (jobs, delayed, failing, dead) = (read(jobs)?, read(delayed)?, read(failing)?, read(dead)?);
        let running = leases.iter().map(read::<u64>).sum::<Result<u64, _>>()?;
        let mut ever = read::<Vec<Option<u64>>>(ever)?.into_iter().map(Option::unwrap_or_default);
        let mut next = || ever.next().unwrap_or_default();
        Ok(Counts {
            // Every live job is in one of three places; the lists of lanes are not counted one by one.
            ready: u64::saturating_sub(jobs, delayed + running),
            delayed,
            running,
            failing,
            dead,
            done: next(),
            failed: next(),
            died: next(),
            taken_over: next(),
            done_by_day: std::array::from_fn(|_| next()),
        })
    }

    /// The workers that are registered, the one longest unheard of first.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`].
    pub async fn workers(&self) -> Result<Vec<WorkerRecord>, QueueError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("ZRANGE").arg(self.keys.workers()).arg(0).arg(WORKERS_MAX - 1).arg("WITHSCORES");
        let (beats,): (Vec<(String, f64)>,) = self.ask(&pipeline).await?;
        let names: Vec<String> = beats.iter().map(|(name, _)| name.clone()).collect();
        let running = self.running(&names).await?;
        let mut pipeline = redis::pipe();
        for name in &names {
            pipeline.cmd("HMGET").arg(self.keys.worker(name)).arg(&["started", "concurrency"]);
        }
        let details: Vec<(Option<f64>, Option<u64>)> =
            if names.is_empty() { Vec::new() } else { self.ask(&pipeline).await? };
        let beats = beats.into_iter().zip(details).zip(running);
        Ok(beats
            .map(|(((name, beat), (started, concurrency)), running)| WorkerRecord {
                name,
                started_at: time(started.unwrap_or(beat)),
                last_heartbeat: time(beat),
                concurrency: concurrency.unwrap_or_default(),
                running,
            })
            .collect())
    }

    /// Stops the workers from taking jobs; those that run go on.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`].
    pub async fn pause(&self) -> Result<(), QueueError> {
        self.ask(redis::pipe().cmd("SET").arg(self.keys.paused()).arg(1).ignore()).await
    }

    /// Lets the workers take jobs again, at once.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`].
    pub async fn resume(&self) -> Result<(), QueueError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("DEL").arg(self.keys.paused()).ignore();
        pipeline.cmd("PUBLISH").arg(self.keys.wake()).arg("").ignore();
        self.ask(&pipeline).await
    }

    /// Whether the queue is paused.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`].
    pub async fn is_paused(&self) -> Result<bool, QueueError> {
        let (paused,): (bool,) = self.ask(redis::pipe().cmd("EXISTS").arg(self.keys.paused())).await?;
        Ok(paused)
    }

    /// How many jobs each holder has.
    pub(crate) async fn running(&self, holders: &[String]) -> Result<Vec<u64>, QueueError> {
        if holders.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for name in holders {
            pipeline.cmd("ZCARD").arg(self.keys.leases(name));
        }
        self.ask(&pipeline).await
    }
}

fn read<T: FromRedisValue>(value: &redis::Value) -> Result<T, QueueError> {
    Ok(redis::from_redis_value_ref(value).map_err(redis::RedisError::from)?)
}

/// A score in ms as a time; scores are written by us and far inside the range.
#[expect(clippy::cast_possible_truncation, reason = "milliseconds fit in 53 bits")]
pub(crate) fn time(score: f64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(score as i64).unwrap_or_default()
}
