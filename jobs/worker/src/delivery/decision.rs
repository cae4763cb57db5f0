//! What is to be done with a delivery whose job runs, before anything is sent. Pure.

use chrono::{DateTime, Utc};
use posthouse_schema::{event_delivery::OutgoingDelivery, words::EndpointStatus};

/// Why a delivery to an endpoint that is gone is discarded.
pub const DELETED: &str = "the endpoint was deleted";

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: it is final.
    Done,
    /// Nothing before this time.
    Again(DateTime<Utc>),
    /// It is never to be sent, for this reason.
    Discard(&'static str),
    /// It has failed without a further attempt, for this reason.
    GiveUp(&'static str),
    /// It is to be sent, if its endpoint takes more now.
    Send,
}

/// What is to be done at `now`, for an endpoint in this state; `None` for one that was deleted.
#[must_use]
pub fn decide(delivery: &OutgoingDelivery, endpoint: Option<EndpointStatus>, now: DateTime<Utc>) -> Decision {
    if delivery.status.is_final() {
        return Decision::Done;
    }
    if delivery.give_up_at.is_some_and(|deadline| deadline <= now) {
        return Decision::GiveUp("the deadline for its delivery has passed");
    }
    // What is held back may be let go earlier than it was told.
    if delivery.next_send_time > now && delivery.held_by.is_none() {
        return Decision::Again(delivery.next_send_time);
    }
    match endpoint {
        None => Decision::Discard(DELETED),
        Some(EndpointStatus::Inactive) => Decision::Discard("the endpoint is inactive"),
        // What was matched before its endpoint was paused still goes out.
        Some(EndpointStatus::Active | EndpointStatus::Paused) => Decision::Send,
    }
}

#[cfg(test)]
mod tests {
    use posthouse_schema::words::{DeliveryStatus, HeldBy};

    use super::*;
    use crate::delivery::outcome::tests::delivery;

    fn decided(change: impl FnOnce(&mut OutgoingDelivery), endpoint: Option<EndpointStatus>) -> Decision {
        let mut delivery = delivery(0, 3);
        change(&mut delivery);
        decide(&delivery, endpoint, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn every_state_has_its_decision() {
        let (active, later) = (Some(EndpointStatus::Active), DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(9));
        assert_eq!(decided(|_| (), active), Decision::Send);
        assert_eq!(decided(|_| (), Some(EndpointStatus::Paused)), Decision::Send);
        assert_eq!(decided(|_| (), Some(EndpointStatus::Inactive)), Decision::Discard("the endpoint is inactive"));
        assert_eq!(decided(|_| (), None), Decision::Discard(DELETED));
        assert_eq!(decided(|delivery| delivery.next_send_time = later, active), Decision::Again(later));
        let held = |delivery: &mut OutgoingDelivery| {
            (delivery.next_send_time, delivery.held_by) = (later, Some(HeldBy::RateLimit));
        };
        assert_eq!(decided(held, active), Decision::Send, "its limit may have been raised");
        let passed = |delivery: &mut OutgoingDelivery| delivery.give_up_at = Some(DateTime::UNIX_EPOCH);
        assert!(matches!(decided(passed, active), Decision::GiveUp(_)));
        for status in [DeliveryStatus::Success, DeliveryStatus::Failure, DeliveryStatus::Discarded] {
            assert_eq!(decided(|delivery| delivery.status = status, None), Decision::Done, "{status}");
        }
    }
}
