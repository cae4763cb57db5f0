//! Pages of live jobs. A page costs its own length, not the queue's.

use chrono::{DateTime, Utc};

use super::{
    QueueError, frame,
    inspect::{JobRecord, JobState, PAGE_MAX, QueueView, time},
    script::{Call, PAGE},
};

/// A job found in some place, still without its frame.
struct Found {
    id: String,
    state: JobState,
    due: Option<DateTime<Utc>>,
    leased: Option<(String, DateTime<Utc>)>,
}

impl QueueView {
    /// Jobs in `state`: ready ones lane by lane in their order, delayed ones by time, running ones by worker and start. `limit` is at
    /// most 1,000.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`].
    pub async fn page(&self, state: JobState, offset: usize, limit: usize) -> Result<Vec<JobRecord>, QueueError> {
        let limit = limit.min(PAGE_MAX);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let last = offset.saturating_add(limit - 1);
        let found = match state {
            JobState::Ready => {
                let mut page = Call::new(&PAGE, &[&self.keys.ready(), &self.keys.lanes()]);
                page.arg(offset).arg(limit);
                let ids: Vec<String> = self.connection.call(&page).await?;
                ids.into_iter().map(|id| Found { id, state, due: None, leased: None }).collect()
            }
            JobState::Delayed => {
                let ids = self.range(self.keys.delayed(), offset, last).await?;
                ids.into_iter().map(|(id, due)| Found { id, state, due: Some(time(due)), leased: None }).collect()
            }
            JobState::Running => self.leased(offset, limit).await?,
        };
        self.records(found).await
    }

    /// Live jobs whose last try failed, those with most failures first. `limit` is at most 1,000.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`].
    pub async fn failing(&self, offset: usize, limit: usize) -> Result<Vec<JobRecord>, QueueError> {
        let limit = limit.min(PAGE_MAX);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        pipeline.cmd("ZREVRANGE").arg(self.keys.tries()).arg(offset).arg(offset.saturating_add(limit - 1));
        let (ids,): (Vec<String>,) = self.ask(&pipeline).await?;
        self.locate(ids).await
    }

    /// The live job with this id.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`].
    pub async fn find(&self, id: &str) -> Result<Option<JobRecord>, QueueError> {
        Ok(self.locate(vec![id.to_owned()]).await?.pop())
    }

    async fn range(&self, key: String, first: usize, last: usize) -> Result<Vec<(String, f64)>, QueueError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("ZRANGE").arg(key).arg(first).arg(last).arg("WITHSCORES");
        let (members,): (Vec<(String, f64)>,) = self.ask(&pipeline).await?;
        Ok(members)
    }

    async fn leased(&self, mut offset: usize, limit: usize) -> Result<Vec<Found>, QueueError> {
        let holders = self.holders().await?;
        let counts = self.running(&holders).await?;
        let mut found: Vec<Found> = Vec::new();
        for (name, count) in holders.into_iter().zip(counts) {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let wanted = limit - found.len();
            if wanted == 0 {
                break;
            }
            if count <= offset {
                offset -= count;
                continue;
            }
            let leases = self.range(self.keys.leases(&name), offset, offset.saturating_add(wanted - 1)).await?;
            found.extend(leases.into_iter().map(|(id, since)| Found {
                id,
                state: JobState::Running,
                due: None,
                leased: Some((name.clone(), time(since))),
            }));
            offset = 0;
        }
        Ok(found)
    }

    /// Finds out where live jobs are.
    async fn locate(&self, ids: Vec<String>) -> Result<Vec<JobRecord>, QueueError> {
        let holders = self.holders().await?;
        let mut pipeline = redis::pipe();
        for id in &ids {
            pipeline.cmd("ZSCORE").arg(self.keys.delayed()).arg(id);
            for name in &holders {
                pipeline.cmd("ZSCORE").arg(self.keys.leases(name)).arg(id);
            }
        }
        let scores: Vec<Option<f64>> = if ids.is_empty() { Vec::new() } else { self.ask(&pipeline).await? };
        let places = scores.chunks(holders.len() + 1);
        let found = ids.into_iter().zip(places).map(|(id, place)| {
            let due = place.first().copied().flatten();
            let leases = holders.iter().zip(place.iter().skip(1));
            let lease = leases.into_iter().find_map(|(name, since)| Some((name.clone(), time((*since)?))));
            let state = match (&lease, due) {
                (Some(_), _) => JobState::Running,
                (None, Some(_)) => JobState::Delayed,
                (None, None) => JobState::Ready,
            };
            Found { id, state, due: due.map(time), leased: lease }
        });
        self.records(found.collect()).await
    }

    /// Adds payloads and tries; jobs that are gone meanwhile are left out.
    async fn records(&self, found: Vec<Found>) -> Result<Vec<JobRecord>, QueueError> {
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for job in &found {
            pipeline.cmd("HGET").arg(self.keys.jobs()).arg(&job.id);
            pipeline.cmd("ZSCORE").arg(self.keys.tries()).arg(&job.id);
        }
        let stored: Vec<redis::Value> = self.ask(&pipeline).await?;
        let mut records = Vec::with_capacity(found.len());
        for (job, stored) in found.into_iter().zip(stored.chunks(2)) {
            let [stored, tries] = stored else { break };
            let Some(stored) =
                redis::from_redis_value_ref::<Option<Vec<u8>>>(stored).map_err(redis::RedisError::from)?
            else {
                continue;
            };
            let tries = redis::from_redis_value_ref::<Option<u32>>(tries).map_err(redis::RedisError::from)?;
            let (enqueued_at, payload) = read(&stored);
            let Found { id, state, due, leased } = job;
            records.push(JobRecord { id, state, tries: tries.unwrap_or(0), enqueued_at, due, leased, payload });
        }
        Ok(records)
    }
}

/// A frame's time and payload; bytes that are no frame are shown as they are.
pub(crate) fn read(stored: &[u8]) -> (DateTime<Utc>, Vec<u8>) {
    match frame::decode(stored) {
        Some((enqueued_at, payload)) => (enqueued_at, payload.to_vec()),
        None => (DateTime::UNIX_EPOCH, stored.to_vec()),
    }
}
