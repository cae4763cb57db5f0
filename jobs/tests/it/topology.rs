//! Redis Cluster, and a master that Sentinels replace.

use std::{collections::BTreeSet, time::Duration};

use chrono::{TimeDelta, Utc};
use posthouse_jobs::queue::{BreakerRule, JobState, Probe, Rate, Tally, Turn, testing::free_port};
use posthouse_schema::ids::EndpointId;

use crate::{
    redis_server::{RedisServer, connect},
    world::{Seen, Work, Worker, counts, is_empty, settings, until, work},
};

/// Three masters that share the slots.
async fn cluster() -> ([RedisServer; 3], String) {
    let servers = [(); 3].map(|()| {
        let bus = free_port();
        let server = RedisServer::with(&cluster_settings(&bus.to_string()));
        let port = server.port;
        (server, port, bus)
    });
    let nodes: Vec<String> = servers.iter().map(|(_, port, _)| format!("127.0.0.1:{port}")).collect();
    (join(servers).await, format!("redis+cluster://{}", nodes.join(",")))
}

pub fn cluster_settings(bus: &str) -> [&str; 6] {
    ["--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "2000"]
}

/// Makes a Cluster of three servers, each with its port for others and that of its bus.
pub async fn join(servers: [(RedisServer, u16, u16); 3]) -> [RedisServer; 3] {
    let [(first, ..), ..] = &servers;
    for ((server, port, bus), slots) in servers.iter().zip(["0 5460", "5461 10922", "10923 16383"]) {
        until("a node", async || server.ask::<String>("PING").await.is_ok()).await;
        server.ask::<()>(&format!("CLUSTER ADDSLOTSRANGE {slots}")).await.unwrap();
        first.ask::<()>(&format!("CLUSTER MEET 127.0.0.1 {port} {bus}")).await.unwrap();
    }
    let servers = servers.map(|(server, ..)| server);
    for server in &servers {
        let knows_all = |info: String| info.contains("cluster_state:ok") && info.contains("cluster_size:3");
        until("a cluster", async || knows_all(server.ask("CLUSTER INFO").await.unwrap())).await;
    }
    servers
}

#[tokio::test]
async fn a_cluster_holds_queues_like_a_single_server() {
    let (servers, url) = cluster().await;
    let (queues, seen) = (connect(&url).await, Seen::default());
    let mut idle = settings();
    idle.poll = std::time::Duration::from_mins(1);
    let noted = seen.clone();
    let worker = Worker::start(&queues, idle, move |job| {
        noted.note(job.number);
        let tries = noted.numbers().iter().filter(|number| **number == job.number).count();
        async move { if job.number % 10 == 0 && tries == 1 { Err("again".into()) } else { Ok(()) } }
    });
    until("a worker", async || queues.view("work").workers().await.unwrap().len() == 1).await;
    assert_eq!(queues.push_all(&(0..5_000).map(work).collect::<Vec<_>>()).await.unwrap(), 5_000);
    seen.reach(5_500).await;
    // Woken over whichever node the subscription is on.
    until("an empty queue", async || is_empty(&queues).await).await;
    queues.push(&work(5_001)).await.unwrap();
    seen.reach(5_501).await;
    queues.push_at(&work(5_002), Utc::now() + TimeDelta::milliseconds(300)).await.unwrap();
    let [delayed] = &queues.view("work").page(JobState::Delayed, 0, 10).await.unwrap()[..] else { panic!("one") };
    assert_eq!(serde_json::from_slice::<Work>(&delayed.payload).unwrap(), work(5_002));
    seen.reach(5_502).await;
    until("an empty queue", async || is_empty(&queues).await).await;
    let counts = counts(&queues).await;
    assert_eq!((counts.done, counts.failed), (5_002, 500));
    worker.stop().await;
    drop(servers);
}

#[tokio::test]
async fn a_cluster_keeps_rates_and_breakers() {
    let (servers, url) = cluster().await;
    let queues = connect(&url).await;
    let rule = BreakerRule {
        pause: Duration::from_millis(10),
        failure_percent: 50,
        probes: 1,
        requests_min: 1,
        window: Duration::from_secs(60),
    };
    // Enough of them for every master to have some.
    for number in 0..30 {
        let (line, hourly) = (format!("line {number}"), Rate::new(1, Duration::from_secs(3_600)).unwrap());
        assert_eq!(queues.take_turn(&line, hourly, None).await.unwrap(), Turn::Now);
        assert!(matches!(queues.take_turn(&line, hourly, None).await.unwrap(), Turn::At(_)));
        let (endpoint, failed) = (EndpointId::generate(), Tally { succeeded: 0, failed: 1 });
        assert!(queues.report_to_breaker(endpoint, rule, failed, false).await.unwrap().open.is_some());
        assert!(queues.open_breakers("").await.unwrap().unwrap().open.contains_key(&endpoint));
        tokio::time::sleep(rule.pause * 2).await;
        assert_eq!(queues.ask_breaker(endpoint, Duration::from_secs(9)).await.unwrap(), Probe::Granted);
        let succeeded = Tally { succeeded: 1, failed: 0 };
        assert_eq!(queues.report_to_breaker(endpoint, rule, succeeded, true).await.unwrap().open, None);
    }
    drop(servers);
}

#[tokio::test]
async fn a_failover_by_sentinels_is_survived_and_nothing_is_lost() {
    let mut master = RedisServer::start();
    let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    let synced = |info: String| info.contains("master_link_status:up");
    until("a replica", async || replica.ask("INFO replication").await.is_ok_and(synced)).await;
    let sentinels: Vec<RedisServer> = (0..3).map(|_| RedisServer::sentinel(master.port)).collect();
    for sentinel in &sentinels {
        let complete = |info: String| info.contains("slaves=1,sentinels=3");
        until("the sentinels", async || sentinel.ask("INFO sentinel").await.is_ok_and(complete)).await;
    }
    let nodes: Vec<String> = sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
    let url = format!("redis+sentinel://{}/orders", nodes.join(","));
    let (queues, seen) = (connect(&url).await, Seen::default());
    let worker = Worker::noting(&queues, settings(), &seen);
    queues.push_all(&(0..500).map(work).collect::<Vec<_>>()).await.unwrap();
    seen.reach(500).await;
    queues.view("work").pause().await.unwrap();
    queues.push_all(&(500..1_000).map(work).collect::<Vec<_>>()).await.unwrap();
    let is_copied = async || {
        let offset = async |server: &RedisServer, field: &str| {
            let info: String = server.ask("INFO replication").await.unwrap();
            info.lines().find_map(|line| line.strip_prefix(field).map(ToString::to_string))
        };
        offset(&master, "master_repl_offset:").await == offset(&replica, "slave_repl_offset:").await
    };
    until("everything at the replica", is_copied).await;
    master.kill();
    // The worker and the pushes find the new master by themselves.
    until("a push to the new master", async || queues.push(&work(1_000)).await.is_ok()).await;
    until("the queue is resumed", async || queues.view("work").resume().await.is_ok()).await;
    until("all jobs", async || seen.numbers().into_iter().collect::<BTreeSet<_>>().len() == 1_001).await;
    until("an empty queue", async || is_empty(&queues).await).await;
    worker.stop().await;
}
