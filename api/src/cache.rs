//! A small cache with a bound on age and on number. What is not in it is simply read again.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Values by key, none older than `ttl`, never more than `entries_max`.
#[derive(Debug)]
pub struct Cache<K, V> {
    ttl: Duration,
    entries_max: usize,
    entries: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// An empty cache.
    #[must_use]
    pub fn new(ttl: Duration, entries_max: usize) -> Self {
        Self { ttl, entries_max, entries: Mutex::default() }
    }

    /// The value, if it is young enough.
    pub fn get(&self, key: &K) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).filter(|(since, _)| since.elapsed() < self.ttl).map(|(_, value)| value.clone())
    }

    /// Remembers the value. A full cache drops what is too old, or else everything.
    pub fn put(&self, key: K, value: V) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.entries_max {
            entries.retain(|_, (since, _)| since.elapsed() < self.ttl);
            if entries.len() >= self.entries_max {
                entries.clear();
            }
        }
        entries.insert(key, (Instant::now(), value));
    }

    /// Forgets the value.
    pub fn forget(&self, key: &K) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_end_by_age_and_by_number() {
        let cache = Cache::new(Duration::from_secs(60), 2);
        cache.put(1, 'a');
        cache.put(2, 'b');
        assert_eq!((cache.get(&1), cache.get(&2), cache.get(&3)), (Some('a'), Some('b'), None));
        cache.put(3, 'c');
        assert_eq!((cache.get(&1), cache.get(&3)), (None, Some('c')), "a full cache begins anew");
        cache.forget(&3);
        assert_eq!(cache.get(&3), None);
        let aged = Cache::new(Duration::ZERO, 2);
        aged.put(1, 'a');
        assert_eq!(aged.get(&1), None);
    }
}
