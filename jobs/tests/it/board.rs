//! What the board asks Redis for does not grow with its queues, and its numbers are right whatever their length.

use std::collections::BTreeMap;

use apalis_core::{
    backend::{Filter, ListAllTasks as _, ListQueues as _, ListTasks as _, ListWorkers as _, Metrics as _, Statistic},
    task::status::Status,
};
use chrono::{TimeDelta, Utc};
use posthouse_jobs::{
    Job as _,
    queue::{JobState, QueueBoard, testing::TestQueues},
};

use crate::{
    redis_server::RedisServer,
    world::{Work, named},
};

/// What a Redis has done for its clients: calls by command, those within scripts too, and the bytes that it has sent.
#[derive(Debug, PartialEq)]
struct Cost {
    calls: BTreeMap<String, u64>,
    bytes: u64,
}

impl Cost {
    async fn until_now(server: &RedisServer) -> Self {
        let stats: String = server.ask("INFO stats").await.unwrap();
        let sent = stats.lines().find_map(|line| line.strip_prefix("total_net_output_bytes:")).unwrap();
        let commands: String = server.ask("INFO commandstats").await.unwrap();
        let line = |line: &str| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((name.to_string(), rest.split(',').next()?.parse().unwrap()))
        };
        // Those of asking for this.
        let is_read = |name: &str| !["info", "hello", "client"].iter().any(|own| name.starts_with(own));
        let calls = commands.lines().filter_map(line).filter(|(name, _)| is_read(name)).collect();
        Self { calls, bytes: sent.trim().parse().unwrap() }
    }

    fn since(&self, before: &Self) -> Self {
        let earlier = |name: &String| before.calls.get(name).copied().unwrap_or_default();
        let calls = self.calls.iter().map(|(name, calls)| (name.clone(), calls - earlier(name)));
        Self { calls: calls.filter(|(_, calls)| *calls > 0).collect(), bytes: self.bytes - before.bytes }
    }
}

fn value(statistics: &[Statistic], title: &str) -> u64 {
    statistics.iter().find(|one| one.title == title).unwrap().value.parse().unwrap()
}

/// Everything that the board's pages show, and the page of queues.
async fn look(queues: &TestQueues, board: &QueueBoard) {
    board.global().await.unwrap();
    board.list_queues().await.unwrap();
    board.fetch_by_queue().await.unwrap();
    board.list_all_workers().await.unwrap();
    let page = |page, status| Filter { page, page_size: Some(20), status };
    board.list_all_tasks(&page(1, None)).await.unwrap();
    for filter in [
        page(1, None),
        page(3, None),
        page(1, Some(Status::Pending)),
        page(2, Some(Status::Queued)),
        page(1, Some(Status::Running)),
        page(1, Some(Status::Failed)),
        page(2, Some(Status::Killed)),
    ] {
        board.list_tasks(&filter).await.unwrap();
    }
    let view = queues.view(board.name());
    view.counts().await.unwrap();
    view.is_paused().await.unwrap();
    view.dead_letters(0, 20).await.unwrap();
    view.page(JobState::Ready, 0, 20).await.unwrap();
}

/// So many more of each kind.
async fn fill(queues: &TestQueues, (ready, delayed, dead): (u64, u64, u64), begin: u64) {
    let jobs: Vec<Work> = (begin..begin + ready).map(|n| named(n, &format!("ready-{n:09}"))).collect();
    assert_eq!(queues.push_all(&jobs).await.unwrap(), ready);
    let due = Utc::now() + TimeDelta::hours(1);
    for n in begin..begin + delayed {
        assert!(queues.push_at(&named(n, &format!("delayed-{n:09}")), due).await.unwrap());
    }
    for n in begin..begin + dead {
        queues.bury(Work::QUEUE, (&format!("dead-{n:09}"), "it failed"), &named(n, "dead")).await;
    }
}

#[tokio::test]
async fn what_the_board_costs_does_not_grow_with_the_queue() {
    let server = RedisServer::start();
    let queues = server.queues().await;
    let board = queues.boards(&[Work::QUEUE, "other"]).remove(0);
    let cost = async || {
        let before = Cost::until_now(&server).await;
        look(&queues, &board).await;
        Cost::until_now(&server).await.since(&before)
    };
    fill(&queues, (100, 50, 50), 0).await;
    // Scripts are loaded by the first who needs them.
    look(&queues, &board).await;
    let short = cost().await;
    fill(&queues, (30_000, 100, 100), 1_000).await;
    let long = cost().await;
    assert_eq!(long.calls, short.calls, "the same commands, as often");
    assert!(!long.calls.is_empty() && long.bytes <= short.bytes + short.bytes / 4, "{short:?} {long:?}");

    let statistics = board.fetch_by_queue().await.unwrap();
    for (title, expected) in [
        ("PENDING_JOBS", 30_100 + 150),
        ("DELAYED_JOBS", 150),
        ("RUNNING_JOBS", 0),
        ("KILLED_JOBS", 150),
        ("TOTAL_JOBS", 30_100 + 150 + 150),
    ] {
        assert_eq!(value(&statistics, title), expected, "{title}");
        assert_eq!(value(&board.global().await.unwrap(), title), expected, "{title} of all");
    }
    let last = Filter { page: 301, page_size: Some(100), status: Some(Status::Pending) };
    assert_eq!(board.list_tasks(&last).await.unwrap().len(), 100, "the last page of the ready ones");
    let beyond = Filter { page: 302, ..last };
    assert!(board.list_tasks(&beyond).await.unwrap().is_empty());
}
