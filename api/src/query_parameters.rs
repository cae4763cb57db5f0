//! The keys of query strings, described in one place: whatever a route calls `endpointId` is the same thing everywhere. What an
//! operation makes of them stands in its handler, with [`crate::query`].

use posthouse_schema::words::DeliveryStatus;
use salvo::oapi::{Array, BasicType, Object, OpenApi, Parameter, ParameterIn, Required, Schema};

const PAGE: &[&str] = &["perPage", "direction", "next_page_cursor", "prev_page_cursor"];
const DATES: &[&str] = &["startDate", "endDate"];
const SORT: &[&str] = &["sort"];
const EVENTS: &[&str] = &["sourceId", "endpointId", "ownerId", "idempotencyKey", "brokerMessageId"];
const SEARCH: &[&str] = &["query", "body", "headers"];
const DELIVERIES: &[&str] =
    &["eventId", "endpointId", "subscriptionId", "eventType", "idempotencyKey", "brokerMessageId", "status"];
const AUDIT: &[&str] = &["actorId", "action", "resourceId"];
const REJECTED: &[&str] = &["sourceId", "reason"];
const ACCEPT: &[&str] = &["ack", "return"];
const DRY_RUN: &[&str] = &["dry_run"];

/// How a key's value is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    /// Given once for each value.
    Texts,
    Number,
    /// Rows that are left out before.
    Offset,
    /// One of these.
    Word(&'static [&'static str]),
    /// States of deliveries, given once for each.
    Statuses,
}

const KEYS: &[(&str, Form, &str)] = &[
    ("accepted", Form::Word(&["true", "false"]), "Whether the invitation is accepted."),
    (
        "ack",
        Form::Word(&["queue", "postgres"]),
        "`postgres`: the answer comes when the event is stored, instead of queued.",
    ),
    ("action", Form::Texts, "Only what was done by this name, as `endpoint.update`."),
    ("actorId", Form::Texts, "Only what this user, key or portal link did."),
    ("body", Form::Text, "Searches: a JSON object that the data has to contain."),
    ("brokerMessageId", Form::Text, "Only what became of this message of a broker."),
    ("crc_token", Form::Text, "What the provider wants to see signed."),
    ("direction", Form::Word(&["next", "prev"]), "`prev` for the page before the cursor."),
    ("dry_run", Form::Word(&["true", "false"]), "`true`: says what would come of it, and makes nothing."),
    (
        "endDate",
        Form::Text,
        "Accepted at this instant or earlier, in UTC, such as `2006-01-02T15:04:05`; now where it is missing.",
    ),
    ("endpointId", Form::Texts, "Only what concerns this endpoint."),
    ("eventId", Form::Texts, "Only deliveries of this event."),
    ("eventType", Form::Text, "Only deliveries of exactly this event type."),
    ("event_id", Form::Text, "Only deliveries of this event."),
    ("headers", Form::Text, "Searches: a JSON object of header names with their values."),
    ("idempotencyKey", Form::Text, "Only what has this idempotency key."),
    ("limit", Form::Number, "Dead letters in the answer: 50 where it is missing, at most 200."),
    ("name", Form::Text, "A part of the name, in any case."),
    (
        "next_page_cursor",
        Form::Text,
        "Where the next page begins: `pagination.next_page_cursor` of the page before it.",
    ),
    ("offset", Form::Offset, "Dead letters that are left out before, the newest first."),
    ("orgID", Form::Text, "The organisation whose projects are listed; the header `X-Organisation-Id` serves as well."),
    ("ownerId", Form::Text, "Only what concerns the endpoints of this owner."),
    ("perPage", Form::Number, "Rows of a page; 0 only tells whether there are any."),
    (
        "prev_page_cursor",
        Form::Text,
        "What the previous page ends before: `pagination.prev_page_cursor` of the page after it.",
    ),
    ("provider", Form::Text, "Only sources of this provider, such as `github`."),
    ("q", Form::Text, "A part of the name, in any case."),
    (
        "query",
        Form::Text,
        "Searches: the beginning of an id, or a part of the idempotency key, the event type or the source's name. Ends it with a JSON object, the data has to contain that.",
    ),
    ("reason", Form::Texts, "Only what was rejected for this reason, such as `not_json`."),
    ("resourceId", Form::Texts, "Only what was done to this."),
    ("return", Form::Word(&["id"]), "`id`: the answer has the ids of the new events."),
    ("sort", Form::Word(&["DESC", "ASC"]), "`ASC` for the oldest first."),
    ("sourceId", Form::Texts, "Only what came by this source."),
    (
        "startDate",
        Form::Text,
        "Accepted at this instant or later, in UTC, such as `2006-01-02T15:04:05`; seven days ago where it is missing.",
    ),
    ("status", Form::Statuses, "Only deliveries in this state."),
    ("subscriptionId", Form::Text, "Only deliveries of this subscription."),
    ("test", Form::Word(&["true", "false"]), "`true`: makes nothing where the source's broker cannot be read."),
    ("time", Form::Text, "How far back, such as `1h30m`; at most 90 days. It has to be given."),
    ("token", Form::Text, "From the mail."),
    ("type", Form::Text, "Only those of this kind."),
];

/// The keys that an operation reads, in groups.
fn groups(operation_id: &str) -> &'static [&'static [&'static str]] {
    match operation_id {
        "GetProjects" => &[&["orgID"]],
        "GetEventsPaged" => &[EVENTS, SEARCH, DATES, SORT, PAGE],
        "BatchReplayEvents" => &[EVENTS, DATES, DRY_RUN],
        "CountAffectedEvents" => &[EVENTS, DATES],
        "GetEventDeliveriesPaged" => &[DELIVERIES, DATES, SORT, PAGE],
        "BatchRetryEventDelivery" | "CountBatchRetryEvents" | "GetEventDeliveriesStatusTotals" => &[DELIVERIES, DATES],
        "GetMetaEventsPaged" => &[DATES, PAGE],
        "GetProjectAuditLog" | "GetOrganisationAuditLog" => &[AUDIT, DATES, SORT, PAGE],
        "GetRejectedMessages" => &[REJECTED, DATES, SORT, PAGE],
        "RedriveRejectedMessages" | "DeleteRejectedMessages" => &[REJECTED, DATES],
        "GetEndpoints" => &[&["q", "ownerId"], PAGE],
        "GetEndpointsPeriodFailureRates" => &[&["endpointId"], DATES],
        "GetSubscriptions" => &[&["endpointId", "name"], PAGE],
        "CreateSource" => &[&["test"]],
        "LoadSourcesPaged" => &[&["type", "provider", "q"], PAGE],
        "LoadPortalLinksPaged" => &[&["ownerId", "endpointId", "q"], PAGE],
        "BulkOnboard" => &[DRY_RUN],
        "CreateEndpointEvent"
        | "CreateEventBatch"
        | "CreateBroadcastEvent"
        | "CreateDynamicEvent"
        | "CreateEndpointFanoutEvent" => &[ACCEPT],
        "IngestChallenge" => &[&["crc_token"]],
        "CountInstanceRetry" => &[&["status", "time", "event_id"]],
        "GetInstanceRetries" | "GetBatches" => &[PAGE],
        "GetDeadLetters" => &[&["offset", "limit"]],
        "GetDashboardSummary" => &[DATES, &["type"]],
        "GetOrganisations"
        | "GetOrganisationMembers"
        | "GetPendingInvites"
        | "GetPersonalApiKeys"
        | "GetProjectAPIKeys" => &[PAGE],
        "FindUserByInviteToken" | "ResetPassword" | "VerifyEmail" => &[&["token"]],
        "ProcessInvite" => &[&["token", "accepted"]],
        _ => &[],
    }
}

/// Describes the query of every operation that reads one.
pub fn describe(openapi: &mut OpenApi) {
    let operations = openapi.paths.values_mut().flat_map(|item| item.operations.values_mut());
    for operation in operations {
        let id = operation.operation_id.clone().unwrap_or_default();
        for key in groups(&id).iter().copied().flatten() {
            operation.parameters.insert(parameter(key));
        }
    }
}

fn parameter(key: &str) -> Parameter {
    let (_, form, description) = KEYS.iter().find(|(name, ..)| *name == key).copied().unwrap_or((key, Form::Text, ""));
    let text = || Object::new().schema_type(BasicType::String);
    let statuses = || DeliveryStatus::ALL.iter().map(|status| status.as_str());
    let schema = match form {
        Form::Text => Schema::from(text()),
        Form::Texts => Schema::from(Array::new().items(text())),
        Form::Number => Schema::from(Object::new().schema_type(BasicType::Integer).minimum(0_u32).maximum(1_000_u32)),
        Form::Offset => Schema::from(Object::new().schema_type(BasicType::Integer).minimum(0_u32).maximum(10_000_u32)),
        Form::Word(words) => Schema::from(text().enum_values(words.iter().copied())),
        Form::Statuses => Schema::from(Array::new().items(text().enum_values(statuses()))),
    };
    Parameter::new(key).location(ParameterIn::Query).required(Required::False).description(description).schema(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_explained_once_and_used() {
        let names: Vec<&str> = KEYS.iter().map(|(name, ..)| *name).collect();
        assert!(names.is_sorted_by(|one, next| one < next), "in order, so that one is found");
        let descriptions = [crate::router::openapi(), crate::ui::openapi()];
        let operations =
            descriptions.iter().flat_map(|openapi| openapi.paths.values()).flat_map(|item| item.operations.values());
        let read = operations.flat_map(|operation| groups(operation.operation_id.as_deref().unwrap_or_default()));
        let read: std::collections::BTreeSet<&str> = read.copied().flatten().copied().collect();
        assert_eq!(read.into_iter().collect::<Vec<_>>(), names);
    }
}
