//! How many things of a kind one owner has open, with a limit for each owner.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts by owner. Without a limit nothing is counted.
#[derive(Debug)]
pub(super) struct Counts<K> {
    limit: Option<usize>,
    open: Mutex<HashMap<K, usize>>,
}

/// The owner has as many as it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// One of an owner's places, until it is dropped.
#[derive(Debug)]
pub(super) struct Held<K: Hash + Eq> {
    counts: Arc<Counts<K>>,
    owner: K,
}

impl<K: Hash + Eq + Clone> Counts<K> {
    pub(super) fn new(limit: Option<usize>) -> Arc<Self> {
        Arc::new(Self { limit, open: Mutex::default() })
    }

    /// A place for the owner; `None` where nothing is counted. `slack` multiplies the limit.
    pub(super) fn enter(self: &Arc<Self>, owner: &K, slack: usize) -> Result<Option<Held<K>>, Full> {
        let Some(limit) = self.limit else { return Ok(None) };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(owner.clone()).or_insert(0);
        if *count >= limit.saturating_mul(slack) {
            return Err(Full);
        }
        *count += 1;
        Ok(Some(Held { counts: Arc::clone(self), owner: owner.clone() }))
    }

    /// Whether the owner has more than the limit.
    pub(super) fn is_over(&self, owner: &K) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.limit.is_some_and(|limit| open.get(owner).is_some_and(|count| *count > limit))
    }
}

impl<K: Hash + Eq> Drop for Held<K> {
    fn drop(&mut self) {
        let mut open = self.counts.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.owner) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_owner_has_its_places_and_gives_them_back() {
        let counts = Counts::new(Some(2));
        let first = counts.enter(&"a", 1).unwrap();
        let _second = counts.enter(&"a", 1).unwrap();
        assert_eq!(counts.enter(&"a", 1).unwrap_err(), Full);
        assert!(counts.enter(&"b", 1).is_ok() && !counts.is_over(&"a"));
        let over = counts.enter(&"a", 2).unwrap();
        assert!(counts.is_over(&"a"));
        drop((first, over));
        assert!(counts.enter(&"a", 1).unwrap().is_some());
        assert!(!counts.open.lock().unwrap().contains_key("b"), "who has none is forgotten");
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let counts = Counts::new(None);
        assert!((0..100).all(|_| counts.enter(&"a", 1).is_ok_and(|held| held.is_none())));
        assert!(counts.open.lock().unwrap().is_empty());
    }
}
