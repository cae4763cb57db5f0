//! The kinds of sources that a form can make: how each takes events in, and the fields that it needs.

use crate::{
    field::{Field, Input},
    source_broker,
};

/// How a source takes events in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// A provider that is known posts to its URL.
    Provider,
    /// Whoever proves itself in this way posts to its URL.
    Verifier,
    /// A message broker is read.
    Broker,
}

/// A kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceKind {
    /// Its word, which is also that of the provider, of the verifier or of the broker.
    pub word: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// How it takes events in.
    pub intake: Intake,
    /// What it needs beside what all have.
    pub fields: &'static [Field],
}

/// What every source has.
const COMMON: [Field; 4] = [
    Field::text("name", "Name").required(),
    Field::number("rate_limit", "At most").hint("Messages or requests that are taken in; 0 for no limit."),
    Field::number("rate_limit_duration", "in seconds"),
    Field::number("stale_after_seconds", "Tell when nothing came for, seconds").hint("At least 60; 0 for never."),
];

/// What a source has to whose URL is posted.
const OF_HTTP: [Field; 5] = [
    Field::text("event_type_location", "The event type is at")
        .hint("Such as request.body.type or request.header.X-Topic. Left empty, it is the end of the source's URL."),
    Field::new("idempotency_keys", "The idempotency key is at", Input::List)
        .hint("One on a line, such as request.header.X-Id; all of them together make the key."),
    Field::new("custom_response.body", "Answer", Input::Area(3)).hint("What is answered instead of our own words."),
    Field::text("custom_response.content_type", "Its content type").hint("Such as application/json."),
    Field::new("forward_headers", "Headers that are forwarded although they carry credentials", Input::List)
        .hint("One on a line, such as Authorization."),
];

/// What a source has that reads a broker.
const OF_BROKER: [Field; 3] = [
    Field::number("pub_sub.workers", "Connections of each instance")
        .hint("1 to 16; 1 where it is empty. MQTT has one."),
    Field::new("body_function", "Function for messages", Input::Area(6))
        .hint("JavaScript: function transform(payload) { return payload; } makes of a message {event_type, data, …}."),
    Field::new("header_function", "Function for headers", Input::Area(3))
        .hint("The same for the message's headers, an object of texts."),
];

const PROVIDER_SECRET: Field = Field::new("verifier.hmac.secret", "Secret", Input::Secret).required();
const HASHES: Input = Input::Choice(&[("SHA256", "SHA-256"), ("SHA512", "SHA-512")]);
const ENCODINGS: Input = Input::Choice(&[("hex", "Hexadecimal"), ("base64", "Base64")]);

const fn http(
    word: &'static str,
    label: &'static str,
    intake: Intake,
    about: &'static str,
    fields: &'static [Field],
) -> SourceKind {
    SourceKind { word, label, about, intake, fields }
}

const fn broker(word: &'static str, label: &'static str, about: &'static str, fields: &'static [Field]) -> SourceKind {
    SourceKind { word, label, about, intake: Intake::Broker, fields }
}

/// Every kind.
pub const KINDS: [SourceKind; 17] = [
    http(
        "github",
        "GitHub",
        Intake::Provider,
        "Signed as GitHub does it.",
        &[PROVIDER_SECRET.hint("The secret of the webhook at GitHub.")],
    ),
    http(
        "shopify",
        "Shopify",
        Intake::Provider,
        "Signed as Shopify does it.",
        &[PROVIDER_SECRET.hint("The secret by which Shopify signs.")],
    ),
    http(
        "twitter",
        "Twitter",
        Intake::Provider,
        "Signed as Twitter does it, with its challenge.",
        &[PROVIDER_SECRET.hint("The consumer secret of the app.")],
    ),
    http(
        "stripe",
        "Stripe",
        Intake::Verifier,
        "Signed as Stripe does it.",
        &[Field::new("verifier.stripe.secret", "Secret", Input::Secret)
            .required()
            .hint("whsec_… of the endpoint at Stripe.")],
    ),
    http(
        "slack",
        "Slack",
        Intake::Verifier,
        "Signed as Slack does it.",
        &[Field::new("verifier.slack.secret", "Secret", Input::Secret)
            .required()
            .hint("The signing secret of the app.")],
    ),
    http(
        "standard_webhooks",
        "Standard Webhooks",
        Intake::Verifier,
        "Signed by the standard, also as Svix does it.",
        &[Field::new("verifier.standard_webhooks.secret", "Secret", Input::Secret)
            .required()
            .hint("whsec_… in base64, or a public key whpk_….")],
    ),
    http(
        "hmac",
        "HMAC",
        Intake::Verifier,
        "A header holds an HMAC of the body.",
        &[
            Field::text("verifier.hmac.header", "Header").required().hint("Such as X-Signature."),
            Field::new("verifier.hmac.hash", "Hash", HASHES).required(),
            Field::new("verifier.hmac.encoding", "Encoding", ENCODINGS).required(),
            Field::new("verifier.hmac.secret", "Secret", Input::Secret).required(),
        ],
    ),
    http(
        "basic_auth",
        "Name and password",
        Intake::Verifier,
        "HTTP Basic.",
        &[
            Field::text("verifier.basic_auth.username", "Name").required(),
            Field::new("verifier.basic_auth.password", "Password", Input::Secret).required(),
        ],
    ),
    http(
        "api_key",
        "Key in a header",
        Intake::Verifier,
        "A header holds a fixed value.",
        &[
            Field::text("verifier.api_key.header_name", "Header")
                .hint("Left empty, it is the second word of Authorization, whatever the first is."),
            Field::new("verifier.api_key.header_value", "Value", Input::Secret).required(),
        ],
    ),
    http("noop", "No proof", Intake::Verifier, "Whoever knows the URL is believed.", &[]),
    broker("mqtt", "MQTT", "MQTT 3.1.1 and 5.", &source_broker::MQTT),
    broker("amqp", "AMQP", "AMQP 0-9-1, such as RabbitMQ.", &source_broker::AMQP),
    broker("kafka", "Kafka", "A topic, as a member of a consumer group.", &source_broker::KAFKA),
    broker("nats", "NATS JetStream", "A stream, by a durable consumer.", &source_broker::NATS),
    broker("redis", "Redis Streams", "A stream, by a consumer group.", &source_broker::REDIS),
    broker("sqs", "Amazon SQS", "A queue.", &source_broker::SQS),
    broker("google", "Google Pub/Sub", "A subscription.", &source_broker::GOOGLE),
];

impl SourceKind {
    /// The kind of this word.
    #[must_use]
    pub fn find(word: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.word == word)
    }

    /// Whether it reads a broker.
    #[must_use]
    pub fn is_broker(&self) -> bool {
        self.intake == Intake::Broker
    }

    /// What every source of its intake has, which is named first.
    #[must_use]
    pub fn common(&self) -> Vec<Field> {
        let more: &[Field] = if self.is_broker() { &OF_BROKER } else { &OF_HTTP };
        COMMON.iter().chain(more).copied().collect()
    }

    /// All its fields.
    #[must_use]
    pub fn all_fields(&self) -> Vec<Field> {
        let mut fields = self.common();
        fields.extend(self.fields);
        fields
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_and_names_of_fields_are_unique() {
        let words: BTreeSet<&str> = KINDS.iter().map(|kind| kind.word).collect();
        assert_eq!(words.len(), KINDS.len());
        for kind in &KINDS {
            let fields = kind.all_fields();
            let names: BTreeSet<&str> = fields.iter().map(|field| field.name).collect();
            assert_eq!(names.len(), fields.len(), "{}", kind.word);
            let place = if kind.is_broker() { format!("pub_sub.{}.", kind.word) } else { "verifier.".into() };
            assert!(kind.fields.iter().all(|field| field.name.starts_with(&place)), "{}", kind.word);
        }
    }
}
