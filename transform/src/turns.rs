//! Who comes next: tenants take turns, each with a few runs at once, so that one's many or slow runs leave threads to the
//! others. Nothing is kept of a tenant that has none.

use std::collections::{HashMap, VecDeque};

/// Runs of one tenant that are under way or wait; further ones are turned away.
pub(crate) const RUNS_MAX: usize = 200;

/// Runs that wait, by tenant.
#[derive(Debug)]
pub(crate) struct Turns<R> {
    tenants: HashMap<u128, Tenant<R>>,
    /// Tenants of which a run may begin, in the order of their turns, each once.
    next: VecDeque<u128>,
    /// Runs of one tenant at once.
    at_once: usize,
    tickets: u64,
}

#[derive(Debug)]
struct Tenant<R> {
    waiting: VecDeque<(Ticket, R)>,
    running: usize,
    is_next: bool,
}

/// One run that waits, or has waited; a later one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

impl<R> Turns<R> {
    pub(crate) fn new(at_once: usize) -> Self {
        Self { tenants: HashMap::new(), next: VecDeque::new(), at_once, tickets: 0 }
    }

    /// Puts a run at the end of its tenant's; `None` where the tenant has too many.
    pub(crate) fn push(&mut self, id: u128, run: R) -> Option<Ticket> {
        let tenant =
            self.tenants.entry(id).or_insert_with(|| Tenant { waiting: VecDeque::new(), running: 0, is_next: false });
        if tenant.waiting.len() + tenant.running >= RUNS_MAX {
            return None;
        }
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        tenant.waiting.push_back((ticket, run));
        self.line_up(id);
        Some(ticket)
    }

    /// The run that begins now. It is under way until [`Turns::finish`].
    pub(crate) fn take(&mut self) -> Option<(u128, R)> {
        let id = self.next.pop_front()?;
        let tenant = self.tenants.get_mut(&id)?;
        tenant.is_next = false;
        let (_, run) = tenant.waiting.pop_front()?;
        tenant.running += 1;
        self.line_up(id);
        Some((id, run))
    }

    /// One of the tenant's runs is over.
    pub(crate) fn finish(&mut self, id: u128) {
        if let Some(tenant) = self.tenants.get_mut(&id) {
            tenant.running = tenant.running.saturating_sub(1);
        }
        self.line_up(id);
        self.forget(id);
    }

    /// Takes out a run, if it still waits.
    pub(crate) fn cancel(&mut self, id: u128, ticket: Ticket) {
        let Some(tenant) = self.tenants.get_mut(&id) else { return };
        if let Ok(at) = tenant.waiting.binary_search_by_key(&ticket, |(waiting, _)| *waiting) {
            tenant.waiting.remove(at);
        }
        if tenant.waiting.is_empty() && tenant.is_next {
            tenant.is_next = false;
            self.next.retain(|next| *next != id);
        }
        self.forget(id);
    }

    /// Tenants of which a run may begin.
    pub(crate) fn ready(&self) -> usize {
        self.next.len()
    }

    /// Of one tenant, under way or waiting.
    #[cfg(test)]
    pub(crate) fn of(&self, id: u128) -> usize {
        self.tenants.get(&id).map_or(0, |tenant| tenant.waiting.len() + tenant.running)
    }

    fn line_up(&mut self, id: u128) {
        let Some(tenant) = self.tenants.get_mut(&id) else { return };
        if !tenant.is_next && !tenant.waiting.is_empty() && tenant.running < self.at_once {
            tenant.is_next = true;
            self.next.push_back(id);
        }
    }

    fn forget(&mut self, id: u128) {
        if self.tenants.get(&id).is_some_and(|tenant| tenant.waiting.is_empty() && tenant.running == 0) {
            self.tenants.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Each run is taken once or taken back, in its tenant's order, however they come and go.
        #[test]
        fn none_is_lost_and_none_is_doubled(steps in prop::collection::vec((0_u8..4, 0_usize..64), 0..200)) {
            let mut turns = Turns::new(2);
            let (mut waiting, mut taken, mut running) = (Vec::new(), Vec::new(), Vec::new());
            for (step, which) in steps {
                match step {
                    0 => {
                        let id = u128::try_from(which % 5).unwrap();
                        let ticket = turns.push(id, waiting.len()).unwrap();
                        waiting.push(Some((id, ticket)));
                    }
                    1 => if let Some((id, run)) = turns.take() {
                        prop_assert_eq!(waiting[run].take().unwrap().0, id);
                        taken.push((id, run));
                        running.push(id);
                    },
                    2 => if !running.is_empty() {
                        turns.finish(running.swap_remove(which % running.len()));
                    },
                    _ => if let Some(Some((id, ticket))) = waiting.get(which).copied() {
                        turns.cancel(id, ticket);
                        waiting[which] = None;
                    },
                }
                for id in 0..5 {
                    let at_once = running.iter().filter(|running| **running == id).count();
                    let open = waiting.iter().flatten().filter(|(of, _)| *of == id).count();
                    prop_assert!(at_once <= 2);
                    prop_assert_eq!(turns.of(id), at_once + open);
                    prop_assert_eq!(turns.next.contains(&id), open > 0 && at_once < 2);
                }
            }
            loop {
                while let Some((id, run)) = turns.take() {
                    waiting[run].take().unwrap();
                    taken.push((id, run));
                    running.push(id);
                }
                let Some(id) = running.pop() else { break };
                turns.finish(id);
            }
            prop_assert!(waiting.iter().all(Option::is_none) && turns.tenants.is_empty() && turns.next.is_empty());
            for id in 0..5 {
                let order: Vec<_> = taken.iter().filter(|(of, _)| *of == id).map(|(_, run)| *run).collect();
                prop_assert!(order.is_sorted());
            }
        }
    }

    #[test]
    fn tenants_take_turns_and_have_a_few_at_once() {
        let mut turns = Turns::new(2);
        for run in ["a1", "a2", "a3", "a4"] {
            turns.push(1, run).unwrap();
        }
        turns.push(2, "b1").unwrap();
        turns.push(3, "c1").unwrap();
        let taken: Vec<_> = std::iter::from_fn(|| turns.take()).collect();
        assert_eq!(taken, [(1, "a1"), (2, "b1"), (3, "c1"), (1, "a2")], "two of the first are under way");
        assert_eq!(turns.ready(), 0);
        turns.finish(2);
        assert_eq!(turns.take(), None);
        turns.finish(1);
        assert_eq!(turns.take(), Some((1, "a3")));
    }

    #[test]
    fn a_tenant_has_so_many_and_no_more() {
        let mut turns = Turns::new(1);
        for run in 0..RUNS_MAX {
            assert!(turns.push(1, run).is_some());
        }
        assert_eq!(turns.push(1, RUNS_MAX), None);
        assert!(turns.push(2, 0).is_some(), "others have their own");
        assert_eq!(turns.take(), Some((1, 0)));
        assert_eq!(turns.push(1, RUNS_MAX), None, "one that is under way counts");
        turns.finish(1);
        assert!(turns.push(1, RUNS_MAX).is_some());
    }

    #[test]
    fn nothing_is_kept_of_who_runs_nothing() {
        let mut turns = Turns::new(1);
        let first = turns.push(1, "a1").unwrap();
        let second = turns.push(1, "a2").unwrap();
        turns.cancel(1, first);
        assert_eq!(turns.take(), Some((1, "a2")));
        turns.cancel(1, second);
        assert_eq!(turns.tenants.len(), 1, "what is under way is not taken back");
        let third = turns.push(1, "a3").unwrap();
        turns.finish(1);
        assert_eq!(turns.ready(), 1);
        turns.cancel(1, third);
        assert!(turns.tenants.is_empty() && turns.ready() == 0 && turns.take().is_none());
        turns.push(1, "a4").unwrap();
        turns.take().unwrap();
        turns.finish(1);
        assert!(turns.tenants.is_empty() && turns.next.is_empty());
    }
}
