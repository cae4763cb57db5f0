//! What goes wrong, in which order and after which pauses: all of it from one number, so that a run can be repeated.

use std::{fmt, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

use crate::deployment::ROLES;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A role is killed with SIGKILL, and started again.
    Kill(&'static str),
    /// Redis is stopped, and started again on its append-only file.
    RestartRedis,
    /// PostgreSQL is stopped, and started again.
    RestartPostgres,
    /// Every connection to Redis is cut.
    CutRedis,
    /// Every connection to PostgreSQL is cut.
    CutPostgres,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(role) => write!(f, "kill {role}"),
            Self::RestartRedis => f.write_str("restart Redis"),
            Self::RestartPostgres => f.write_str("restart PostgreSQL"),
            Self::CutRedis => f.write_str("cut the connections to Redis"),
            Self::CutPostgres => f.write_str("cut the connections to PostgreSQL"),
        }
    }
}

/// Faults without end, with the pause before each: first every one once, then by chance.
pub struct Plan {
    chance: StdRng,
    first: Vec<Fault>,
}

impl Plan {
    /// The plan of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut first = Self::all();
        first.shuffle(&mut chance);
        Self { chance, first }
    }

    /// Every fault there is.
    #[must_use]
    pub fn all() -> Vec<Fault> {
        let services = [Fault::RestartRedis, Fault::RestartPostgres, Fault::CutRedis, Fault::CutPostgres];
        ROLES.into_iter().map(Fault::Kill).chain(services).collect()
    }
}

impl Iterator for Plan {
    type Item = (Duration, Fault);

    fn next(&mut self) -> Option<(Duration, Fault)> {
        let pause = Duration::from_millis(self.chance.random_range(100..1_500));
        let all = Self::all();
        let fault = self.first.pop().or_else(|| all.get(self.chance.random_range(0..all.len())).copied())?;
        Some((pause, fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_plan_which_begins_with_every_fault() {
        let plan = |seed| Plan::new(seed).take(100).collect::<Vec<_>>();
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
        let begin: Vec<Fault> = plan(7).into_iter().take(Plan::all().len()).map(|(_, fault)| fault).collect();
        assert!(Plan::all().iter().all(|fault| begin.contains(fault)));
    }
}
