//! The closed vocabularies of the ledger as enums: stored as text, and spelled on the wire exactly as stored.

use diesel::{
    deserialize::{self, FromSql},
    expression::AsExpression,
    pg::{Pg, PgValue},
    serialize::{self, Output, ToSql},
    sql_types::Text,
};
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, AsExpression, diesel::deserialize::FromSqlRow)]
        #[diesel(sql_type = Text)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every word, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as stored and sent.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }

            /// The value of this exact word, or `None`.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ToSql<Text, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                <str as ToSql<Text, Pg>>::to_sql(self.as_str(), out)
            }
        }

        impl FromSql<Text, Pg> for $name {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                let word = std::str::from_utf8(value.as_bytes())?;
                Self::parse(word).ok_or_else(|| format!("unknown word for {}: {word:?}", stringify!($name)).into())
            }
        }
    };
}

words!(/// Which way a project's events go.
ProjectKind {
    /// From the project's own services to its customers' endpoints.
    Outgoing = "outgoing",
    /// From providers, through sources, to the project's own services.
    Incoming = "incoming",
});

words!(/// Whether an endpoint receives.
EndpointStatus {
    /// Receives.
    Active = "active",
    /// Disabled; its deliveries are discarded.
    Inactive = "inactive",
    /// Stopped by hand; new matches are discarded.
    Paused = "paused",
});

words!(/// How the holder of a portal link proves itself.
PortalAuthType {
    /// By the link's own token, which lasts until the link is revoked.
    StaticToken = "static_token",
    /// By keys that are asked for and last an hour.
    RefreshToken = "refresh_token",
});

words!(/// How far an event has come.
EventStatus {
    /// Accepted; its job waits.
    Pending = "Pending",
    /// Stored, not yet matched. Also the resting state of a duplicate.
    Processing = "Processing",
    /// Every matched subscription has its delivery row.
    Success = "Success",
    /// Nobody to deliver to; the reason says why.
    Failure = "Failure",
    /// Matching failed and will be tried again.
    Retry = "Retry",
});

words!(/// Whether deliveries are signed as Standard Webhooks ask for, beside the project's own signature header.
#[derive(Default)]
StandardWebhooks {
    /// By both.
    #[default]
    Together = "together",
    /// By `webhook-signature` alone.
    Alone = "alone",
    /// By the project's own header alone.
    Off = "off",
});

words!(/// What becomes of a line of deliveries when the first of them keeps failing.
FailingHead {
    /// The others wait until it has ended.
    Block = "block",
    /// After so many attempts the others go on, and it is tried beside them.
    Skip = "skip",
    /// After so many attempts it is given up, and can be sent again by hand.
    Park = "park",
});

words!(/// What holds an unfinished delivery back, other than its retry policy.
HeldBy {
    /// The endpoint's rate limit.
    RateLimit = "rate_limit",
    /// The endpoint's circuit breaker, which is open.
    CircuitBreaker = "circuit_breaker",
    /// An unfinished delivery before it in its line.
    Ordering = "ordering",
    /// The endpoint's secrets, which the worker cannot open.
    Secrets = "secrets",
});

words!(/// How far a delivery has come.
DeliveryStatus {
    /// Waits for its first attempt.
    Scheduled = "Scheduled",
    /// Claimed by a worker (at-most-once only).
    Processing = "Processing",
    /// Failed and waits for its next attempt.
    Retry = "Retry",
    /// The endpoint accepted it.
    Success = "Success",
    /// Given up.
    Failure = "Failure",
    /// Never to be sent unless resent by hand; the description says why.
    Discarded = "Discarded",
});

impl DeliveryStatus {
    /// Whether no attempt will follow by itself.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Discarded)
    }
}

words!(/// What a crash between sending and recording may cause.
DeliveryMode {
    /// A repeat with the same webhook id.
    AtLeastOnce = "at_least_once",
    /// Silence: never sent twice.
    AtMostOnce = "at_most_once",
});

words!(/// How the wait between attempts grows.
RetryStrategy {
    /// The same wait each time.
    Linear = "linear",
    /// Doubled each time, with jitter.
    Exponential = "exponential",
    /// As a list says.
    Custom = "custom",
});

words!(/// Whom an event is meant for; what it points at is the event's `target`.
TargetKind {
    /// One endpoint, by id.
    Single = "single",
    /// All endpoints of one owner.
    Fanout = "fanout",
    /// Every matching subscription of the project.
    Broadcast = "broadcast",
    /// A URL given with the event.
    Dynamic = "dynamic",
    /// Every subscription of the source it came in by.
    Source = "source",
});

words!(/// Where a source's events come from.
SourceKind {
    /// A provider that posts to our ingest URL.
    Http = "http",
    /// Reserved by the contract.
    RestApi = "rest_api",
    /// A message broker that ingest consumes.
    PubSub = "pub_sub",
    /// Reserved by the contract.
    DbChangeStream = "db_change_stream",
});

words!(/// What is done with everything that a query matches.
BatchKind {
    /// Failed and discarded deliveries get another attempt.
    Retry = "retry",
    /// Events are matched and delivered again.
    Replay = "replay",
    /// A replay that is only tried.
    DryRun = "dry_run",
});

words!(/// How far such a run has come.
BatchStatus {
    /// Its job waits.
    Pending = "pending",
    /// Some of it is done.
    Processing = "processing",
    /// All of it is done.
    Completed = "completed",
    /// It could not be begun.
    Failed = "failed",
    /// It was called off.
    Cancelled = "cancelled",
});

words!(/// What can happen to a project itself.
MetaEventKind {
    /// An endpoint was made.
    EndpointCreated = "endpoint.created",
    /// An endpoint was changed.
    EndpointUpdated = "endpoint.updated",
    /// An endpoint was deleted.
    EndpointDeleted = "endpoint.deleted",
    /// An endpoint was disabled, because deliveries to it kept failing or it is gone.
    EndpointDisabled = "endpoint.disabled",
    /// A source could not be read for a while, or everything that it brought was refused.
    SourceFailing = "source.failing",
    /// A delivery was accepted by its endpoint.
    DeliverySuccess = "eventdelivery.success",
    /// A delivery was given up.
    DeliveryFailed = "eventdelivery.failed",
});

words!(/// What the holder of a key or a membership may do.
Role {
    /// Everything in the instance.
    InstanceAdmin = "instance_admin",
    /// Everything in the organisation.
    OrganisationAdmin = "organisation_admin",
    /// Billing only.
    BillingAdmin = "billing_admin",
    /// Everything in a project.
    ProjectAdmin = "project_admin",
    /// Reads a project.
    ProjectViewer = "project_viewer",
    /// Deprecated; as a project admin.
    Api = "api",
});

impl Role {
    /// Whether its holder decides on the organisation: its members, its projects, itself.
    #[must_use]
    pub const fn is_admin(self) -> bool {
        matches!(self, Self::InstanceAdmin | Self::OrganisationAdmin)
    }
}

words!(/// Who changed something.
ActorKind {
    /// A person, by a session or a personal key.
    User = "user",
    /// Whoever holds a project's key.
    ProjectKey = "project_key",
    /// Whoever holds a portal link.
    PortalLink = "portal_link",
    /// The operator's tool, on the database itself.
    Tool = "tool",
    /// Somebody without credentials, as who answers an invitation.
    Nobody = "nobody",
});

words!(/// By which way something was changed.
AuditedWay {
    /// By a request to the API.
    Api = "api",
    /// By a form of the dashboard.
    Dashboard = "dashboard",
    /// By the operator's tool, on the database itself.
    Tool = "tool",
});

words!(/// What a line of the audit log is about.
AuditedKind {
    /// An organisation.
    Organisation = "organisation",
    /// A member of an organisation; its id is the user's.
    Member = "member",
    /// An invitation.
    Invite = "invite",
    /// A person.
    User = "user",
    /// A key, a project's or a personal one.
    ApiKey = "api_key",
    /// A project.
    Project = "project",
    /// An endpoint.
    Endpoint = "endpoint",
    /// A subscription.
    Subscription = "subscription",
    /// A filter of a subscription.
    Filter = "filter",
    /// A source.
    Source = "source",
    /// A type of event.
    EventType = "event_type",
    /// A portal link.
    PortalLink = "portal_link",
    /// Work on everything that a query matched.
    Batch = "batch",
    /// An event.
    Event = "event",
    /// A delivery.
    EventDelivery = "event_delivery",
    /// A meta event.
    MetaEvent = "meta_event",
    /// A refused message of a broker.
    RejectedMessage = "rejected_message",
    /// A retry in all projects.
    InstanceRetry = "instance_retry",
    /// A schedule.
    Schedule = "schedule",
    /// A queue of jobs.
    Queue = "queue",
    /// All of the instance, by its operator's tool.
    Instance = "instance",
});

words!(/// How far an invitation has come.
InviteStatus {
    /// Waits for an answer.
    Pending = "pending",
    /// The invited person is a member.
    Accepted = "accepted",
    /// The invited person does not want to be one.
    Declined = "declined",
    /// Taken back.
    Cancelled = "cancelled",
});

words!(/// What the link of a mail is for.
TokenPurpose {
    /// To prove that the address is the user's.
    VerifyEmail = "verify_email",
    /// To choose a new password.
    ResetPassword = "reset_password",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_in_text_and_json() {
        for status in DeliveryStatus::ALL {
            assert_eq!(DeliveryStatus::parse(status.as_str()), Some(*status));
            assert_eq!(serde_json::to_string(status).unwrap(), format!("\"{status}\""));
        }
        assert_eq!(DeliveryStatus::parse("scheduled"), None);
    }
}
