//! Takes jobs from Redis whenever a slot is free. It sleeps until it is woken, until the next delayed job is due, or for
//! one poll interval; a lost connection makes it wait, never end.

use std::{sync::Arc, time::Duration};

use apalis_core::{
    backend::queue::Queue,
    task::{Task, builder::TaskBuilder, task_id::TaskId},
};
use redis::RedisResult;
use tokio::time::{sleep, timeout};

use super::{
    buffer::Buffer,
    frame,
    hub::Hub,
    lease::Lease,
    outage::Outage,
    outcome::{self, Outcome},
    places::Taken,
    script::{Call, FETCH},
    settings::FETCH_BYTES_MAX,
    slot::{Held, Slot},
};
use crate::Job;

/// How long a full worker lets freed slots add up before it fetches for them.
const GATHER: Duration = Duration::from_millis(1);
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// What the script answers: more is ready (-1: not registered), ms until the next delayed job or -1, ids, frames, tries.
pub(super) type Answer = (i64, i64, Vec<String>, Vec<Option<Vec<u8>>>, Vec<u32>);

struct Fetched {
    lease: Arc<Lease>,
    jobs: Vec<(String, Vec<u8>, u32)>,
    more: bool,
    next_due: Option<Duration>,
}

/// Fetches until the worker stops, then hands back what was not started.
pub(crate) async fn fetch_jobs<J: Job>(hub: Arc<Hub>, buffer: Arc<Buffer<J>>) {
    let mut outage = Outage::new("Fetching jobs", hub.queue);
    let queue = Queue::from(hub.queue);
    let mut more = false;
    loop {
        let taken = tokio::select! {
            biased;
            () = hub.stop.cancelled() => break,
            taken = free_places(&hub, more) => taken,
        };
        let Some(fetched) = fetch_until_answered(&hub, taken.count(), &mut outage).await else { break };
        more = fetched.more;
        let sleep_for = fetched.next_due.map_or(hub.settings.poll, |due| due.min(hub.settings.poll));
        buffer.extend(admit(&hub, &queue, fetched, taken));
        if !more {
            tokio::select! {
                biased;
                () = hub.stop.cancelled() => break,
                () = hub.wake.notified() => {}
                () = sleep(sleep_for) => {}
            }
        }
    }
    buffer.close();
}

/// Waits for a free place and takes as many as one fetch may fill.
async fn free_places(hub: &Hub, more_is_ready: bool) -> Taken {
    const OPEN: &str = "the semaphore is never closed";
    let most = hub.settings.fetch_max();
    let mut permits = None;
    if more_is_ready {
        let half = u32::try_from(most / 2).unwrap_or(u32::MAX).max(1);
        permits = timeout(GATHER, Arc::clone(&hub.slots).acquire_many_owned(half)).await.ok();
    }
    let mut permits = match permits {
        Some(permits) => permits.expect(OPEN),
        None => Arc::clone(&hub.slots).acquire_owned().await.expect(OPEN),
    };
    let further = most.saturating_sub(permits.num_permits()).min(hub.slots.available_permits());
    if let Ok(further) = u32::try_from(further)
        && let Ok(further) = Arc::clone(&hub.slots).try_acquire_many_owned(further)
    {
        permits.merge(further);
    }
    Taken::new(permits, hub.settings.share.as_ref()).await
}

/// Repeats one fetch, under one token, until Redis answers it. `None`: the worker stops.
async fn fetch_until_answered(hub: &Hub, limit: usize, outage: &mut Outage) -> Option<Fetched> {
    let mut pause = RETRY_MIN;
    let mut lease = hub.registration.current();
    let mut token = lease.next_fetch();
    loop {
        let error = match fetch(hub, &lease, token, limit).await {
            Ok((-1, ..)) => match hub.registration.renew(&lease).await {
                Ok(()) => {
                    lease = hub.registration.current();
                    token = lease.next_fetch();
                    continue;
                }
                Err(error) => error,
            },
            Ok((more, wait, ids, frames, tries)) => {
                outage.succeeded();
                let tries = tries.into_iter().chain(std::iter::repeat(0));
                // A frame is missing only if somebody else has deleted it: there is nothing to run then.
                let jobs = ids.into_iter().zip(frames).zip(tries);
                let jobs = jobs.map(|((id, frame), tries)| (id, frame.unwrap_or_default(), tries)).collect();
                let next_due = u64::try_from(wait).ok().map(Duration::from_millis);
                return Some(Fetched { lease, jobs, more: more == 1, next_due });
            }
            Err(error) => error,
        };
        outage.failed(&error);
        tokio::select! {
            () = hub.stop.cancelled() => return None,
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(RETRY_MAX);
    }
}

/// One fetch; the same token again gives the same jobs.
pub(super) async fn fetch(hub: &Hub, lease: &Lease, token: i64, limit: usize) -> RedisResult<Answer> {
    let keys = &hub.keys;
    let mut call = Call::new(
        &FETCH,
        &[
            &keys.workers(),
            &keys.worker(&lease.name),
            &keys.leases(&lease.name),
            &keys.jobs(),
            &keys.ready(),
            &keys.delayed(),
            &keys.paused(),
            &keys.tries(),
            &keys.lanes(),
        ],
    );
    call.arg(&lease.name).arg(token).arg(limit).arg(FETCH_BYTES_MAX);
    call.run(&mut hub.connection.link()).await
}

/// Makes tasks of the jobs. One that cannot be read goes to the dead letters and holds up nobody.
fn admit<J: Job>(hub: &Hub, queue: &Queue, fetched: Fetched, mut taken: Taken) -> Vec<Task<J>> {
    let mut tasks = Vec::with_capacity(fetched.jobs.len());
    for (id, frame, tries) in fetched.jobs {
        let held = Held { lease: Arc::clone(&fetched.lease), id: id.clone(), tries, place: taken.split_one() };
        let slot = Slot::new(held, hub.finished.clone());
        match read::<J>(&frame) {
            Ok(job) => tasks.push(
                TaskBuilder::new(job)
                    .task_id(TaskId::from_string(id))
                    .attempt(usize::try_from(tries).unwrap_or(usize::MAX))
                    .queue(queue.clone())
                    .data(slot)
                    .build(),
            ),
            Err(reason) => slot.finish(Outcome::Dead(reason)),
        }
    }
    tasks
}

fn read<J: Job>(frame: &[u8]) -> Result<J, String> {
    let Some((_, payload)) = frame::decode(frame) else { return Err("the stored job is not readable".into()) };
    serde_json::from_slice(payload)
        .map_err(|error| format!("the payload cannot be decoded: {}", outcome::reason(&error)))
}
