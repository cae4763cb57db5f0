//! What the apalis board asks a backend for, over all queues. It lists and counts, page by page; it hands out no work and
//! takes none. Done jobs are only a number: nothing of them is kept.

mod listing;
mod refusal;

use apalis_codec::json::JsonCodec;
use apalis_core::{
    backend::{Filter, StatType, Statistic},
    task::{Task, builder::TaskBuilder, status::Status, task_id::TaskId},
};
use serde_json::Value;

use super::{Counts, DeadLetter, JobRecord, JobState, QueueError, QueueView, Queues};

/// Tasks of a page when the request does not say, and at most.
const PAGE: u32 = 10;
const PAGE_MAX: u32 = 100;

/// One queue of several, as the board sees it.
#[derive(Clone)]
pub struct QueueBoard {
    all: Vec<QueueView>,
    current: QueueView,
    codec: JsonCodec<Value>,
}

impl Queues {
    /// A board of these queues, one handle for each in the same order. Each handle also answers for all of them.
    #[must_use]
    pub fn boards(&self, queues: &[&str]) -> Vec<QueueBoard> {
        let all: Vec<_> = queues.iter().map(|queue| self.view(queue)).collect();
        let board = |current: &QueueView| QueueBoard {
            all: all.clone(),
            current: current.clone(),
            codec: JsonCodec::default(),
        };
        all.iter().map(board).collect()
    }
}

impl QueueBoard {
    /// The queue's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.current.name()
    }
}

/// First row and number of rows that a filter asks for; a page 0 is the first page.
fn bounds(filter: &Filter) -> (usize, usize) {
    let size = filter.page_size.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let first = filter.page.max(1).saturating_sub(1).saturating_mul(size);
    (usize::try_from(first).unwrap_or(usize::MAX), usize::try_from(size).unwrap_or(usize::MAX))
}

/// The queue's jobs that the filter asks for. Without a status: the running ones, then the ready, the delayed, the dead.
async fn tasks(view: &QueueView, filter: &Filter) -> Result<Vec<Task<Value>>, QueueError> {
    let (first, size) = bounds(filter);
    let live = async |state| Ok(page_of(view, view.page(state, first, size).await?));
    match &filter.status {
        Some(Status::Pending) => live(JobState::Ready).await,
        Some(Status::Queued) => live(JobState::Delayed).await,
        Some(Status::Running) => live(JobState::Running).await,
        Some(Status::Failed) => Ok(page_of(view, view.failing(first, size).await?)),
        Some(Status::Killed) => Ok(view.dead_letters(first, size).await?.iter().map(|l| buried(view, l)).collect()),
        Some(_) => Ok(Vec::new()),
        None => everything(view, first, size).await,
    }
}

async fn everything(view: &QueueView, first: usize, size: usize) -> Result<Vec<Task<Value>>, QueueError> {
    let counts = view.counts().await?;
    let (mut tasks, mut skip) = (Vec::new(), first);
    for (state, count) in
        [(JobState::Running, counts.running), (JobState::Ready, counts.ready), (JobState::Delayed, counts.delayed)]
    {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if skip < count && tasks.len() < size {
            tasks.extend(page_of(view, view.page(state, skip, size - tasks.len()).await?));
        }
        skip = skip.saturating_sub(count);
    }
    if tasks.len() < size {
        let letters = view.dead_letters(skip, size - tasks.len()).await?;
        tasks.extend(letters.iter().map(|letter| buried(view, letter)));
    }
    Ok(tasks)
}

fn page_of(view: &QueueView, records: Vec<JobRecord>) -> Vec<Task<Value>> {
    records.iter().map(|record| living(view, record)).collect()
}

fn living(view: &QueueView, record: &JobRecord) -> Task<Value> {
    let status = match (record.state, record.tries) {
        (JobState::Running, _) => Status::Running,
        (_, 1..) => Status::Failed,
        (JobState::Ready, _) => Status::Pending,
        (JobState::Delayed, _) => Status::Queued,
    };
    let builder = task(view, &record.id, &record.payload, record.tries).status(status);
    let run_at = seconds(record.due.unwrap_or(record.enqueued_at));
    match &record.leased {
        Some((worker, since)) => {
            builder.run_at_timestamp(run_at).lock_at(Some(seconds(*since))).lock_by(Some(worker.clone())).build()
        }
        None => builder.run_at_timestamp(run_at).build(),
    }
}

fn buried(view: &QueueView, letter: &DeadLetter) -> Task<Value> {
    task(view, &letter.id, &letter.payload, letter.tries)
        .status(Status::Killed)
        .run_at_timestamp(seconds(letter.enqueued_at))
        .done_at(Some(seconds(letter.died_at)))
        .build()
}

fn task(view: &QueueView, id: &str, payload: &[u8], tries: u32) -> TaskBuilder<Value> {
    let args = serde_json::from_slice(payload).unwrap_or_else(|_| String::from_utf8_lossy(payload).into());
    let id = id.parse().unwrap_or_else(|_| TaskId::String(id.to_owned()));
    TaskBuilder::new(args).task_id(id).attempt(usize::try_from(tries).unwrap_or(0)).queue(view.name().into())
}

fn seconds(time: chrono::DateTime<chrono::Utc>) -> u64 {
    u64::try_from(time.timestamp()).unwrap_or(0)
}

/// The numbers under the titles by which the board's page counts.
fn statistics(counts: &Counts, workers: u64) -> Vec<Statistic> {
    let numbers = [
        ("RUNNING_JOBS", counts.running),
        ("PENDING_JOBS", counts.ready.saturating_add(counts.delayed)),
        ("DONE_JOBS", counts.done),
        ("FAILED_JOBS", counts.failed),
        ("KILLED_JOBS", counts.dead),
        (
            "TOTAL_JOBS",
            [counts.ready, counts.delayed, counts.running, counts.dead, counts.done]
                .into_iter()
                .fold(0, u64::saturating_add),
        ),
        ("DELAYED_JOBS", counts.delayed),
        ("WORKERS", workers),
    ];
    let statistic = |(place, (title, value)): (u64, (&str, u64))| Statistic {
        title: title.into(),
        stat_type: StatType::Number,
        value: value.to_string(),
        priority: Some(place),
    };
    (1..).zip(numbers).map(statistic).collect()
}
