//! The board's questions, answered from the queues themselves.

use apalis_core::{
    backend::{
        FetchById, Filter, ListAllTasks, ListQueues, ListTasks, ListWorkers, Metrics, QueueInfo, RunningWorker,
        Statistic,
    },
    task::{Task, task_id::TaskId},
};
use serde_json::Value;

use super::{Counts, QueueBoard, QueueError, QueueView, bounds, buried, living, seconds, statistics, tasks};

impl Metrics for QueueBoard {
    async fn global(&self) -> Result<Vec<Statistic>, QueueError> {
        let (mut sum, mut workers) = (Counts::default(), 0);
        for view in &self.all {
            let counts = view.counts().await?;
            for (total, part) in [
                (&mut sum.ready, counts.ready),
                (&mut sum.delayed, counts.delayed),
                (&mut sum.running, counts.running),
                (&mut sum.dead, counts.dead),
                (&mut sum.done, counts.done),
                (&mut sum.failed, counts.failed),
            ] {
                *total = total.saturating_add(part);
            }
            workers += number(view.workers().await?.len());
        }
        Ok(statistics(&sum, workers))
    }

    async fn fetch_by_queue(&self) -> Result<Vec<Statistic>, QueueError> {
        Ok(statistics(&self.current.counts().await?, number(self.current.workers().await?.len())))
    }
}

impl ListQueues for QueueBoard {
    async fn list_queues(&self) -> Result<Vec<QueueInfo>, QueueError> {
        let mut queues = Vec::with_capacity(self.all.len());
        for view in &self.all {
            let (counts, workers) = (view.counts().await?, view.workers().await?);
            queues.push(QueueInfo {
                name: view.name().into(),
                stats: statistics(&counts, number(workers.len())),
                workers: workers.into_iter().map(|worker| worker.name).collect(),
                activity: counts.done_by_day.iter().map(|done| usize::try_from(*done).unwrap_or(usize::MAX)).collect(),
            });
        }
        Ok(queues)
    }
}

impl ListWorkers for QueueBoard {
    async fn list_workers(&self) -> Result<Vec<RunningWorker>, QueueError> {
        workers(&self.current).await
    }

    async fn list_all_workers(&self) -> Result<Vec<RunningWorker>, QueueError> {
        let mut found = Vec::new();
        for view in &self.all {
            found.extend(workers(view).await?);
        }
        Ok(found)
    }
}

impl ListTasks for QueueBoard {
    async fn list_tasks(&self, filter: &Filter) -> Result<Vec<Task<Value>>, QueueError> {
        tasks(&self.current, filter).await
    }
}

impl ListAllTasks for QueueBoard {
    /// Queue after queue. A page costs the pages before it, of one queue at most.
    async fn list_all_tasks(&self, filter: &Filter) -> Result<Vec<Task<Value>>, QueueError> {
        let (first, size) = bounds(filter);
        let mut found = Vec::new();
        for view in &self.all {
            let wanted = Filter { page: 1, page_size: filter.page_size, status: filter.status.clone() };
            found.extend(tasks(view, &wanted).await?);
        }
        Ok(found.into_iter().skip(first).take(size).collect())
    }
}

impl FetchById for QueueBoard {
    async fn fetch_by_id(&mut self, id: &TaskId) -> Result<Option<Task<Value>>, QueueError> {
        let id = id.to_string();
        if let Some(record) = self.current.find(&id).await? {
            return Ok(Some(living(&self.current, &record)));
        }
        Ok(self.current.dead_letter(&id).await?.map(|letter| buried(&self.current, &letter)))
    }
}

async fn workers(view: &QueueView) -> Result<Vec<RunningWorker>, QueueError> {
    let shown = view.workers().await?.into_iter().map(|worker| RunningWorker {
        id: worker.name,
        queue: view.name().into(),
        backend: "Redis".into(),
        started_at: seconds(worker.started_at),
        last_heartbeat: seconds(worker.last_heartbeat),
        layers: format!("{} of {} running", worker.running, worker.concurrency),
    });
    Ok(shown.collect())
}

fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
