//! Whether nothing was lost: what was accepted, what the ledger says, and what arrived, compared.

use serde_json::Value;

use crate::receiver::Summary;

/// Deliveries that one fault can make come twice: all that the workers have under way, sent or not yet recorded.
const DUPLICATES_PER_FAULT: u64 = 2 * 512;

/// What a run ended with.
#[derive(Debug)]
pub struct Account {
    /// Events that were accepted.
    pub accepted: u64,
    /// Faults that happened.
    pub faults: u64,
    /// `posthouse audit --json`.
    pub audit: Value,
    /// What the receiver got.
    pub received: Summary,
}

impl Account {
    /// Everything that is not as it must be; empty when all is well.
    #[must_use]
    pub fn faults_found(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut must = |holds: bool, what: String| {
            if !holds {
                found.push(what);
            }
        };
        let count = |pointer: &str| self.audit.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        let whole = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let (received, accepted) = (&self.received, self.accepted);
        must(
            self.audit.get("adds_up") == Some(&Value::Bool(true)),
            format!("the ledger does not add up: {}", self.audit),
        );
        let delivered = count("/events/delivered");
        must(
            delivered == accepted,
            format!("{delivered} events are delivered in the ledger, {accepted} were accepted"),
        );
        let others = count("/accepted").saturating_sub(delivered + count("/events/duplicate"));
        must(others == 0, format!("{others} events are neither delivered nor duplicates: {}", self.audit));
        must(
            whole(received.idempotency_keys) == accepted,
            format!("{} different events arrived, {accepted} were accepted", received.idempotency_keys),
        );
        must(
            received.webhook_ids == received.idempotency_keys,
            format!(
                "{} webhook ids for {} events: what comes twice must have one id",
                received.webhook_ids, received.idempotency_keys
            ),
        );
        must(received.unverified == 0, format!("{} requests were not signed well", received.unverified));
        let bound = self.faults * DUPLICATES_PER_FAULT;
        must(
            whole(received.duplicates) <= bound,
            format!("{} deliveries came again, more than {bound} for {} faults", received.duplicates, self.faults),
        );
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn well() -> Account {
        let received =
            Summary { requests: 12, accepted: 11, webhook_ids: 10, idempotency_keys: 10, duplicates: 1, unverified: 0 };
        let audit = json!({"adds_up": true, "accepted": 12, "events": {"delivered": 10, "duplicate": 2}});
        Account { accepted: 10, faults: 1, audit, received }
    }

    #[test]
    fn each_thing_that_can_go_wrong_is_found() {
        assert_eq!(well().faults_found(), Vec::<String>::new());
        let spoil: [fn(&mut Account); 7] = [
            |account| account.audit["adds_up"] = json!(false),
            |account| account.audit["events"]["delivered"] = json!(9),
            |account| account.audit["accepted"] = json!(13),
            |account| account.received.idempotency_keys = 9,
            |account| account.received.webhook_ids = 11,
            |account| account.received.unverified = 1,
            |account| account.received.duplicates = 2_000,
        ];
        for (number, spoil) in spoil.into_iter().enumerate() {
            let mut account = well();
            spoil(&mut account);
            assert!(!account.faults_found().is_empty(), "{number}");
        }
    }
}
