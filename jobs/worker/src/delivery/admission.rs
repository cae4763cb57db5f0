//! Whether a delivery may be sent now: its endpoint's circuit breaker and rate limit. What is held back says so and until
//! when, costs no attempt, and keeps its place.

use std::time::Duration;

use chrono::{DateTime, Utc};
use posthouse_jobs::{
    Queues,
    queue::{BreakerRule, QueueError, Rate, Turn},
};
use posthouse_schema::{
    circuit_breaker::CircuitBreakerConfig,
    delivery_target::DeliveryTarget,
    event_delivery::{Hold, OutgoingDelivery},
    project_config::ProjectConfig,
    words::HeldBy,
};

use super::{
    breakers::{Breakers, End, Judged, rule},
    send::Sent,
};

/// A request ends within its own timeout and this.
const PROBE_MARGIN: Duration = Duration::from_secs(5);
/// While a probe is under way, others ask again after a time in this range.
const PROBING: (f64, f64) = (0.5, 3.0);
/// Longest wait until a delivery looks whether its turn has come earlier, because the rate limit was changed.
const LOOK_MAX: Duration = Duration::from_secs(600);
/// Shorter waits are not interrupted.
const LOOK_MIN: Duration = Duration::from_secs(5);

/// What becomes of a delivery that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// It is sent. The pass must be given back with what came of it.
    Pass(AdmissionPass),
    /// It waits.
    Held {
        /// What is to be noted, unless that was noted before.
        hold: Option<Hold>,
        /// When its job comes back.
        again: DateTime<Utc>,
    },
}

/// Leave to send one request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a probe that is not reported keeps others from probing"]
pub struct AdmissionPass {
    rule: Option<BreakerRule>,
    /// How often in a row the breaker may open; 0 for any number.
    trips_max: u32,
    is_probe: bool,
}

/// Decides. Cheap to clone.
#[derive(Clone)]
pub struct Admission {
    queues: Queues,
    breakers: Breakers,
}

impl AdmissionPass {
    /// Whether a breaker that has opened so often in a row has done so too often.
    #[must_use]
    pub const fn is_too_often(&self, trips: u32) -> bool {
        self.trips_max > 0 && trips >= self.trips_max
    }
}

impl Admission {
    /// Decisions that are shared by all workers on this Redis.
    #[must_use]
    pub fn new(queues: Queues) -> Self {
        Self { breakers: Breakers::new(queues.clone()), queues }
    }

    /// Whether the delivery may be sent at `now`, within `timeout`. `chance` in 0..1 spreads those that wait for a breaker.
    ///
    /// # Errors
    /// Redis does not answer, where it must be asked.
    pub async fn admit(
        &self,
        delivery: &OutgoingDelivery,
        target: &DeliveryTarget,
        config: &ProjectConfig,
        timeout: Duration,
        (now, chance): (DateTime<Utc>, f64),
    ) -> Result<Admitted, QueueError> {
        let thresholds = CircuitBreakerConfig::of(config.circuit_breaker.as_ref());
        let rule = rule(thresholds);
        let trips_max = thresholds.consecutive_failure_threshold;
        let mut pass = AdmissionPass { rule, trips_max, is_probe: false };
        if rule.is_some() {
            match self.breakers.judge(target.id, timeout + PROBE_MARGIN).await {
                Judged::Closed => {}
                Judged::Probe => pass.is_probe = true,
                Judged::Open(until) => return Ok(held_by_breaker(delivery, until, now, chance)),
            }
        }
        let Some(rate) = rate(target) else { return Ok(Admitted::Pass(pass)) };
        let promised = (delivery.held_by == Some(HeldBy::RateLimit)).then_some(delivery.next_send_time);
        match self.queues.take_turn(&target.id.to_string(), rate, promised).await {
            Ok(Turn::Now) => Ok(Admitted::Pass(pass)),
            Ok(Turn::At(until)) => {
                self.end(target, &pass, End::Neither).await;
                let hold = (promised != Some(until)).then(|| held(delivery, HeldBy::RateLimit, until));
                Ok(Admitted::Held { hold, again: look_again(until, now) })
            }
            Err(error) => {
                self.end(target, &pass, End::Neither).await;
                Err(error)
            }
        }
    }

    /// Takes note of what came of a request that was admitted. Answers how often in a row the breaker has opened, when this
    /// opened it.
    pub async fn learn(&self, target: &DeliveryTarget, pass: &AdmissionPass, sent: &Sent) -> Option<u32> {
        self.end(target, pass, end(sent)).await
    }

    /// Gives the pass of a request back that was not sent.
    pub async fn give_back(&self, target: &DeliveryTarget, pass: &AdmissionPass) {
        self.end(target, pass, End::Neither).await;
    }

    async fn end(&self, target: &DeliveryTarget, pass: &AdmissionPass, end: End) -> Option<u32> {
        self.breakers.report(target.id, pass.rule?, end, pass.is_probe).await
    }
}

/// An endpoint's limit; `None`: any number of requests.
fn rate(target: &DeliveryTarget) -> Option<Rate> {
    let period = Duration::from_secs(u64::try_from(target.rate_limit_duration_seconds).ok()?);
    Rate::new(u32::try_from(target.rate_limit).ok()?, period)
}

/// What an answer says about its endpoint. Asking for fewer requests is no failure.
fn end(sent: &Sent) -> End {
    match sent {
        Sent::Answered(answer) if (200..300).contains(&answer.status) => End::Succeeded,
        Sent::Answered(answer) if answer.status == 429 => End::Neither,
        Sent::Answered(_) | Sent::Failed { .. } => End::Failed,
        Sent::Refused { .. } | Sent::EgressUnavailable(_) => End::Neither,
    }
}

fn held(delivery: &OutgoingDelivery, by: HeldBy, until: DateTime<Utc>) -> Hold {
    Hold {
        project_id: delivery.project_id,
        id: delivery.id,
        by,
        why: None,
        until,
        attempt_count: delivery.attempt_count,
    }
}

fn held_by_breaker(delivery: &OutgoingDelivery, until: DateTime<Utc>, now: DateTime<Utc>, chance: f64) -> Admitted {
    let spread = Duration::from_secs_f64(PROBING.0 + (PROBING.1 - PROBING.0) * chance.clamp(0.0, 1.0));
    let again = until.max(now) + spread;
    let is_noted = delivery.held_by == Some(HeldBy::CircuitBreaker) && until <= delivery.next_send_time;
    Admitted::Held { hold: (!is_noted).then(|| held(delivery, HeldBy::CircuitBreaker, until.max(now))), again }
}

/// A turn that is far away is looked after on the way: the limit may be raised meanwhile.
fn look_again(turn: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    let wait = (turn - now).to_std().unwrap_or_default();
    now + if wait <= LOOK_MIN { wait } else { (wait / 4).clamp(LOOK_MIN, LOOK_MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_turns_are_looked_after() {
        let now = DateTime::UNIX_EPOCH;
        for (wait, look) in [(0, 0), (1, 1), (5, 5), (6, 5), (40, 10), (2_400, 600), (1_000_000, 600)] {
            assert_eq!(look_again(now + Duration::from_secs(wait), now), now + Duration::from_secs(look), "{wait}");
        }
        assert_eq!(
            look_again(now, now + Duration::from_secs(9)),
            now + Duration::from_secs(9),
            "a turn that has passed"
        );
    }
}
