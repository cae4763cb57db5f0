//! Enqueueing. A push has returned `Ok` only when Redis has the job; when Redis does not answer, it fails within 3 s.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use ulid::Ulid;

use super::{
    QueueError, Queues,
    connection::{CALL_LIMIT, Connection},
    frame,
    keys::Keys,
    script::{Call, PUSH, PUSH_AT},
    settings::BATCH_MAX,
};
use crate::Job;

/// Bytes of payload after which a call takes no further jobs.
pub(crate) const PUSH_BYTES_MAX: usize = 4 << 20;

/// Ends the lane's name in the id of a job that has a lane; the scripts know it too.
const LANE_END: char = '|';

/// A job on its way into Redis.
pub(crate) struct Pushed {
    pub(crate) id: String,
    pub(crate) frame: Vec<u8>,
}

impl Pushed {
    pub(crate) fn new<J: Job>(job: &J) -> Result<Self, QueueError> {
        let id = job.job_id().unwrap_or_else(|| Ulid::generate().to_string());
        let id = match job.lane() {
            Some(lane) => format!("{lane}{LANE_END}{id}"),
            None => id,
        };
        Ok(Self { id, frame: frame::encode(job, Utc::now())? })
    }
}

impl Queues {
    /// Enqueues a job that may run at once. `false`: a job with its id lives already, and stays as it is. Concurrent
    /// calls share round trips.
    ///
    /// After a connection was lost during the call, `false` may mean that the first try had arrived.
    ///
    /// # Errors
    /// [`QueueError::Encode`]; [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis did not take it within 3 s.
    pub async fn push<J: Job>(&self, job: &J) -> Result<bool, QueueError> {
        let pushed = Pushed::new(job)?;
        tokio::time::timeout(CALL_LIMIT, self.groups.push(&self.connection, &self.prefix, J::QUEUE, pushed))
            .await
            .map_err(|_| QueueError::Timeout(CALL_LIMIT))?
    }

    /// Enqueues jobs that may run at once, in calls of at most 500, and tells how many were new.
    ///
    /// # Errors
    /// As [`Queues::push`]; the jobs of earlier calls are enqueued then.
    pub async fn push_all<J: Job>(&self, jobs: &[J]) -> Result<u64, QueueError> {
        let keys = self.keys(J::QUEUE);
        let (mut new, mut part, mut bytes) = (0, Vec::new(), 0);
        for job in jobs {
            let pushed = Pushed::new(job)?;
            bytes += pushed.frame.len();
            part.push(pushed);
            if part.len() == BATCH_MAX || bytes >= PUSH_BYTES_MAX {
                new += push_part(&self.connection, &keys, &part).await?.into_iter().map(u64::from).sum::<u64>();
                (part, bytes) = (Vec::new(), 0);
            }
        }
        if !part.is_empty() {
            new += push_part(&self.connection, &keys, &part).await?.into_iter().map(u64::from).sum::<u64>();
        }
        Ok(new)
    }

    /// Enqueues a job that runs at `due`, to the millisecond and never earlier by the server's clock. `false` as for
    /// [`Queues::push`].
    ///
    /// # Errors
    /// As [`Queues::push`].
    pub async fn push_at<J: Job>(&self, job: &J, due: DateTime<Utc>) -> Result<bool, QueueError> {
        let pushed = Pushed::new(job)?;
        push_at(&self.connection, &self.keys(J::QUEUE), &[(pushed, due)]).await.map(|new| new == 1)
    }
}

/// Pushes at most [`BATCH_MAX`] jobs in one call. Answers, for each, whether it is new; of two with one id the first.
pub(crate) async fn push_part(connection: &Connection, keys: &Keys, part: &[Pushed]) -> Result<Vec<bool>, QueueError> {
    let mut seen = HashSet::with_capacity(part.len());
    let mut new: Vec<bool> = part.iter().map(|pushed| seen.insert(pushed.id.as_str())).collect();
    let mut call = Call::new(&PUSH, &[&keys.jobs(), &keys.ready(), &keys.lanes()]);
    call.arg(keys.wake());
    let distinct: Vec<usize> = new.iter().enumerate().filter_map(|(at, new)| new.then_some(at)).collect();
    for pushed in distinct.iter().filter_map(|at| part.get(*at)) {
        call.arg(&pushed.id).arg(&pushed.frame);
    }
    let known: Vec<usize> = connection.call(&call).await?;
    for at in known {
        if let Some(new) = distinct.get(at).and_then(|at| new.get_mut(*at)) {
            *new = false;
        }
    }
    Ok(new)
}

/// Pushes at most [`BATCH_MAX`] jobs for their times and tells how many were new.
pub(crate) async fn push_at(
    connection: &Connection,
    keys: &Keys,
    part: &[(Pushed, DateTime<Utc>)],
) -> Result<u64, QueueError> {
    let mut call = Call::new(&PUSH_AT, &[&keys.jobs(), &keys.delayed()]);
    call.arg(keys.wake());
    for (pushed, due) in part {
        call.arg(&pushed.id).arg(&pushed.frame).arg(due_ms(*due));
    }
    let known: Vec<usize> = connection.call(&call).await?;
    Ok(part.len().saturating_sub(known.len()) as u64)
}

/// The first whole millisecond that is not before `due`: a job never runs early.
pub(crate) fn due_ms(due: DateTime<Utc>) -> i64 {
    due.timestamp_millis() + i64::from(!due.timestamp_subsec_nanos().is_multiple_of(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_time_is_rounded_up() {
        for (nanos, ms) in [(0, 1_000), (1, 1_001), (999_999, 1_001), (1_000_000, 1_001)] {
            assert_eq!(due_ms(DateTime::from_timestamp(1, nanos).unwrap()), ms);
        }
    }
}
