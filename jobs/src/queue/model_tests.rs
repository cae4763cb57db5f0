//! The scripts against a model: whatever is pushed, fetched, finished, repeated, lost and redriven in whatever order, each
//! job is in exactly one place, and the place is the right one. Needs the tests' Redis.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::{
    BackendSettings, Queues,
    fetch::fetch,
    finish::Batch,
    frame,
    hub::Hub,
    lease::Lease,
    push::{Pushed, push_at, push_part},
    reaper::reap,
};

const WORKERS: usize = 3;
/// Ids are few, so that they meet again.
const IDS: usize = 12;

#[derive(Debug, Clone)]
enum Step {
    Push(Vec<usize>),
    PushAt(usize, bool),
    Fetch {
        worker: usize,
        limit: usize,
        is_repeated: bool,
    },
    /// What becomes of each job that the worker has, the first with the first; the others stay leased.
    Finish {
        worker: usize,
        outcomes: Vec<Ending>,
        is_repeated: bool,
    },
    /// The worker is taken for dead. It does not know.
    Reap(usize),
    Redrive(usize),
    Purge,
    Pause(bool),
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    Done,
    HandedBack,
    Later { is_due: bool },
    Retried { is_due: bool },
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Ready,
    Delayed,
    Leased(usize),
    Dead,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ending = prop_oneof![
        4 => Just(Ending::Done),
        1 => Just(Ending::HandedBack),
        1 => any::<bool>().prop_map(|is_due| Ending::Later { is_due }),
        2 => any::<bool>().prop_map(|is_due| Ending::Retried { is_due }),
        1 => Just(Ending::Dead),
    ];
    let finish = (0..WORKERS, prop::collection::vec(ending, 1..6), any::<bool>());
    let step = prop_oneof![
        4 => prop::collection::vec(0..IDS, 1..8).prop_map(Step::Push),
        1 => (0..IDS, any::<bool>()).prop_map(|(id, is_due)| Step::PushAt(id, is_due)),
        5 => (0..WORKERS, 1..6_usize, any::<bool>())
            .prop_map(|(worker, limit, is_repeated)| Step::Fetch { worker, limit, is_repeated }),
        5 => finish.prop_map(|(worker, outcomes, is_repeated)| Step::Finish { worker, outcomes, is_repeated }),
        1 => (0..WORKERS).prop_map(Step::Reap),
        1 => (0..IDS).prop_map(Step::Redrive),
        1 => Just(Step::Purge),
        1 => any::<bool>().prop_map(Step::Pause),
    ];
    prop::collection::vec(step, 1..60)
}

/// Two lanes, and jobs without one.
fn id(number: usize) -> String {
    match number % 3 {
        0 => format!("job-{number}"),
        lane => format!("lane-{lane}|job-{number}"),
    }
}

fn pushed(number: usize) -> Pushed {
    Pushed { id: id(number), frame: frame::encode(&number, Utc::now()).unwrap() }
}

fn time(is_due: bool) -> DateTime<Utc> {
    if is_due { DateTime::UNIX_EPOCH } else { Utc::now() + TimeDelta::hours(1) }
}

struct Worker {
    hub: Arc<Hub>,
    lease: Arc<Lease>,
}

/// The queue, and what it should hold.
struct Model {
    queues: Queues,
    workers: Vec<Worker>,
    places: BTreeMap<String, Place>,
    /// Delayed jobs whose time has come.
    due: BTreeSet<String>,
    tries: BTreeMap<String, u32>,
    done: u64,
    is_paused: bool,
}

impl Model {
    async fn new(queues: Queues) -> Self {
        let mut workers = Vec::new();
        for _ in 0..WORKERS {
            let settings = BackendSettings::default();
            let (hub, _) = Hub::new("model", queues.connection.clone(), queues.keys("model"), settings);
            hub.registration.renew(&hub.registration.current()).await.unwrap();
            let lease = hub.registration.current();
            workers.push(Worker { hub, lease });
        }
        let (places, due, tries) = Default::default();
        Self { queues, workers, places, due, tries, done: 0, is_paused: false }
    }

    fn is_alive(&self, id: &str) -> bool {
        !matches!(self.places.get(id), None | Some(Place::Dead))
    }

    /// What becomes new of a push: the first of each id that does not live.
    fn note_pushed(&mut self, id: &str, place: Place) -> bool {
        let is_new = !self.is_alive(id);
        if is_new {
            self.places.insert(id.to_owned(), place);
        }
        is_new
    }

    async fn run(&mut self, step: &Step) {
        let keys = self.queues.keys("model");
        match step {
            Step::Push(numbers) => {
                let part: Vec<Pushed> = numbers.iter().map(|number| pushed(*number)).collect();
                let new = push_part(&self.queues.connection, &keys, &part).await.unwrap();
                // A dead letter may share its id with a job that lives anew: then it is no longer told apart here.
                for (pushed, new) in part.iter().zip(new) {
                    let was_dead = self.places.get(&pushed.id) == Some(&Place::Dead);
                    assert_eq!(self.note_pushed(&pushed.id, Place::Ready), new, "{}", pushed.id);
                    if was_dead {
                        self.forget_letter(&pushed.id).await;
                    }
                }
            }
            Step::PushAt(number, is_due) => {
                let job = pushed(*number);
                let id = job.id.clone();
                let new = push_at(&self.queues.connection, &keys, &[(job, time(*is_due))]).await.unwrap();
                let was_dead = self.places.get(&id) == Some(&Place::Dead);
                assert_eq!(u64::from(self.note_pushed(&id, Place::Delayed)), new);
                if new == 1 && *is_due {
                    self.due.insert(id.clone());
                }
                if was_dead {
                    self.forget_letter(&id).await;
                }
            }
            Step::Fetch { worker, limit, is_repeated } => self.fetch(*worker, *limit, *is_repeated).await,
            Step::Finish { worker, outcomes, is_repeated } => self.finish(*worker, outcomes, *is_repeated).await,
            Step::Reap(worker) => self.reap(*worker).await,
            Step::Redrive(number) => {
                let id = id(*number);
                let is_dead = self.places.get(&id) == Some(&Place::Dead);
                let redriven = self.queues.view("model").redrive(&id).await.unwrap();
                assert_eq!(redriven == super::Redriven::Ready, is_dead);
                if is_dead {
                    self.places.insert(id, Place::Ready);
                }
            }
            Step::Purge => {
                let dead = self.places.values().filter(|place| **place == Place::Dead).count();
                assert_eq!(self.queues.view("model").purge_dead().await.unwrap(), dead as u64);
                self.places.retain(|_, place| *place != Place::Dead);
            }
            Step::Pause(is_paused) => {
                let view = self.queues.view("model");
                if *is_paused { view.pause().await } else { view.resume().await }.unwrap();
                self.is_paused = *is_paused;
            }
        }
    }

    async fn forget_letter(&self, id: &str) {
        let keys = self.queues.keys("model");
        let mut pipeline = redis::pipe();
        pipeline.cmd("ZREM").arg(keys.dead()).arg(id).ignore();
        pipeline.cmd("HDEL").arg(keys.dead_jobs()).arg(id).ignore();
        pipeline.cmd("HDEL").arg(keys.dead_reasons()).arg(id).ignore();
        self.queues.connection.ask::<()>(&pipeline).await.unwrap();
    }

    async fn fetch(&mut self, worker: usize, limit: usize, is_repeated: bool) {
        let Worker { hub, lease } = &self.workers[worker];
        let token = lease.next_fetch();
        let (_, _, ids, frames, tries) = fetch(hub, lease, token, limit).await.unwrap();
        if is_repeated {
            // The answer was lost: the same jobs, and no others.
            let (_, _, again, _, _) = fetch(hub, lease, token, limit).await.unwrap();
            assert_eq!(again.iter().collect::<BTreeSet<_>>(), ids.iter().collect());
        }
        assert!(frames.iter().all(Option::is_some));
        if !self.is_paused {
            // At most `limit` become ready at a time.
            for id in self.due.clone() {
                if self.queues.view("model").find(&id).await.unwrap().is_some_and(|job| job.due.is_none()) {
                    self.due.remove(&id);
                    self.places.insert(id, Place::Ready);
                }
            }
        }
        let ready = self.places.values().filter(|place| **place == Place::Ready).count();
        assert_eq!(ids.len(), if self.is_paused { 0 } else { ready.min(limit) });
        for (at, id) in ids.into_iter().enumerate() {
            assert_eq!(tries.get(at).copied().unwrap_or(0), self.tries.get(&id).copied().unwrap_or(0));
            assert_eq!(self.places.insert(id, Place::Leased(worker)), Some(Place::Ready));
        }
    }

    async fn finish(&mut self, worker: usize, outcomes: &[Ending], is_repeated: bool) {
        let held = self.places.iter().filter(|(_, place)| **place == Place::Leased(worker)).map(|(id, _)| id.clone());
        let finished: Vec<(String, Ending)> = held.zip(outcomes.iter().copied()).collect();
        let mut batch = Batch::default();
        for (id, ending) in &finished {
            match ending {
                Ending::Done => batch.done.push(id.clone()),
                Ending::HandedBack => batch.handed_back.push(id.clone()),
                Ending::Later { is_due } => batch.later.push((id.clone(), time(*is_due).timestamp_millis())),
                Ending::Retried { is_due } => batch.retried.push((id.clone(), if *is_due { 0 } else { 3_600_000 })),
                Ending::Dead => batch.dead.push((id.clone(), "on purpose".into())),
            }
        }
        let Worker { hub, lease } = &self.workers[worker];
        let call = batch.call(hub, lease);
        for _ in 0..if is_repeated { 2 } else { 1 } {
            assert!(call.run::<bool>(&mut hub.connection.link()).await.unwrap());
        }
        for (id, ending) in finished {
            match ending {
                Ending::Done => {
                    self.places.remove(&id);
                    self.tries.remove(&id);
                    self.done += 1;
                }
                Ending::HandedBack => drop(self.places.insert(id, Place::Ready)),
                Ending::Dead => {
                    self.tries.remove(&id);
                    self.places.insert(id, Place::Dead);
                }
                Ending::Later { is_due } | Ending::Retried { is_due } => {
                    match ending {
                        Ending::Retried { .. } => *self.tries.entry(id.clone()).or_default() += 1,
                        _ => drop(self.tries.remove(&id)),
                    }
                    if is_due {
                        self.due.insert(id.clone());
                    }
                    self.places.insert(id, Place::Delayed);
                }
            }
        }
    }

    async fn reap(&mut self, worker: usize) {
        let Worker { hub, lease } = &self.workers[worker];
        // Every heartbeat is older than nothing.
        let given_back: i64 = reap(hub, &lease.name, 0).run(&mut hub.connection.link()).await.unwrap();
        let held: Vec<String> = self
            .places
            .iter()
            .filter(|(_, place)| **place == Place::Leased(worker))
            .map(|(id, _)| id.clone())
            .collect();
        assert_eq!(given_back, held.len() as i64);
        // What it finishes under its old name counts for nothing; then it comes back under a new one.
        let mut late = Batch::default();
        late.done.clone_from(&held);
        assert!(!late.call(hub, lease).run::<bool>(&mut hub.connection.link()).await.unwrap());
        let (more, ..) = fetch(hub, lease, lease.next_fetch(), 5).await.unwrap();
        assert_eq!(more, -1);
        hub.registration.renew(lease).await.unwrap();
        let lease = hub.registration.current();
        self.workers[worker].lease = lease;
        for id in held {
            self.places.insert(id, Place::Ready);
        }
    }

    /// Compares every structure in Redis with the model.
    async fn check(&self) {
        let keys = self.queues.keys("model");
        let mut pipeline = redis::pipe();
        pipeline.cmd("HKEYS").arg(keys.jobs()).cmd("LRANGE").arg(keys.lanes()).arg(0).arg(-1);
        pipeline.cmd("ZRANGE").arg(keys.delayed()).arg(0).arg(-1).cmd("ZRANGE").arg(keys.dead()).arg(0).arg(-1);
        pipeline.cmd("LRANGE").arg(keys.ready()).arg(0).arg(-1);
        let [jobs, lanes, delayed, dead, mut ready]: [Vec<String>; 5] =
            self.queues.connection.ask::<Vec<Vec<String>>>(&pipeline).await.unwrap().try_into().unwrap();
        assert_eq!(lanes.iter().collect::<BTreeSet<_>>().len(), lanes.len(), "a lane is named once: {lanes:?}");
        for lane in &lanes {
            let mut pipeline = redis::pipe();
            pipeline.cmd("LRANGE").arg(format!("{}:{lane}", keys.ready())).arg(0).arg(-1);
            let (ids,): (Vec<String>,) = self.queues.connection.ask(&pipeline).await.unwrap();
            assert!(!ids.is_empty(), "{lane} has nothing");
            ready.extend(ids);
        }
        let mut found: Vec<(String, Place)> = ready.into_iter().map(|id| (id, Place::Ready)).collect();
        found.extend(delayed.into_iter().map(|id| (id, Place::Delayed)));
        found.extend(dead.into_iter().map(|id| (id, Place::Dead)));
        for (number, worker) in self.workers.iter().enumerate() {
            let mut pipeline = redis::pipe();
            pipeline.cmd("ZRANGE").arg(keys.leases(&worker.lease.name)).arg(0).arg(-1);
            let (ids,): (Vec<String>,) = self.queues.connection.ask(&pipeline).await.unwrap();
            found.extend(ids.into_iter().map(|id| (id, Place::Leased(number))));
        }
        found.sort_by(|one, other| one.0.cmp(&other.0));
        let expected: Vec<(String, Place)> = self.places.iter().map(|(id, place)| (id.clone(), *place)).collect();
        assert_eq!(found, expected, "each job is in one place");
        let living = self.places.iter().filter(|(_, place)| **place != Place::Dead).map(|(id, _)| id.clone());
        assert_eq!(jobs.into_iter().collect::<BTreeSet<_>>(), living.collect());
        let counts = self.queues.view("model").counts().await.unwrap();
        assert_eq!((counts.done, counts.failing), (self.done, self.tries.len() as u64));
    }
}

#[test]
fn whatever_happens_each_job_is_in_one_place() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    #[expect(clippy::disallowed_methods, reason = "tests are told by the environment where their services are")]
    let url = std::env::var("POSTHOUSE_TEST_REDIS_URL").expect("run the tests with ./just test");
    let config = Config { failure_persistence: None, ..Config::with_cases(150) };
    let cases = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(async {
            let queues = Queues::connect(&url, &format!("model-{}", ulid::Ulid::generate())).await.unwrap();
            let mut model = Model::new(queues).await;
            for step in &steps {
                model.run(step).await;
                model.check().await;
            }
            let mut pipeline = redis::pipe();
            let keys = model.queues.keys("model");
            for key in [keys.jobs(), keys.ready(), keys.lanes(), keys.delayed(), keys.dead(), keys.dead_jobs()] {
                pipeline.cmd("UNLINK").arg(key).ignore();
            }
            model.queues.connection.ask::<()>(&pipeline).await.unwrap();
        });
        Ok(())
    });
    cases.unwrap_or_else(|failure| panic!("{failure}"));
}
