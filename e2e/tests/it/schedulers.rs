//! Two schedulers, one active: when it is killed the other takes over within 15 s, and every tick is enqueued once.

use std::time::{Duration, Instant};

use posthouse_e2e::{
    deployment::{probe_client, spec},
    ports,
    role::Role,
};
use posthouse_jobs::Queues;
use tokio_postgres::{Client, NoTls};

use crate::world::{eventually, ground};

const TAKEOVER_LIMIT: Duration = Duration::from_secs(15);
const SWEEPS: &str = "sweep_deliveries";
const QUEUE: &str = "sweep_deliveries";

/// The scheduler's ledger.
struct Ledger {
    client: Client,
}

impl Ledger {
    async fn open(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self { client }
    }

    /// Ticks in seconds of the epoch with the term that noted them, the oldest first.
    async fn ticks(&self) -> Vec<(i64, i64)> {
        let statement = "SELECT extract(epoch FROM tick_at)::bigint, fencing_token FROM schedule_ticks WHERE name = $1 ORDER BY tick_at";
        let rows = self.client.query(statement, &[&SWEEPS]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    async fn wait_for_ticks(&self, count: usize, term_after: i64, limit: Duration) -> Vec<(i64, i64)> {
        eventually(limit, &format!("{count} ticks after term {term_after}"), async || {
            let ticks = self.ticks().await;
            let of_term = ticks.iter().filter(|(_, term)| *term > term_after).count();
            if of_term >= count { Ok(ticks) } else { Err(format!("{ticks:?}")) }
        })
        .await
    }
}

fn is_active(role: &mut Role) -> bool {
    role.process().log().unwrap().contains("This scheduler is active.")
}

#[tokio::test]
async fn a_killed_leader_is_replaced_and_every_tick_is_enqueued_once() {
    let mut ground = ground("it-schedulers").await;
    ground.shared.extra = vec![("scheduler", vec!["--sweep-schedule".into(), "* * * * * *".into()])];
    let http = probe_client().unwrap();
    let unused = ports::free().unwrap();
    let mut schedulers = Vec::new();
    for name in ["scheduler-1", "scheduler-2"] {
        let mut role = Role::spawn(spec(&ground.shared, name, unused, unused, unused).unwrap()).unwrap();
        role.wait_until_ready(&http).await.unwrap();
        schedulers.push(role);
    }
    let ledger = Ledger::open(ground.stage.database_url()).await;
    let before = ledger.wait_for_ticks(3, 0, TAKEOVER_LIMIT).await;
    let first_term = before.last().unwrap().1;

    let leader = schedulers.iter_mut().position(is_active).expect("one is active");
    assert_eq!(schedulers.iter_mut().filter_map(|role| is_active(role).then_some(())).count(), 1, "only one is active");
    schedulers[leader].process().kill().unwrap();
    let killed = Instant::now();
    ledger.wait_for_ticks(1, first_term, TAKEOVER_LIMIT).await;
    let takeover = killed.elapsed();
    assert!(takeover < TAKEOVER_LIMIT, "taken over after {takeover:?}");
    ledger.wait_for_ticks(5, first_term, TAKEOVER_LIMIT).await;
    schedulers[1 - leader].process().stop().await.unwrap();

    let seconds: Vec<i64> = ledger.ticks().await.into_iter().map(|(second, _)| second).collect();
    let (first, last) = (seconds[0], seconds[seconds.len() - 1]);
    assert_eq!(seconds, (first..=last).collect::<Vec<_>>(), "every second has its tick, also those without a leader");
    let queues = Queues::connect(ground.stage.redis_url(), "posthouse").await.unwrap();
    let counts = queues.view(QUEUE).counts().await.unwrap();
    assert_eq!(usize::try_from(counts.ready).unwrap(), seconds.len(), "one job for each tick: {counts:?}");
    println!("taken over after {takeover:?}; {} ticks, each enqueued once", seconds.len());
    drop(schedulers);
    ground.stage.stop().await.unwrap();
}
