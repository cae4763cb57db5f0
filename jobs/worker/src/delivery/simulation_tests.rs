//! The life of deliveries, played through with chance: the real decisions over a model of ledger, queue, workers and
//! endpoints, in a time of its own. Workers die between any two steps, are taken for dead while they live, Redis is emptied,
//! endpoints fail in every way. After each step the ledger must add up; in the end everything must have ended.
//!
//! A seed that fails is printed; `SEEDS` of that one alone plays it again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use posthouse_schema::{
    delivery_target::DeliveryTarget,
    event_delivery::{Outcome, OutgoingDelivery},
    ids::{EndpointId, EventDeliveryId, EventId, ProjectId, SubscriptionId},
    json::Headers,
    words::{DeliveryMode, DeliveryStatus, EndpointStatus, HeldBy, RetryStrategy},
};
use serde_json::json;

use super::{
    decision::{Decision, decide},
    lines::{Place, place_after},
    outcome::outcome,
    send::{Answer, Sent},
};

const SEEDS: std::ops::Range<u64> = 0..3_000;
const STEPS: usize = 250;
/// Steps after the last fault within which everything must have ended.
const STEPS_TO_END: usize = 20_000;
const CLAIM_SECONDS: i64 = 70;
const WAIT_SECONDS: i64 = 300;
const SWEEP_GRACE_SECONDS: i64 = 30;

type Time = chrono::DateTime<chrono::Utc>;
type Id = EventDeliveryId;

/// Chance that can be repeated (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn once_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let at = self.below(choices.len());
        choices.get(at).copied()
    }
}

/// A row of the ledger.
struct Row {
    delivery: OutgoingDelivery,
    line_place: u64,
    /// The state that it was final in.
    ended: Option<DeliveryStatus>,
    /// What reached the endpoint, and whether it was answered with 200.
    arrivals: Vec<bool>,
}

impl Row {
    fn is_in_line(&self) -> bool {
        self.delivery.ordering_key.is_some() && !self.delivery.status.is_final()
    }
}

/// Where a job is while no worker has it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Job {
    Ready,
    Delayed(Time),
    Leased,
}

/// How far a worker has come with a job. What it has read may be old by now.
#[derive(Clone)]
enum Phase {
    Loaded,
    ToSend,
    Sent(Sent),
    Recorded(Outcome, Place),
    Ended,
}

#[derive(Clone)]
struct Running {
    read: OutgoingDelivery,
    phase: Phase,
    /// Whether its lease is still its own.
    is_leased: bool,
}

struct World {
    chance: Chance,
    now: Time,
    rows: BTreeMap<Id, Row>,
    jobs: BTreeMap<Id, Job>,
    running: Vec<Running>,
    target: DeliveryTarget,
    has_faults: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let now = Time::UNIX_EPOCH + TimeDelta::days(20_000);
        let policy = chance.of(&["block", "skip", "park"]).unwrap();
        let target = target(json!({"failing_head": policy, "attempts": 1 + chance.below(3)}));
        let mut world = Self {
            chance,
            now,
            rows: BTreeMap::new(),
            jobs: BTreeMap::new(),
            running: Vec::new(),
            target,
            has_faults: true,
        };
        for place in 0..3 + u64::try_from(world.chance.below(6)).unwrap() {
            let delivery = delivery(&mut world.chance, now, &world.target);
            world.jobs.insert(delivery.id, Job::Ready);
            world.rows.insert(delivery.id, Row { delivery, line_place: place, ended: None, arrivals: Vec::new() });
        }
        world
    }

    fn step(&mut self) {
        match self.chance.below(20) {
            0..=4 => self.start(),
            5..=14 => self.go_on(),
            15 | 16 => self.pass_time(),
            17 => self.sweep(),
            _ if !self.has_faults => self.pass_time(),
            18 => self.lose_worker(),
            _ if self.chance.once_in(10) => self.jobs.clear(),
            _ if self.chance.once_in(10) => self.change_endpoint(),
            _ => self.take_for_dead(),
        }
        self.check();
    }

    fn start(&mut self) {
        let ready: Vec<Id> = self.jobs.iter().filter(|(_, job)| **job == Job::Ready).map(|(id, _)| *id).collect();
        let Some(id) = self.chance.of(&ready) else { return };
        self.jobs.insert(id, Job::Leased);
        let read = self.rows[&id].delivery.clone();
        self.running.push(Running { read, phase: Phase::Loaded, is_leased: true });
    }

    fn go_on(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let at = self.chance.below(self.running.len());
        let Running { read, phase, is_leased } = self.running.swap_remove(at);
        let next = match phase {
            Phase::Loaded => self.before_sending(&read),
            Phase::ToSend => Next::Phase(Phase::Sent(self.send(&read))),
            Phase::Sent(sent) => self.record(&read, &sent),
            Phase::Recorded(outcome, place) => {
                if place == Place::Left {
                    self.row(read.id).delivery.ordering_key = None;
                    self.wake_next(&read);
                }
                if outcome.status == DeliveryStatus::Retry {
                    Next::Again(outcome.next_send_time)
                } else {
                    Next::Phase(Phase::Ended)
                }
            }
            Phase::Ended => {
                self.wake_next(&read);
                Next::Done
            }
        };
        match next {
            Next::Phase(phase) => self.running.push(Running { read, phase, is_leased }),
            // A worker that has lost its lease is not heard.
            Next::Done if is_leased => drop(self.jobs.remove(&read.id)),
            Next::Again(due) if is_leased => drop(self.jobs.insert(read.id, Job::Delayed(due))),
            Next::Done | Next::Again(_) => {}
        }
    }

    fn before_sending(&mut self, read: &OutgoingDelivery) -> Next {
        if self.waits_in_line(read) {
            return Next::Done;
        }
        match decide(read, Some(self.target.status), self.now) {
            Decision::Done => return Next::Phase(Phase::Ended),
            Decision::Again(due) => return Next::Again(due),
            Decision::Discard(_) => {
                self.end(read.id, DeliveryStatus::Discarded);
                return Next::Phase(Phase::Ended);
            }
            Decision::GiveUp(_) => {
                self.end(read.id, DeliveryStatus::Failure);
                return Next::Phase(Phase::Ended);
            }
            Decision::Send => {}
        }
        if read.delivery_mode == DeliveryMode::AtMostOnce && !self.claim(read.id) {
            self.end(read.id, DeliveryStatus::Failure);
            return Next::Phase(Phase::Ended);
        }
        Next::Phase(Phase::ToSend)
    }

    fn waits_in_line(&mut self, read: &OutgoingDelivery) -> bool {
        if read.ordering_key.is_none() || read.status.is_final() {
            return false;
        }
        let (own, until) = (&self.rows[&read.id], self.now + TimeDelta::seconds(WAIT_SECONDS));
        let waits = matches!(own.delivery.status, DeliveryStatus::Scheduled | DeliveryStatus::Retry)
            && own.delivery.ordering_key.is_some()
            && self.line().iter().any(|(place, _)| *place < own.line_place);
        if waits {
            let delivery = &mut self.row(read.id).delivery;
            (delivery.held_by, delivery.next_send_time) = (Some(HeldBy::Ordering), until);
        }
        waits
    }

    /// What is unfinished in the line, the first one first.
    fn line(&self) -> BTreeSet<(u64, Id)> {
        let rows = self.rows.iter().filter(|(_, row)| row.is_in_line());
        rows.map(|(id, row)| (row.line_place, *id)).collect()
    }

    fn claim(&mut self, id: Id) -> bool {
        let until = self.now + TimeDelta::seconds(CLAIM_SECONDS);
        let delivery = &mut self.row(id).delivery;
        let is_free = matches!(delivery.status, DeliveryStatus::Scheduled | DeliveryStatus::Retry);
        if is_free {
            (delivery.status, delivery.next_send_time) = (DeliveryStatus::Processing, until);
        }
        is_free
    }

    fn end(&mut self, id: Id, status: DeliveryStatus) {
        let delivery = &mut self.row(id).delivery;
        if !delivery.status.is_final() {
            delivery.status = status;
        }
    }

    fn send(&mut self, read: &OutgoingDelivery) -> Sent {
        assert!(!read.status.is_final(), "{} is sent although it has ended", read.id);
        if read.ordering_key.is_some() {
            let (place, line) = (self.rows[&read.id].line_place, self.line());
            let before: Vec<_> = line.iter().filter(|(other, _)| *other < place).collect();
            assert!(before.is_empty(), "{} is sent before {before:?}", read.id);
        }
        let answered = |status| Sent::Answered(Answer { status, headers: Headers::default(), body: Vec::new() });
        let failed = |class| Sent::Failed { class, message: String::new() };
        let (sent, arrives) = match self.chance.below(if self.has_faults { 9 } else { 1 }) {
            0..=2 => (answered(200), true),
            3 => (answered(500), true),
            4 => (answered(429), true),
            5 => (failed("timeout"), true),
            6 => (failed("connect"), false),
            7 => (Sent::EgressUnavailable(String::new()), false),
            _ => (Sent::Refused { code: "private_address".into() }, false),
        };
        if arrives {
            self.row(read.id).arrivals.push(matches!(&sent, Sent::Answered(answer) if answer.status == 200));
        }
        sent
    }

    fn record(&mut self, read: &OutgoingDelivery, sent: &Sent) -> Next {
        let now = self.now;
        if matches!(sent, Sent::EgressUnavailable(_)) {
            let delivery = &mut self.row(read.id).delivery;
            if read.delivery_mode == DeliveryMode::AtMostOnce && delivery.status == DeliveryStatus::Processing {
                (delivery.status, delivery.next_send_time) = (DeliveryStatus::Retry, now + TimeDelta::seconds(5));
            }
            return Next::Again(now + TimeDelta::seconds(5));
        }
        let mut outcome = outcome(read, sent, now, 0.5);
        let place = place_after(read, &self.target, &mut outcome);
        let delivery = &mut self.row(read.id).delivery;
        if delivery.attempt_count == outcome.attempt_count - 1 && !delivery.status.is_final() {
            delivery.status = outcome.status;
            delivery.attempt_count = outcome.attempt_count;
            delivery.next_send_time = outcome.next_send_time;
            delivery.held_by = None;
        }
        Next::Phase(Phase::Recorded(outcome, place))
    }

    fn wake_next(&mut self, ended: &OutgoingDelivery) {
        if ended.ordering_key.is_some()
            && let Some((_, first)) = self.line().first()
        {
            self.jobs.entry(*first).or_insert(Job::Ready);
        }
    }

    /// Until the next job is due, or for half a minute.
    fn pass_time(&mut self) {
        let due =
            self.jobs.values().filter_map(|job| if let Job::Delayed(due) = job { Some(*due) } else { None }).min();
        let half_a_minute = self.now + TimeDelta::seconds(30);
        self.now = due.map_or(half_a_minute, |due| due.clamp(self.now, self.now.max(half_a_minute)));
        let now = self.now;
        for job in self.jobs.values_mut() {
            if matches!(job, Job::Delayed(due) if *due <= now) {
                *job = Job::Ready;
            }
        }
    }

    fn sweep(&mut self) {
        let overdue = self.now - TimeDelta::seconds(SWEEP_GRACE_SECONDS);
        for (id, row) in &self.rows {
            if !row.delivery.status.is_final() && row.delivery.next_send_time < overdue {
                self.jobs.entry(*id).or_insert(Job::Ready);
            }
        }
    }

    /// A worker dies; its job is given to others.
    fn lose_worker(&mut self) {
        if !self.running.is_empty() {
            let at = self.chance.below(self.running.len());
            let lost = self.running.swap_remove(at);
            if lost.is_leased {
                self.jobs.insert(lost.read.id, Job::Ready);
            }
        }
    }

    /// A worker's job is given to others while it goes on.
    fn take_for_dead(&mut self) {
        let at = self.chance.below(self.running.len());
        if let Some(running) = self.running.get_mut(at)
            && std::mem::take(&mut running.is_leased)
        {
            self.jobs.insert(running.read.id, Job::Ready);
        }
    }

    fn change_endpoint(&mut self) {
        let states = [EndpointStatus::Active, EndpointStatus::Active, EndpointStatus::Paused, EndpointStatus::Inactive];
        self.target.status = self.chance.of(&states).unwrap();
    }

    fn row(&mut self, id: Id) -> &mut Row {
        self.rows.get_mut(&id).unwrap()
    }

    fn check(&mut self) {
        for (id, row) in &mut self.rows {
            let Row { delivery, ended, arrivals, .. } = row;
            if let Some(ended) = ended {
                assert_eq!(delivery.status, *ended, "{id} has left a final state");
            }
            *ended = delivery.status.is_final().then_some(delivery.status);
            assert!(delivery.attempt_count <= delivery.retry_limit.max(1), "{id}: {} attempts", delivery.attempt_count);
            let once = delivery.delivery_mode == DeliveryMode::AtMostOnce;
            assert!(!once || arrivals.len() <= 1, "{id} came {} times, and at most once was asked for", arrivals.len());
            let succeeded = delivery.status == DeliveryStatus::Success;
            assert!(!succeeded || arrivals.contains(&true), "{id} has succeeded without having been answered so");
        }
    }

    fn is_over(&self) -> bool {
        self.rows.values().all(|row| row.delivery.status.is_final())
    }
}

enum Next {
    Phase(Phase),
    Done,
    Again(Time),
}

fn target(ordering: serde_json::Value) -> DeliveryTarget {
    DeliveryTarget {
        project_id: ProjectId::generate(),
        id: EndpointId::generate(),
        name: String::new(),
        url: String::new(),
        status: EndpointStatus::Active,
        advanced_signatures: false,
        content_type: String::new(),
        http_timeout_seconds: 0,
        rate_limit: 0,
        rate_limit_duration_seconds: 0,
        authentication: None,
        mtls_client_cert: None,
        ordering: Some(ordering),
        follow_redirects: false,
        support_email: String::new(),
        secrets: Vec::new(),
        secret_expiries: Vec::new(),
        locked: None,
    }
}

fn delivery(chance: &mut Chance, now: Time, target: &DeliveryTarget) -> OutgoingDelivery {
    let bits = (u128::from(chance.next()) << 64) | u128::from(chance.next());
    OutgoingDelivery {
        project_id: target.project_id,
        id: EventDeliveryId::from_bits(bits),
        event_id: EventId::from_bits(bits),
        endpoint_id: target.id,
        subscription_id: SubscriptionId::from_bits(bits),
        event_type: String::new(),
        status: DeliveryStatus::Scheduled,
        delivery_mode: if chance.once_in(3) { DeliveryMode::AtMostOnce } else { DeliveryMode::AtLeastOnce },
        target_url: None,
        strategy: chance.of(RetryStrategy::ALL).unwrap(),
        retry_interval_seconds: i32::try_from(chance.below(40)).unwrap(),
        retry_limit: i32::try_from(chance.below(5)).unwrap(),
        attempt_count: 0,
        next_send_time: now,
        held_by: None,
        ordering_key: (!chance.once_in(3)).then(|| "line".into()),
        retry_schedule: Some((0..chance.below(4)).map(|_| i32::try_from(chance.below(90)).unwrap()).collect()),
        give_up_at: chance.once_in(4).then(|| now + TimeDelta::seconds(i64::try_from(chance.below(200)).unwrap())),
        acknowledged_at: now,
        payload: Vec::new(),
        headers: Headers::default(),
        idempotency_key: String::new(),
        url_query_params: String::new(),
        routing_version: 0,
    }
}

fn play(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.has_faults = false;
    for _ in 0..STEPS_TO_END {
        if world.is_over() {
            return;
        }
        world.step();
    }
    let left: Vec<_> =
        world.rows.values().filter(|row| !row.delivery.status.is_final()).map(|row| &row.delivery).collect();
    panic!("these never end: {left:#?}");
}

#[test]
fn whatever_happens_the_ledger_adds_up_and_everything_ends() {
    for seed in SEEDS {
        if let Err(failure) = std::panic::catch_unwind(|| play(seed)) {
            eprintln!("The seed was {seed}.");
            std::panic::resume_unwind(failure);
        }
    }
}
