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
    /// It is to be sent, if its endpoint takes more now.
    Send,
}

/// What is to be done at `now`, for an endpoint in this state; `None` for one that was deleted.
#[must_use]
pub fn decide(delivery: &OutgoingDelivery, endpoint: Option<EndpointStatus>, now: DateTime<Utc>) -> Decision {
    if delivery.status.is_final() {
        return Decision::Done;
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
