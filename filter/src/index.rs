//! Many filters by what they require: for an event, those that may match it. The others need not be asked. It holds hashes
//! instead of values, so its size does not depend on what filters compare with; two values of one hash only have a filter
//! asked in vain.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    slice,
};

use serde_json::Value;

use crate::{
    effort::Effort,
    error::EvaluationError,
    path::Path,
    required::{Requirement, Scalar, Sign},
    scopes::{Scope, Scopes},
};

/// Steps for one key on one event: a tenth of what a filter may take.
const STEPS_MAX: usize = 20_000;

/// Which of many filters may match an event.
#[derive(Debug, Clone, Default)]
pub struct Index {
    hasher: RandomState,
    /// Those that are always asked.
    always: Vec<usize>,
    keys: Vec<Key>,
    bytes: usize,
}

/// The filters that require a value at one key.
#[derive(Debug, Clone)]
struct Key {
    scope: Scope,
    path: Path,
    /// Hashes of values, each with a filter that requires it; in order.
    wanted: Vec<(u64, usize)>,
}

impl Index {
    /// An index over filters, each with a number and with requirements that all hold for it. Of those the one counts that it
    /// shares with the fewest others. A filter without any may match every event, and so may those that are beyond
    /// `bytes_max` of requirements.
    #[must_use]
    pub fn new(filters: &[(usize, Vec<Requirement<'_>>)], bytes_max: usize) -> Self {
        let mut index = Self::default();
        let mut shares: HashMap<(Scope, &str, u64), usize> = HashMap::new();
        let all = filters.iter().flat_map(|(_, requirements)| requirements);
        for sign in all.flat_map(|requirement| &requirement.signs) {
            *shares.entry((sign.scope, sign.path.key(), index.hash(sign.value))).or_default() += 1;
        }
        let share =
            |index: &Self, sign: &Sign<'_>| shares.get(&(sign.scope, sign.path.key(), index.hash(sign.value))).copied();
        let mut keys: HashMap<(Scope, &str), Key> = HashMap::new();
        for (filter, requirements) in filters {
            let rarest = requirements.iter().min_by_key(|requirement| {
                requirement.signs.iter().filter_map(|sign| share(&index, sign)).sum::<usize>()
            });
            let Some(rarest) = rarest.filter(|_| index.bytes < bytes_max) else {
                index.always.push(*filter);
                continue;
            };
            for sign in &rarest.signs {
                let key = keys.entry((sign.scope, sign.path.key())).or_insert_with(|| {
                    index.bytes += size_of::<Key>() + sign.path.bytes();
                    Key { scope: sign.scope, path: sign.path.clone(), wanted: Vec::new() }
                });
                key.wanted.push((index.hasher.hash_one(sign.value), *filter));
                index.bytes += size_of::<(u64, usize)>();
            }
        }
        index.keys = keys.into_values().collect();
        for key in &mut index.keys {
            key.wanted.sort_unstable();
            key.wanted.shrink_to_fit();
        }
        index
    }

    /// Bytes that the requirements take, about.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether it asks something of the event's data.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        self.keys.iter().any(|key| key.scope == Scope::Body)
    }

    /// The numbers of the filters that may match the event, in order. Of a part that is `None`, because it cannot be read,
    /// everything is possible, and so it is of a key at which the event has too much to look at.
    #[must_use]
    pub fn candidates(&self, event: Scopes<Option<&Value>>) -> Vec<usize> {
        let mut found = self.always.clone();
        for key in &self.keys {
            match event.of(key.scope).map(|root| self.hashes(key, root)) {
                Some(Ok(hashes)) => {
                    for hash in hashes {
                        let first = key.wanted.partition_point(|(known, _)| *known < hash);
                        let same = key.wanted.iter().skip(first).take_while(|(known, _)| *known == hash);
                        found.extend(same.map(|(_, filter)| *filter));
                    }
                }
                Some(Err(EvaluationError::TooMuchWork)) | None => {
                    found.extend(key.wanted.iter().map(|(_, filter)| *filter));
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Of the values to which the key leads, and of the elements of arrays among them; each once.
    fn hashes(&self, key: &Key, root: &Value) -> Result<Vec<u64>, EvaluationError> {
        let mut hashes = Vec::new();
        key.path.any(root, &mut Effort::of(STEPS_MAX), &mut |value, effort| {
            let values = if let Value::Array(items) = value { items } else { slice::from_ref(value) };
            effort.spend(values.len())?;
            hashes.extend(values.iter().filter_map(Scalar::of).map(|value| self.hash(value)));
            Ok(false)
        })?;
        hashes.sort_unstable();
        hashes.dedup();
        Ok(hashes)
    }

    fn hash(&self, value: Scalar<'_>) -> u64 {
        self.hasher.hash_one(value)
    }
}

#[cfg(test)]
mod tests;
