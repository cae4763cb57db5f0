//! The fields of a project's settings, in groups. The name of each is its place in what the API is asked for.

use crate::{
    field::{Field, Input},
    retries,
};

/// A group of fields.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// What it is called.
    pub title: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
    /// Whether most projects leave it as it is.
    pub is_rare: bool,
}

const fn switch(name: &'static str, label: &'static str) -> Field {
    Field::new(name, label, Input::Switch)
}

const PERIOD: &str = "Such as 720h or 30d; empty for as long as the instance keeps them.";

/// The ways to sign, one on a line.
pub const VERSIONS: &str = "config.signature.versions";

/// All groups.
pub const GROUPS: [Group; 9] = [
    Group {
        title: "Project",
        fields: &[
            Field::text("name", "Name").required(),
            Field::text("logo_url", "Logo").hint("The address of a picture."),
        ],
        is_rare: false,
    },
    Group { title: "Retries", fields: &retries::OF_PROJECT, is_rare: false },
    Group {
        title: "Limits",
        fields: &[
            Field::number("config.ratelimit.count", "Events").hint("0 for no limit."),
            Field::number("config.ratelimit.duration", "in seconds"),
            Field::number("config.max_payload_read_size", "Most bytes of a request to a source")
                .hint("0 for the limit of the instance."),
            Field::number("config.idempotency_key_window", "An idempotency key is taken for, seconds")
                .hint("0 for as long as its event is kept."),
        ],
        is_rare: false,
    },
    Group {
        title: "Endpoints",
        fields: &[
            switch("config.multiple_endpoint_subscriptions", "An endpoint may have several subscriptions"),
            switch("config.disable_endpoint", "Disable an endpoint when a delivery to it ran out of attempts"),
            switch("config.ssl.enforce_secure_endpoints", "Only https URLs are endpoints"),
            switch("config.verify_dynamic_events", "A dynamic event waits until its URL is resolved"),
            switch(
                "config.allow_unmatched_dynamic_urls",
                "A dynamic URL makes an endpoint although no template matches it",
            ),
        ],
        is_rare: false,
    },
    Group {
        title: "Requests and signatures",
        fields: &[
            switch("config.add_event_id_trace_headers", "Send the ids of event and delivery as headers"),
            Field::text("config.request_id_header", "Header of the idempotency key").hint("Of outgoing projects."),
            Field::text("config.signature.header", "Header of the signature"),
            Field::new(
                "config.signature.standard_webhooks",
                "Standard Webhooks",
                Input::Choice(&[
                    ("together", "Beside the header above"),
                    ("alone", "Alone: webhook-signature"),
                    ("off", "Not: the header above alone"),
                ]),
            ),
            Field::new(VERSIONS, "Signatures", Input::List)
                .hint("Hash and encoding, one pair on a line: SHA256 or SHA512, hex or base64. Receivers are sent all of them."),
        ],
        is_rare: true,
    },
    Group {
        title: "How long it is kept",
        fields: &[
            Field::text("config.retention_policy.policy", "Events").hint(PERIOD),
            Field::text("config.retention_policy.deliveries", "Deliveries").hint("Empty for as long as events."),
            Field::text("config.retention_policy.attempts", "Attempts").hint("Empty for as long as deliveries."),
            Field::text("config.retention_policy.payloads", "Data of events").hint("Empty for as long as events."),
            Field::text("config.search_policy", "Searches look back for").hint("Told to clients, such as 720h."),
        ],
        is_rare: true,
    },
    Group {
        title: "Circuit breaker",
        fields: &[
            Field::number("config.circuit_breaker.failure_threshold", "Opens at failures in a hundred attempts")
                .hint("0: it never opens."),
            Field::number("config.circuit_breaker.minimum_request_count", "From so many attempts on"),
            Field::number("config.circuit_breaker.observability_window", "Attempts count for, minutes"),
            Field::number("config.circuit_breaker.error_timeout", "Stays open until it is probed, seconds"),
            Field::number("config.circuit_breaker.success_threshold", "Closes at successes in a hundred")
                .hint("Of the attempts from which on it opens."),
            Field::number("config.circuit_breaker.consecutive_failure_threshold", "Openings in a row")
                .hint("Until the endpoint is disabled, in projects that disable endpoints."),
        ],
        is_rare: true,
    },
    Group {
        title: "Notifications",
        fields: &[
            Field::new("config.notifications.email", "Email", Input::Email),
            Field::new("config.notifications.slack_webhook_url", "Slack URL", Input::Secret),
            Field::new("config.notifications.teams_webhook_url", "Teams URL", Input::Secret),
        ],
        is_rare: true,
    },
    Group {
        title: "Meta events",
        fields: &[
            switch("config.meta_event.is_enabled", "A URL is told what happens to the project"),
            Field::text("config.meta_event.url", "URL"),
            Field::new("config.meta_event.event_type", "Told of", Input::List).hint(
                "One on a line: endpoint.created, endpoint.updated, endpoint.deleted, endpoint.disabled, source.failing, eventdelivery.success, eventdelivery.failed.",
            ),
            Field::new("config.meta_event.secret", "Secret", Input::Secret)
                .lasting()
                .hint("What signs; it is made for you where it is empty."),
        ],
        is_rare: true,
    },
];

/// The fields of all groups.
#[must_use]
pub fn all() -> Vec<Field> {
    GROUPS.iter().flat_map(|group| group.fields).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_field_is_there_twice() {
        let names: BTreeSet<&str> = all().iter().map(|field| field.name).collect();
        assert_eq!(names.len(), all().len());
    }
}
