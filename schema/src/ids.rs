//! Ids: one newtype per resource, so that two kinds cannot be swapped. An id is a ULID: 26 characters on the wire, a
//! 16-byte `uuid` in PostgreSQL, sorted by creation time, which its first 48 bits hold in milliseconds.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use diesel::{
    deserialize::{self, FromSql},
    expression::AsExpression,
    pg::{Pg, PgValue},
    serialize::{self, IsNull, Output, ToSql},
    sql_types,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use ulid::Ulid;

/// A text that is not the 26 characters of a ULID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id: 26 characters of Crockford's base 32 were expected")]
pub struct ParseIdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, diesel::deserialize::FromSqlRow)]
        #[diesel(sql_type = sql_types::Uuid)]
        pub struct $name(Ulid);

        impl $name {
            /// The id that no row has: to ask for nothing.
            pub const NONE: Self = Self(Ulid(0));

            /// A new id whose time is now and whose other 80 bits are random.
            #[must_use]
            pub fn generate() -> Self {
                Self(Ulid::generate())
            }

            /// The instant that the id carries, in whole milliseconds.
            #[must_use]
            pub fn created_at(self) -> DateTime<Utc> {
                instant(self.0)
            }

            /// The 128 bits that are stored.
            #[must_use]
            pub const fn to_bits(self) -> u128 {
                self.0.0
            }

            /// The id with these bits, for ids that are stored without their kind.
            #[must_use]
            pub const fn from_bits(bits: u128) -> Self {
                Self(Ulid(bits))
            }

            /// The smallest id of this instant: a lower bound for queries by time.
            #[must_use]
            pub fn first_at(at: DateTime<Utc>) -> Self {
                Self(Ulid::from_parts(millis(at), 0))
            }

            /// The largest id of this instant: an upper bound for queries by time.
            #[must_use]
            pub fn last_at(at: DateTime<Utc>) -> Self {
                Self(Ulid::from_parts(millis(at), u128::MAX))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl ToSql<sql_types::Uuid, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                std::io::Write::write_all(out, &self.0.0.to_be_bytes())?;
                Ok(IsNull::No)
            }
        }

        impl FromSql<sql_types::Uuid, Pg> for $name {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                let bytes: [u8; 16] = value.as_bytes().try_into()?;
                Ok(Self(Ulid(u128::from_be_bytes(bytes))))
            }
        }
    };
}

id!(/// An organisation.
    OrganisationId);
id!(/// A person who can sign in.
    UserId);
id!(/// A project: a tenant's isolated space.
    ProjectId);
id!(/// An API key, project or personal.
    ApiKeyId);
id!(/// A link by which a customer sees its own endpoints.
    PortalLinkId);
id!(/// A key of a portal link.
    PortalKeyId);
id!(/// An invitation to an organisation.
    InviteId);
id!(/// A session: from signing in to signing out.
    SessionId);
id!(/// An endpoint of a project.
    EndpointId);
id!(/// One signing secret of an endpoint.
    EndpointSecretId);
id!(/// A source of events.
    SourceId);
id!(/// A subscription of an endpoint.
    SubscriptionId);
id!(/// A subscription's filter for one event type.
    FilterId);
id!(/// A type of event in a project's catalogue.
    EventTypeId);
id!(/// An event; its time is the moment of acceptance.
    EventId);
id!(/// One event on its way to one endpoint; carries its event's time.
    EventDeliveryId);
id!(/// An event about a project itself.
    MetaEventId);
id!(/// One HTTP request of a delivery.
    DeliveryAttemptId);

id!(/// A request that a test receiver got; its time is when it came.
    TestRequestId);
id!(/// A message of a broker that could not become an event; its time is that of the rejection.
    RejectedMessageId);
id!(/// One replay of an event, or of all events that a query matched.
    ReplayId);
id!(/// Work on everything that a query matched.
    BatchRunId);
id!(/// A retry in every project of the instance.
    InstanceBatchId);
id!(/// A line of the audit log; its time is that of the request.
    AuditEntryId);
id!(/// What a line of the audit log is about, whatever it is.
    AuditedId);

impl EventDeliveryId {
    /// The id of this subscription's delivery of this event: the same whenever it is computed, so that a job which runs
    /// twice creates one row. The time is the event's, the other 80 bits come from SHA-256 over both ids.
    #[must_use]
    pub fn derive(event: EventId, subscription: SubscriptionId) -> Self {
        Self(hashed(event.0, &[subscription.0]))
    }

    /// The id of what this replay of the event delivers to this subscription: another one for each replay, and the same
    /// however often the replay's job runs. The time is the event's.
    #[must_use]
    pub fn derive_replayed(event: EventId, subscription: SubscriptionId, replay: ReplayId) -> Self {
        Self(hashed(event.0, &[subscription.0, replay.0]))
    }
}

impl EventId {
    /// The id of the event that this message becomes when it is read again: the same whenever it is computed, so that a message
    /// which is read twice makes one event. The time is that of the request.
    #[must_use]
    pub fn derive_redriven(message: RejectedMessageId, requested_at: DateTime<Utc>) -> Self {
        Self(hashed(Self::first_at(requested_at).0, &[message.0]))
    }
}

impl From<BatchRunId> for ReplayId {
    /// A run over many events is one replay of each.
    fn from(run: BatchRunId) -> Self {
        Self(run.0)
    }
}

/// An id with the time of `event` whose other 80 bits come from SHA-256 over it and `others`.
fn hashed(event: Ulid, others: &[Ulid]) -> Ulid {
    let start = Sha256::new().chain_update(event.0.to_be_bytes());
    let digest = others.iter().fold(start, |hash, id| hash.chain_update(id.0.to_be_bytes())).finalize();
    let mut random = [0_u8; 16];
    for (to, from) in random.iter_mut().skip(6).zip(digest.iter()) {
        *to = *from;
    }
    Ulid::from_parts(event.timestamp_ms(), u128::from_be_bytes(random))
}

fn millis(at: DateTime<Utc>) -> u64 {
    u64::try_from(at.timestamp_millis()).unwrap_or(0)
}

fn instant(id: Ulid) -> DateTime<Utc> {
    // 48 bits of milliseconds end in the year 10889, well inside chrono's range.
    i64::try_from(id.timestamp_ms()).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default()
}

/// Strict: upper or lower case, no excess bits. `ulid` itself lets a first character above 7 overflow.
fn parse(text: &str) -> Result<Ulid, ParseIdError> {
    match text.as_bytes().first() {
        Some(b'0'..=b'7') => Ulid::from_string(text).map_err(|_| ParseIdError),
        _ => Err(ParseIdError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_sorts_by_time() {
        let early = EventId::first_at(DateTime::from_timestamp_millis(1_000).unwrap());
        let late = EventId::generate();
        assert!(early.to_string() < late.to_string());
        assert!(early < late);
        assert_eq!(late.to_string().parse::<EventId>(), Ok(late));
        assert_eq!(serde_json::to_string(&late).unwrap(), format!("\"{late}\""));
    }

    #[test]
    fn refuses_what_is_no_id() {
        for text in [
            "",
            "x",
            "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
            "81ARZ3NDEKTSV4RRFFQ69G5FAV",
            "01ARZ3NDEKTSV4RRFFQ69G5FA",
            "01ARZ3NDEKTSV4RRFFQ69G5FAU'",
        ] {
            assert_eq!(text.parse::<EventId>(), Err(ParseIdError), "{text}");
        }
    }

    #[test]
    fn a_delivery_id_is_a_function_of_event_and_subscription() {
        let (event, one, two) = (EventId::generate(), SubscriptionId::generate(), SubscriptionId::generate());
        let id = EventDeliveryId::derive(event, one);
        assert_eq!(id, EventDeliveryId::derive(event, one));
        assert_ne!(id, EventDeliveryId::derive(event, two));
        assert_eq!(id.created_at(), event.created_at());
    }

    #[test]
    fn a_replay_s_deliveries_are_its_own() {
        let (event, subscription) = (EventId::generate(), SubscriptionId::generate());
        let (one, two) = (ReplayId::generate(), ReplayId::generate());
        let id = EventDeliveryId::derive_replayed(event, subscription, one);
        assert_eq!(id, EventDeliveryId::derive_replayed(event, subscription, one));
        assert_ne!(id, EventDeliveryId::derive_replayed(event, subscription, two));
        assert_ne!(id, EventDeliveryId::derive(event, subscription));
        assert_eq!(id.created_at(), event.created_at());
    }

    #[test]
    fn a_message_makes_one_event_for_each_request_to_read_it_again() {
        let (one, two) = (RejectedMessageId::generate(), RejectedMessageId::generate());
        let [asked, later] = [1_000, 1_001].map(|millis| DateTime::from_timestamp_millis(millis).unwrap());
        let id = EventId::derive_redriven(one, asked);
        assert_eq!((id, id.created_at()), (EventId::derive_redriven(one, asked), asked));
        assert_ne!(id, EventId::derive_redriven(two, asked));
        assert_ne!(id, EventId::derive_redriven(one, later));
    }

    #[test]
    fn bounds_enclose_every_id_of_their_instant() {
        let id = EventId::generate();
        assert!(EventId::first_at(id.created_at()) <= id && id <= EventId::last_at(id.created_at()));
    }
}
