//! What the apalis board asks a backend for, over all queues. It lists and counts, page by page; it hands out no work and
//! takes none. Done jobs are only a number: nothing of them is kept.

use std::task::{Context, Poll};

use apalis_codec::json::JsonCodec;
use apalis_core::{
    backend::{
        Backend, BackendConfig, FetchById, Filter, ListAllTasks, ListQueues, ListTasks, ListWorkers, Metrics,
        QueueInfo, RunningWorker, StatType, Statistic, WireFormatBackend, finalize::Durable,
    },
    task::{Task, builder::TaskBuilder, status::Status, task_id::TaskId},
    worker::context::WorkerContext,
};
use chrono::{DateTime, Utc};
use futures::Sink;
use serde_json::Value;
use tower::layer::util::Identity;

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
