//! Dead letters: jobs that cannot succeed, with the reason. A queue keeps its newest 10,000.

use chrono::{DateTime, Utc};
use redis::Pipeline;

use super::{
    QueueError,
    inspect::{PAGE_MAX, QueueView, time},
    page::read,
    script::{Call, PURGE, REDRIVE, TRIM},
    settings::BATCH_MAX,
};

/// Letters looked at in one step of a redrive.
const STEP: usize = 500;

/// A job that failed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id.
    pub id: String,
    /// When it was given up.
    pub died_at: DateTime<Utc>,
    /// Failed tries, with the last.
    pub tries: u32,
    /// Why it was given up, at most 1,000 characters.
    pub reason: String,
    /// When it was enqueued.
    pub enqueued_at: DateTime<Utc>,
    /// The stored payload, JSON unless that was the trouble.
    pub payload: Vec<u8>,
}

/// What became of a redrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redriven {
    /// The job is ready again, with no failed tries behind it.
    Ready,
    /// A job with the same id lives; the letter stays.
    Alive,
    /// There is no such letter.
    Missing,
}

impl QueueView {
    /// Dead letters, the newest first. `limit` is at most 1,000.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`].
    pub async fn dead_letters(&self, offset: usize, limit: usize) -> Result<Vec<DeadLetter>, QueueError> {
        self.letters("ZREVRANGE", offset, limit).await
    }

    /// The dead letter with this id.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`].
    pub async fn dead_letter(&self, id: &str) -> Result<Option<DeadLetter>, QueueError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("ZSCORE").arg(self.keys.dead()).arg(id);
        let (died,): (Option<f64>,) = self.ask(&pipeline).await?;
        match died {
            Some(died) => Ok(self.read_letters(vec![(id.to_owned(), died)]).await?.pop()),
            None => Ok(None),
        }
    }

    /// Gives a dead letter another life.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`].
    pub async fn redrive(&self, id: &str) -> Result<Redriven, QueueError> {
        Ok(self.redrive_ids(&[id]).await?.pop().unwrap_or(Redriven::Missing))
    }

    /// Gives every dead letter that `matches` another life and tells how many. Letters that die meanwhile are not
    /// looked at.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`]; some are ready then.
    pub async fn redrive_all(&self, matches: impl Fn(&DeadLetter) -> bool) -> Result<u64, QueueError> {
        let (mut left,): (usize,) = self.ask(redis::pipe().cmd("ZCARD").arg(self.keys.dead())).await?;
        let (mut passed, mut redriven) = (0, 0);
        while left > 0 {
            let letters = self.letters("ZRANGE", passed, STEP.min(left)).await?;
            if letters.is_empty() {
                break;
            }
            left -= letters.len().min(left);
            let ids: Vec<&str> =
                letters.iter().filter(|letter| matches(letter)).map(|letter| letter.id.as_str()).collect();
            let answers = self.redrive_ids(&ids).await?;
            let ready = answers.iter().filter(|answer| **answer == Redriven::Ready).count();
            redriven += ready as u64;
            passed += letters.len() - ready;
        }
        Ok(redriven)
    }

    /// Forgets the letter with this id, and tells whether there was one.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`]; it may be forgotten then.
    pub async fn discard(&self, id: &str) -> Result<bool, QueueError> {
        let keys = &self.keys;
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.cmd("ZREM").arg(keys.dead()).arg(id);
        pipeline.cmd("HDEL").arg(keys.dead_jobs()).arg(id).ignore();
        pipeline.cmd("HDEL").arg(keys.dead_reasons()).arg(id).ignore();
        let (removed,): (u64,) = self.ask(&pipeline).await?;
        Ok(removed > 0)
    }

    /// Forgets letters that died before `before`, and the oldest of those beyond `kept`; tells how many that were.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`]; some are forgotten then.
    pub async fn trim_dead(&self, before: DateTime<Utc>, kept: u32) -> Result<u64, QueueError> {
        let keys = &self.keys;
        let mut trim = Call::new(&TRIM, &[&keys.dead(), &keys.dead_jobs(), &keys.dead_reasons()]);
        trim.arg(BATCH_MAX).arg(before.timestamp_millis()).arg(kept);
        let mut trimmed = 0;
        loop {
            match self.connection.call::<u64>(&trim).await? {
                0 => return Ok(trimmed),
                some => trimmed += some,
            }
        }
    }

    /// Forgets all dead letters and tells how many there were.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`]; some are forgotten then.
    pub async fn purge_dead(&self) -> Result<u64, QueueError> {
        let keys = &self.keys;
        let mut purge = Call::new(&PURGE, &[&keys.dead(), &keys.dead_jobs(), &keys.dead_reasons()]);
        purge.arg(BATCH_MAX);
        let mut purged = 0;
        loop {
            match self.connection.call::<u64>(&purge).await? {
                0 => return Ok(purged),
                some => purged += some,
            }
        }
    }

    async fn redrive_ids(&self, ids: &[&str]) -> Result<Vec<Redriven>, QueueError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys = &self.keys;
        let (dead, jobs, reasons) = (keys.dead(), keys.dead_jobs(), keys.dead_reasons());
        let mut call = Call::new(&REDRIVE, &[&dead, &jobs, &reasons, &keys.jobs(), &keys.ready(), &keys.lanes()]);
        call.arg(keys.wake()).arg(ids);
        let answers: Vec<u8> = self.connection.call(&call).await?;
        Ok(answers
            .into_iter()
            .map(|answer| match answer {
                1 => Redriven::Ready,
                2 => Redriven::Alive,
                _ => Redriven::Missing,
            })
            .collect())
    }

    async fn letters(&self, command: &str, offset: usize, limit: usize) -> Result<Vec<DeadLetter>, QueueError> {
        let limit = limit.min(PAGE_MAX);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        pipeline.cmd(command).arg(self.keys.dead()).arg(offset).arg(offset.saturating_add(limit - 1)).arg("WITHSCORES");
        let (ids,): (Vec<(String, f64)>,) = self.ask(&pipeline).await?;
        self.read_letters(ids).await
    }

    async fn read_letters(&self, ids: Vec<(String, f64)>) -> Result<Vec<DeadLetter>, QueueError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for key in [self.keys.dead_jobs(), self.keys.dead_reasons()] {
            pipeline.cmd("HMGET").arg(key);
            ids.iter().fold(&mut pipeline, |pipeline: &mut Pipeline, (id, _)| pipeline.arg(id));
        }
        let (frames, reasons): (Vec<Option<Vec<u8>>>, Vec<Option<String>>) = self.ask(&pipeline).await?;
        let letters = ids.into_iter().zip(frames).zip(reasons);
        Ok(letters
            .filter_map(|(((id, died), frame), told)| {
                let (enqueued_at, payload) = read(&frame?);
                let told = told.unwrap_or_default();
                let (tries, reason) = told.split_once('|').unwrap_or(("0", &told));
                let tries = tries.parse().unwrap_or(0);
                Some(DeadLetter { id, died_at: time(died), tries, reason: reason.to_owned(), enqueued_at, payload })
            })
            .collect())
    }
}
