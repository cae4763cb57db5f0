//! The fields of each message broker, as docs/ingest.md describes them. What each may hold is checked by the API.

use crate::field::{Field, Input};

const STARTS: Input = Input::Choice(&[("first", "The first message that is there"), ("new", "The next new message")]);
const REDELIVERY: &str = "30 where it is empty.";
const TRUST: &str = "PEM certificates to trust instead of the public authorities.";

const fn secret(name: &'static str, label: &'static str) -> Field {
    Field::new(name, label, Input::Secret)
}

const fn switch(name: &'static str, label: &'static str) -> Field {
    Field::new(name, label, Input::Switch)
}

const fn trusted(name: &'static str) -> Field {
    Field::new(name, "Certificates", Input::Area(3)).hint(TRUST)
}

/// MQTT 3.1.1 and 5.
pub const MQTT: [Field; 13] = [
    Field::text("pub_sub.mqtt.host", "Host").required().hint("The name or address of the broker, without a scheme."),
    Field::number("pub_sub.mqtt.port", "Port").hint("1883 where it is empty, encrypted 8883."),
    switch("pub_sub.mqtt.tls", "Encrypted"),
    Field::text("pub_sub.mqtt.topic", "Topic").required().hint("Such as orders/+/paid or orders/#."),
    Field::new(
        "pub_sub.mqtt.qos",
        "Quality of service",
        Input::Level(&[("1", "1: at least once"), ("0", "0: at most once"), ("2", "2: exactly once")]),
    ),
    Field::text("pub_sub.mqtt.username", "User"),
    secret("pub_sub.mqtt.password", "Password"),
    Field::text("pub_sub.mqtt.event_type", "Make events of bare data, of the type")
        .hint("{topic}, or {1} for the first level of the topic. Left empty, messages have our own form."),
    Field::text("pub_sub.mqtt.client_id", "Client id")
        .hint("Names the session at the broker; the source's own where it is empty."),
    Field::new("pub_sub.mqtt.version", "Version", Input::Choice(&[("3.1.1", "3.1.1"), ("5", "5")])),
    Field::number("pub_sub.mqtt.session_expiry_seconds", "Session ends after, seconds")
        .hint("By MQTT 5; never where it is empty."),
    Field::new(
        "pub_sub.mqtt.retained",
        "Retained messages",
        Input::Choice(&[("skip", "Are no events"), ("take", "Are taken at every connection")]),
    ),
    trusted("pub_sub.mqtt.ca_certificate"),
];

/// AMQP 0-9-1.
pub const AMQP: [Field; 12] = [
    Field::new("pub_sub.amqp.schema", "Connection", Input::Choice(&[("amqp", "amqp"), ("amqps", "amqps, encrypted")])),
    Field::text("pub_sub.amqp.host", "Host").required(),
    Field::number("pub_sub.amqp.port", "Port").hint("5672 where it is empty, encrypted 5671."),
    Field::text("pub_sub.amqp.queue", "Queue").required().hint("One that is not there is made, durable."),
    Field::text("pub_sub.amqp.vhost", "Virtual host").hint("/ where it is empty."),
    Field::text("pub_sub.amqp.auth.user", "User").hint("guest where it is empty."),
    secret("pub_sub.amqp.auth.password", "Password"),
    Field::text("pub_sub.amqp.bindExchange.exchange", "Bind the queue to the exchange").hint("It must be there."),
    Field::text("pub_sub.amqp.bindExchange.routingKey", "with the routing key"),
    Field::text("pub_sub.amqp.deadLetterExchange", "Dead-letter exchange")
        .hint("Where the queue sends what is refused."),
    Field::number("pub_sub.amqp.prefetch", "Messages without an answer")
        .hint("For each connection; 200 where it is empty."),
    trusted("pub_sub.amqp.ca_certificate"),
];

/// Kafka.
pub const KAFKA: [Field; 10] = [
    Field::new("pub_sub.kafka.brokers", "Brokers", Input::List)
        .required()
        .hint("One on a line, such as kafka.example.com:9092."),
    Field::text("pub_sub.kafka.topic_name", "Topic").required().hint("It must be there."),
    Field::text("pub_sub.kafka.consumer_group_id", "Consumer group").hint("The source's own where it is empty."),
    Field::new("pub_sub.kafka.start", "A new group begins at", STARTS),
    Field::new(
        "pub_sub.kafka.auth.type",
        "Signing in",
        Input::Choice(&[("", "Not at all"), ("plain", "SASL PLAIN"), ("scram", "SASL SCRAM")]),
    ),
    Field::new(
        "pub_sub.kafka.auth.hash",
        "Hash of SCRAM",
        Input::Choice(&[("SHA256", "SHA-256"), ("SHA512", "SHA-512")]),
    ),
    Field::text("pub_sub.kafka.auth.username", "User"),
    secret("pub_sub.kafka.auth.password", "Password"),
    switch("pub_sub.kafka.auth.tls", "Encrypted"),
    trusted("pub_sub.kafka.ca_certificate"),
];

/// NATS JetStream.
pub const NATS: [Field; 12] = [
    Field::new("pub_sub.nats.servers", "Servers", Input::List)
        .required()
        .hint("URLs, one on a line, such as nats://nats.example.com:4222."),
    Field::text("pub_sub.nats.stream", "Stream").required().hint("It must be there."),
    Field::text("pub_sub.nats.subject", "Subject").hint("Such as orders.*.paid; all where it is empty."),
    Field::text("pub_sub.nats.durable", "Durable consumer")
        .hint("One of yours, or the source's own where it is empty."),
    Field::new("pub_sub.nats.start", "A new consumer begins at", STARTS),
    Field::number("pub_sub.nats.redeliver_after_seconds", "Given to another after, seconds").hint(REDELIVERY),
    Field::text("pub_sub.nats.auth.username", "User"),
    secret("pub_sub.nats.auth.password", "Password"),
    secret("pub_sub.nats.auth.token", "Token").hint("Instead of user and password."),
    Field::new("pub_sub.nats.auth.credentials", "Credentials", Input::SecretArea(3)).hint("The text of a .creds file."),
    switch("pub_sub.nats.tls", "Encrypted"),
    trusted("pub_sub.nats.ca_certificate"),
];

/// Redis Streams.
pub const REDIS: [Field; 12] = [
    Field::text("pub_sub.redis.host", "Host").required(),
    Field::number("pub_sub.redis.port", "Port").hint("6379 where it is empty."),
    Field::number("pub_sub.redis.database", "Database").hint("0 where it is empty."),
    Field::text("pub_sub.redis.stream", "Stream").required().hint("Its key; it is made where it is missing."),
    Field::text("pub_sub.redis.group", "Consumer group").hint("One of yours, or the source's own where it is empty."),
    Field::text("pub_sub.redis.body_field", "Field that holds the message").hint("body where it is empty."),
    Field::new("pub_sub.redis.start", "A new group begins at", STARTS),
    Field::number("pub_sub.redis.redeliver_after_seconds", "Given to another after, seconds").hint(REDELIVERY),
    Field::text("pub_sub.redis.auth.username", "User"),
    secret("pub_sub.redis.auth.password", "Password"),
    switch("pub_sub.redis.tls", "Encrypted"),
    trusted("pub_sub.redis.ca_certificate"),
];

/// Amazon SQS.
pub const SQS: [Field; 8] = [
    Field::text("pub_sub.sqs.access_key_id", "Access key id").required(),
    secret("pub_sub.sqs.secret_key", "Secret access key").required(),
    secret("pub_sub.sqs.session_token", "Session token").hint("It completes a temporary key."),
    Field::text("pub_sub.sqs.default_region", "Region").required().hint("Such as eu-central-1."),
    Field::text("pub_sub.sqs.queue_name", "Queue")
        .required()
        .hint("Its name, or its URL where it belongs to another account."),
    Field::text("pub_sub.sqs.endpoint", "Address of the service").hint("The region's public one where it is empty."),
    Field::number("pub_sub.sqs.redeliver_after_seconds", "Given to another after, seconds").hint(REDELIVERY),
    trusted("pub_sub.sqs.ca_certificate"),
];

/// Google Pub/Sub.
pub const GOOGLE: [Field; 6] = [
    Field::text("pub_sub.google.project_id", "Project").required(),
    Field::text("pub_sub.google.subscription_id", "Subscription")
        .required()
        .hint("Its id, without its project. It must be there."),
    Field::new("pub_sub.google.service_account", "Service account", Input::SecretArea(4))
        .required()
        .hint("Its JSON key, as it is or in base64. It needs roles/pubsub.subscriber."),
    Field::text("pub_sub.google.endpoint", "Address of the service").hint("The public one where it is empty."),
    Field::number("pub_sub.google.redeliver_after_seconds", "Given to another after, seconds").hint(REDELIVERY),
    trusted("pub_sub.google.ca_certificate"),
];
