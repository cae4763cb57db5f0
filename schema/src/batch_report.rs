//! What a replay would do, found out by trying it: how many deliveries, and to whom.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::EndpointId;

/// Endpoints that a report names; those beyond are counted together.
const ENDPOINTS_MAX: usize = 1_000;

/// Events, and the deliveries that they would become.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchReport {
    /// Events that were matched.
    pub events: u64,
    /// Of these, events that nobody would get.
    pub unmatched: u64,
    /// Deliveries that would be made.
    pub deliveries: u64,
    /// The same for each endpoint.
    pub endpoints: BTreeMap<EndpointId, u64>,
    /// Deliveries to endpoints that are not named.
    pub others: u64,
}

impl BatchReport {
    /// Adds an event that would go to these endpoints.
    pub fn add(&mut self, endpoints: impl IntoIterator<Item = EndpointId>) {
        self.events += 1;
        let before = self.deliveries;
        for endpoint in endpoints {
            self.deliveries += 1;
            if self.endpoints.len() < ENDPOINTS_MAX || self.endpoints.contains_key(&endpoint) {
                *self.endpoints.entry(endpoint).or_default() += 1;
            } else {
                self.others += 1;
            }
        }
        self.unmatched += u64::from(self.deliveries == before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_adds_up_and_is_bounded() {
        let mut report = BatchReport::default();
        let (one, other) = (EndpointId::generate(), EndpointId::generate());
        report.add([one, other]);
        report.add([one]);
        report.add([]);
        assert_eq!((report.events, report.unmatched, report.deliveries), (3, 1, 3));
        assert_eq!((report.endpoints[&one], report.endpoints[&other]), (2, 1));
        report.add((0..2_000).map(|_| EndpointId::generate()));
        assert_eq!((report.endpoints.len(), report.others), (ENDPOINTS_MAX, 1_002));
        assert_eq!(report.endpoints.values().sum::<u64>() + report.others, report.deliveries);
    }
}
