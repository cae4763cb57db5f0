//! Schedulers in a time of their own: the real decisions about the lease and about ticks, over a model of the ledger. Instances
//! crash, are cut off from the ledger, and come back; schedules are paused and go on.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use posthouse_schema::{lease::FencingToken, schedule::Standing};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    leader::{Lease, lead},
    schedules::{CatchUp, Schedule, Work},
};

/// What the product promises.
const TAKEOVER_MAX: Duration = Duration::from_secs(15);

/// The row in PostgreSQL, on one clock.
#[derive(Default)]
struct Row {
    holder: String,
    token: i64,
    ends: Option<Instant>,
}

/// The ledger as one instance reaches it.
#[derive(Clone)]
struct Reached {
    row: Arc<Mutex<Row>>,
    is_cut_off: Arc<AtomicBool>,
    /// Whether a cut is told, or nothing ever answers.
    is_told: bool,
}

impl Reached {
    async fn answer(&self) -> Result<(), String> {
        // Somewhere on the way.
        sleep(Duration::from_millis(20)).await;
        while self.is_cut_off.load(SeqCst) {
            if self.is_told {
                return Err("connection refused".into());
            }
            sleep(Duration::from_mins(1)).await;
        }
        Ok(())
    }
}

impl Lease for Reached {
    async fn acquire(&self, holder: &str, term: Duration) -> Result<Option<FencingToken>, String> {
        self.answer().await?;
        let (mut row, now) = (self.row.lock().unwrap(), Instant::now());
        let is_free = row.ends.is_none_or(|ends| ends <= now);
        if row.holder != holder && !is_free {
            return Ok(None);
        }
        if row.holder != holder || is_free {
            row.token += 1;
        }
        (row.holder, row.ends) = (holder.to_string(), Some(now + term));
        Ok(Some(FencingToken(row.token)))
    }

    async fn release(&self, holder: &str) -> Result<(), String> {
        self.answer().await?;
        let mut row = self.row.lock().unwrap();
        if row.holder == holder {
            row.ends = Some(Instant::now());
        }
        Ok(())
    }
}

/// Counts who is active, for as long as it lives.
struct Active(Arc<AtomicUsize>);

impl Active {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        assert_eq!(count.fetch_add(1, SeqCst), 0, "two are active at once");
        Self(Arc::clone(count))
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

struct Instance {
    reached: Reached,
    stop: CancellationToken,
    is_active: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Instance {
    fn start(name: String, row: &Arc<Mutex<Row>>, active: &Arc<AtomicUsize>, is_told: bool) -> Self {
        let reached = Reached { row: Arc::clone(row), is_cut_off: Arc::default(), is_told };
        let (stop, is_active) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let (lease, stopped, of_all, own) = (reached.clone(), stop.clone(), Arc::clone(active), Arc::clone(&is_active));
        let task = tokio::spawn(async move {
            lead(&lease, &name, &stopped, |_| {
                let guards = (Active::begin(&of_all), Active::begin(&own));
                async move {
                    let _guards = guards;
                    std::future::pending::<()>().await;
                }
            })
            .await;
        });
        Self { reached, stop, is_active, task }
    }

    fn is_active(&self) -> bool {
        self.is_active.load(SeqCst) > 0
    }

    fn crash(self) {
        self.task.abort();
    }
}

async fn until_active(instances: &[Instance]) -> (usize, Duration) {
    let began = Instant::now();
    loop {
        if let Some(leader) = instances.iter().position(Instance::is_active) {
            return (leader, began.elapsed());
        }
        assert!(began.elapsed() < Duration::from_mins(5), "nobody becomes active");
        sleep(Duration::from_millis(50)).await;
    }
}

fn two(is_told: bool) -> (Vec<Instance>, Arc<Mutex<Row>>, Arc<AtomicUsize>) {
    let (row, active) = (Arc::default(), Arc::default());
    let instances = ["a", "b"].map(|name| Instance::start(name.into(), &row, &active, is_told));
    (instances.into(), row, active)
}

#[tokio::test(start_paused = true)]
async fn a_crashed_leader_is_replaced_in_time() {
    let (mut instances, ..) = two(true);
    let (leader, _) = until_active(&instances).await;
    // Whenever in the term it is.
    sleep(Duration::from_millis(7_300)).await;
    instances.swap_remove(leader).crash();
    let (_, after) = until_active(&instances).await;
    assert!(after <= TAKEOVER_MAX, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_in_order_is_replaced_at_once() {
    let (mut instances, ..) = two(true);
    let (leader, _) = until_active(&instances).await;
    let leader = instances.swap_remove(leader);
    leader.stop.cancel();
    leader.task.await.unwrap();
    let (_, after) = until_active(&instances).await;
    assert!(after <= Duration::from_secs(3), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_stops_before_another_begins() {
    for is_told in [true, false] {
        let (instances, ..) = two(is_told);
        let (leader, _) = until_active(&instances).await;
        sleep(Duration::from_millis(3_100)).await;
        instances[leader].reached.is_cut_off.store(true, SeqCst);
        let cut_at = Instant::now();
        while instances[leader].is_active() {
            sleep(Duration::from_millis(50)).await;
        }
        let (next, _) = until_active(&instances).await;
        assert_ne!(next, leader);
        assert!(cut_at.elapsed() <= TAKEOVER_MAX, "{:?}", cut_at.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_one_is_active_or_soon_will_be() {
    for seed in 0..40 {
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut instances, row, active) = two(seed % 2 == 0);
        for step in 0..30 {
            sleep(Duration::from_millis(rng.random_range(0..20_000))).await;
            let at = rng.random_range(0..instances.len());
            match rng.random_range(0..3) {
                0 => {
                    instances.swap_remove(at).crash();
                    // The runtime has to drop it.
                    tokio::task::yield_now().await;
                    let name = format!("{seed}-{step}");
                    instances.push(Instance::start(name, &row, &active, seed % 2 == 0));
                }
                1 => instances[at].reached.is_cut_off.store(true, SeqCst),
                _ => instances[at].reached.is_cut_off.store(false, SeqCst),
            }
        }
        for instance in &instances {
            instance.reached.is_cut_off.store(false, SeqCst);
        }
        let (_, after) = until_active(&instances).await;
        assert!(after <= TAKEOVER_MAX, "seed {seed}: {after:?}");
        for instance in instances {
            instance.crash();
        }
    }
}

/// The ledger's account of one schedule.
#[derive(Default)]
struct Account {
    noted: BTreeSet<DateTime<Utc>>,
    enqueued: BTreeMap<DateTime<Utc>, usize>,
    paused: bool,
    resumed_at: Option<DateTime<Utc>>,
}

impl Account {
    fn standing(&self, created_at: DateTime<Utc>) -> Standing {
        let last = self.noted.last().copied().unwrap_or(created_at);
        Standing { since: self.resumed_at.map_or(last, |at| last.max(at)), is_paused: self.paused }
    }

    /// A look of the active scheduler, which may die after any step.
    fn look(&mut self, schedule: &Schedule, created_at: DateTime<Utc>, now: DateTime<Utc>, mut steps: usize) {
        let mut goes_on = || {
            let has_step = steps > 0;
            steps = steps.saturating_sub(1);
            has_step
        };
        let interrupted: Vec<_> = self.noted.iter().filter(|tick| !self.enqueued.contains_key(tick)).copied().collect();
        for tick in interrupted {
            if !goes_on() {
                return;
            }
            *self.enqueued.entry(tick).or_default() += 1;
        }
        for tick in schedule.due(self.standing(created_at), now).ticks {
            if !goes_on() {
                return;
            }
            assert!(self.noted.insert(tick), "{tick} is due twice");
            if !goes_on() {
                return;
            }
            *self.enqueued.entry(tick).or_default() += 1;
        }
    }
}

fn schedule(catch_up: CatchUp, jitter: Duration) -> Schedule {
    let cron = cron::Schedule::from_str("*/20 * * * * *").unwrap();
    Schedule { name: "simulated", cron, catch_up, jitter, work: Work::Sweep }
}

#[test]
fn every_tick_is_enqueued_once_or_missed_by_policy() {
    let start = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    for seed in 0..30 {
        let mut rng = StdRng::seed_from_u64(seed);
        let catch_up = if seed % 3 == 0 { CatchUp::Latest } else { CatchUp::Each(1_000) };
        let schedule = schedule(catch_up, Duration::from_secs(if seed % 2 == 0 { 0 } else { 15 }));
        let (mut account, mut is_led) = (Account::default(), true);
        let mut resumed = Vec::new();
        let mut now = start;
        while now < start + TimeDelta::hours(2) {
            now += TimeDelta::milliseconds(rng.random_range(1..1_500));
            match rng.random_range(0..400) {
                0 => is_led = !is_led,
                1 if seed % 5 == 0 => account.paused = true,
                2 if account.paused => {
                    (account.paused, account.resumed_at) = (false, Some(now));
                    resumed.push(now);
                }
                3 if is_led => {
                    account.look(&schedule, start, now, rng.random_range(0..4));
                    is_led = false;
                }
                _ if is_led => account.look(&schedule, start, now, usize::MAX),
                _ => {}
            }
        }
        if account.paused {
            (account.paused, account.resumed_at) = (false, Some(now));
            resumed.push(now);
        }
        account.look(&schedule, start, now + TimeDelta::seconds(15), usize::MAX);
        assert!(account.enqueued.values().all(|times| *times == 1), "seed {seed}: {:?}", account.enqueued);
        let late = TimeDelta::seconds(15);
        // What was missed before a pause is not made up for after it, nor what came meanwhile.
        let is_excused = |tick: DateTime<Utc>| resumed.iter().any(|resumed| tick <= *resumed);
        for tick in schedule.cron.after(&start).take_while(|tick| *tick <= now - late) {
            let is_enqueued = account.enqueued.contains_key(&tick);
            let is_fine = is_enqueued || is_excused(tick) || catch_up == CatchUp::Latest;
            assert!(is_fine, "seed {seed}: {tick} was lost");
        }
        // Excuses do not cover everything.
        assert!(account.enqueued.len() > 10, "seed {seed}: {} ticks", account.enqueued.len());
    }
}
