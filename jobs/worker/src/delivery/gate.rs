//! How many requests a worker has open to one endpoint at once. The number follows the endpoint: it grows while answers
//! come, and is halved when they do not. What finds the gate full waits for a moment if the endpoint is quick; otherwise
//! it goes back to its queue, so that an endpoint that hangs holds none of the worker's places.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use posthouse_schema::ids::{EndpointId, ProjectId};
use tokio::{sync::oneshot, time::timeout};

use super::send::Sent;

/// Requests open at once to an endpoint of which nothing is known yet.
const START: f64 = 16.0;
/// The wait that a place in the worker is worth.
const PATIENCE: Duration = Duration::from_millis(500);
/// Deliveries that may wait at one gate.
const WAITING_MAX: usize = 1_000;
/// Bounds of the time after which a delivery that was turned away comes back.
const AWAY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(60));
/// How much of its latency an endpoint is judged by its newest answer.
const NEWEST: f64 = 0.2;
/// Gates kept; beyond them those that nobody uses are forgotten, with what was learnt.
const KEPT_MAX: usize = 10_000;

type Endpoint = (ProjectId, EndpointId);

/// The gates of a worker. Cheap to clone.
#[derive(Clone)]
pub struct Gates {
    gates: Arc<Mutex<HashMap<Endpoint, Gate>>>,
    limit_max: f64,
}

/// What an endpoint's answer says about its load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Well,
    Overloaded,
    Nothing,
}

impl Sign {
    fn of(sent: &Sent) -> Self {
        match sent {
            Sent::Answered(answer) if matches!(answer.status, 429 | 503) => Self::Overloaded,
            // What leads astray was answered.
            Sent::Answered(_) | Sent::Failed { class: "redirect", .. } => Self::Well,
            Sent::Failed { .. } => Self::Overloaded,
            Sent::Refused { .. } | Sent::EgressUnavailable(_) => Self::Nothing,
        }
    }
}

enum Entry {
    Open,
    Wait(oneshot::Receiver<Pass>),
    Away(Duration),
}

struct Gate {
    limit: f64,
    /// Whether it was ever halved: from then on it grows slowly.
    was_cut: bool,
    open: usize,
    waiting: VecDeque<oneshot::Sender<Pass>>,
    /// Seconds that a request takes.
    latency: f64,
    /// When a request last ended, or began with no other open.
    moved_at: Instant,
    /// Until when places are promised to those who were turned away.
    promised: Instant,
}

impl Gate {
    fn new(limit_max: f64, now: Instant) -> Self {
        let limit = START.min(limit_max);
        let (open, waiting) = (0, VecDeque::new());
        Self { limit, was_cut: false, open, waiting, latency: 0.0, moved_at: now, promised: now }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and limit_max, a usize")]
    fn has_place(&self) -> bool {
        self.open < self.limit as usize
    }

    fn enter(&mut self, now: Instant) -> Entry {
        if self.open == 0 {
            self.moved_at = now;
        }
        if self.has_place() {
            self.open += 1;
            return Entry::Open;
        }
        // While nothing ends, the standstill is the best guess of what a request takes.
        let takes = self.latency.max((now - self.moved_at).as_secs_f64());
        let pace = Duration::from_secs_f64((takes / self.limit).min(AWAY.1.as_secs_f64()));
        let ahead = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        if self.waiting.len() < WAITING_MAX && pace.saturating_mul(ahead.saturating_add(1)) <= PATIENCE {
            let (pass, passed) = oneshot::channel();
            self.waiting.push_back(pass);
            return Entry::Wait(passed);
        }
        self.promised = self.promised.max(now) + pace;
        let away = (self.promised - now).clamp(AWAY.0, AWAY.1);
        self.promised = self.promised.min(now + AWAY.1);
        Entry::Away(away)
    }

    fn leave(&mut self, took: Duration, sign: Sign, limit_max: f64, now: Instant) {
        self.open -= 1;
        self.moved_at = now;
        self.limit = match sign {
            Sign::Nothing => return,
            Sign::Well if self.was_cut => (self.limit + 1.0 / self.limit).min(limit_max),
            Sign::Well => (self.limit + 1.0).min(limit_max),
            Sign::Overloaded => (self.limit / 2.0).max(1.0),
        };
        self.was_cut |= sign == Sign::Overloaded;
        self.latency += (took.as_secs_f64() - self.latency) * NEWEST;
    }

    /// The next one to pass, for whom a place is taken already.
    fn next(&mut self) -> Option<oneshot::Sender<Pass>> {
        let next = if self.has_place() { self.waiting.pop_front() } else { None };
        self.open += usize::from(next.is_some());
        next
    }

    fn is_idle(&self) -> bool {
        self.open == 0 && self.waiting.is_empty()
    }
}

impl Gates {
    /// Gates that let at most `limit_max` requests to one endpoint pass at once.
    #[must_use]
    pub fn new(limit_max: u16) -> Self {
        Self { gates: Arc::default(), limit_max: f64::from(limit_max.max(1)) }
    }

    /// A place among the endpoint's requests, or the time after which to ask again.
    ///
    /// # Errors
    /// That time.
    pub async fn enter(&self, project: ProjectId, endpoint: EndpointId) -> Result<Pass, Duration> {
        let key = (project, endpoint);
        let entry = {
            let now = Instant::now();
            let mut gates = self.lock();
            if gates.len() >= KEPT_MAX {
                gates.retain(|_, gate| !gate.is_idle());
            }
            gates.entry(key).or_insert_with(|| Gate::new(self.limit_max, now)).enter(now)
        };
        match entry {
            Entry::Open => Ok(self.pass(key)),
            // A pass that is granted just too late is dropped with the channel, and goes to the next.
            Entry::Wait(passed) => match timeout(PATIENCE * 2, passed).await {
                Ok(Ok(pass)) => Ok(pass),
                Ok(Err(_)) | Err(_) => Err(AWAY.0),
            },
            Entry::Away(away) => Err(away),
        }
    }

    fn pass(&self, endpoint: Endpoint) -> Pass {
        Pass { gates: self.clone(), endpoint, began: Instant::now(), sign: Sign::Nothing }
    }

    fn leave(&self, endpoint: Endpoint, took: Duration, sign: Sign) {
        let mut passing = Vec::new();
        {
            let mut gates = self.lock();
            let Some(gate) = gates.get_mut(&endpoint) else { return };
            let now = Instant::now();
            gate.leave(took, sign, self.limit_max, now);
            passing.extend(std::iter::from_fn(|| gate.next()));
            if gate.is_idle() && !gate.was_cut && gate.promised <= now {
                gates.remove(&endpoint);
            }
        }
        // Without the lock: a pass that nobody waits for any more comes back here.
        for next in passing {
            drop(next.send(self.pass(endpoint)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Endpoint, Gate>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among an endpoint's requests; dropping it gives it to the next.
pub struct Pass {
    gates: Gates,
    endpoint: Endpoint,
    began: Instant,
    sign: Sign,
}

impl Pass {
    /// The request begins now.
    pub fn begin(&mut self) {
        self.began = Instant::now();
    }

    /// Lets the gate learn from what came of the request.
    pub fn learn(mut self, sent: &Sent) {
        self.sign = Sign::of(sent);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gates.leave(self.endpoint, self.began.elapsed(), self.sign);
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
