//! Weights between queues: the places of one process, which the workers on its queues share. Half of what its weight gives
//! a queue is always kept for it, so that none is shut out by another whose jobs hang; the rest goes to whoever has work,
//! and when several have, to the one that holds least for its weight.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Places for running jobs, shared by several queues.
#[derive(Debug)]
pub struct Places(Mutex<State>);

#[derive(Debug)]
struct State {
    all: usize,
    free: usize,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    weight: usize,
    held: usize,
    waiting: Option<(usize, oneshot::Sender<Held>)>,
}

/// One queue's part in [`Places`].
#[derive(Debug, Clone)]
pub struct Share {
    places: Arc<Places>,
    member: usize,
}

/// Places in use; they come back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    share: Share,
    count: usize,
}

/// What a job that runs here takes up: one of its own queue's slots, and a place where queues share them.
pub(crate) struct Taken {
    own: OwnedSemaphorePermit,
    shared: Option<Held>,
}

impl Places {
    /// `all` places for queues of these weights, in their order. A queue's weight is at least 1, and there are at least as
    /// many places as queues.
    #[must_use]
    pub fn shared<const N: usize>(all: usize, weights: [usize; N]) -> [Share; N] {
        let all = all.max(N);
        let members = weights.map(|weight| Member { weight: weight.max(1), held: 0, waiting: None });
        let places = Arc::new(Self(Mutex::new(State { all, free: all, members: members.into() })));
        std::array::from_fn(|member| Share { places: Arc::clone(&places), member })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Places that this queue's weight gives it.
    fn fair(&self, member: &Member) -> usize {
        let weights: usize = self.members.iter().map(|member| member.weight).sum();
        (self.all * member.weight / weights).max(1)
    }

    /// Places that this queue may take now: what is free but for what the others have kept.
    fn open_to(&self, index: usize) -> usize {
        let others = self.members.iter().enumerate().filter(|(other, _)| *other != index);
        let kept = others.map(|(_, other)| self.fair(other).div_ceil(2).saturating_sub(other.held)).sum();
        self.free.saturating_sub(kept)
    }

    fn give(&mut self, index: usize, want: usize) -> usize {
        let others_wait = self.members.iter().enumerate().any(|(other, member)| other != index && member.is_waiting());
        let mut count = want.min(self.open_to(index));
        if let Some(member) = self.members.get(index)
            && others_wait
        {
            count = count.min(self.fair(member).saturating_sub(member.held).max(1));
        }
        self.free -= count;
        if let Some(member) = self.members.get_mut(index) {
            member.held += count;
        }
        count
    }

    /// Who is next of those that wait, with what they get.
    fn next(&mut self) -> Option<(usize, usize, oneshot::Sender<Held>)> {
        let waiting = (0..self.members.len()).filter(|index| self.open_to(*index) > 0);
        // Compared as fractions: held/weight, by cross multiplication.
        let index = waiting
            .filter_map(|index| self.members.get(index).filter(|member| member.is_waiting()).map(|m| (index, m)))
            .min_by(|(_, a), (_, b)| (a.held * b.weight).cmp(&(b.held * a.weight)))?
            .0;
        let (want, sender) = self.members.get_mut(index)?.waiting.take()?;
        Some((index, self.give(index, want), sender))
    }
}

impl Member {
    fn is_waiting(&self) -> bool {
        self.waiting.as_ref().is_some_and(|(_, sender)| !sender.is_closed())
    }
}

impl Share {
    /// Waits for a place, and takes up to `want`.
    pub(crate) async fn take(&self, want: usize) -> Held {
        let waiting = {
            let mut state = self.places.state();
            let count = state.give(self.member, want);
            if count > 0 {
                return self.held(count);
            }
            let (sender, receiver) = oneshot::channel();
            if let Some(member) = state.members.get_mut(self.member) {
                member.waiting = Some((want, sender));
            }
            receiver
        };
        match waiting.await {
            Ok(held) => held,
            // Somebody else takes for the same queue; there is one taker per queue, so this does not happen.
            Err(_) => self.held(0),
        }
    }

    fn held(&self, count: usize) -> Held {
        Held { share: self.clone(), count }
    }

    fn give_back(&self, count: usize) {
        let mut state = self.places.state();
        state.free += count;
        if let Some(member) = state.members.get_mut(self.member) {
            member.held -= count;
        }
        drop(state);
        loop {
            let next = self.places.state().next();
            let Some((member, count, sender)) = next else { break };
            let share = Self { places: Arc::clone(&self.places), member };
            // Whoever has stopped waiting gives back at once what it is sent.
            drop(sender.send(Held { share, count }));
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.count > 0 {
            self.share.give_back(self.count);
        }
    }
}

impl Taken {
    /// As many as there are slots and, where queues share places, places for them.
    pub(crate) async fn new(mut own: OwnedSemaphorePermit, share: Option<&Share>) -> Self {
        let Some(share) = share else { return Self { own, shared: None } };
        let shared = share.take(own.num_permits()).await;
        drop(own.split(own.num_permits().saturating_sub(shared.count)));
        Self { own, shared: Some(shared) }
    }

    pub(crate) fn count(&self) -> usize {
        self.own.num_permits()
    }

    /// One of them.
    pub(crate) fn split_one(&mut self) -> Option<Self> {
        let own = self.own.split(1)?;
        let shared = self.shared.as_mut().filter(|held| held.count > 0).map(|held| {
            held.count -= 1;
            held.share.held(1)
        });
        Some(Self { own, shared })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn is_full(share: &Share) -> bool {
        timeout(Duration::from_millis(20), share.take(1)).await.is_err()
    }

    #[tokio::test]
    async fn half_of_a_share_is_lent_and_half_is_kept() {
        let [a, b] = Places::shared(100, [3, 1]);
        let of_a = a.take(1_000).await;
        assert_eq!(of_a.count, 87, "b's share is 25, and 13 of them are kept for it");
        assert!(is_full(&a).await);
        let of_b = b.take(1_000).await;
        assert_eq!(of_b.count, 13);
        assert!(is_full(&b).await);
        drop(of_a);
        assert_eq!(a.take(1_000).await.count, 87);
    }

    #[tokio::test]
    async fn under_load_places_follow_weights() {
        let [a, b] = Places::shared(100, [3, 1]);
        let (mut of_a, mut of_b) = (vec![a.take(1_000).await], vec![b.take(1_000).await]);
        // Both always want more; places come back one at a time, from a first.
        for _ in 0..200 {
            let (next_a, next_b) = (a.take(10), b.take(10));
            tokio::pin!(next_a, next_b);
            let first = of_a.iter_mut().find(|held| held.count > 0).unwrap();
            first.count -= 1;
            let one = first.share.held(1);
            let freed = async {
                tokio::task::yield_now().await;
                drop(one);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                biased;
                held = &mut next_a => of_a.push(held),
                held = &mut next_b => of_b.push(held),
                () = freed => {}
            }
        }
        let sum = |held: &[Held]| held.iter().map(|held| held.count).sum::<usize>();
        assert_eq!((sum(&of_a), sum(&of_b)), (75, 25));
        drop((of_a, of_b));
        assert_eq!(a.places.state().free, 100);
    }

    #[tokio::test]
    async fn who_stops_waiting_loses_no_place() {
        let [a, b] = Places::shared(2, [1, 1]);
        let (of_a, of_b) = (a.take(1).await, b.take(1).await);
        assert!(is_full(&a).await);
        assert!(is_full(&b).await);
        drop(of_a);
        assert_eq!(a.take(5).await.count, 1);
        drop(of_b);
        assert_eq!(b.places.state().free, 2);
        assert_eq!(b.take(5).await.count, 1);
        assert_eq!(Places::shared(0, [1, 1, 1])[0].places.state().all, 3, "no queue is left without a place");
    }
}
