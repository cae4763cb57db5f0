//! Ingest against real brokers, a real PostgreSQL and a real Redis. Run by `./just test`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking, in its helpers too")]

mod accept;
mod amqp;
mod authority;
mod broker;
mod conformance;
mod flood;
mod following;
mod functions;
mod holding;
mod instances;
mod kafka_server;
mod mqtt5;
mod nats_server;
mod outages;
mod process;
mod program;
mod proxy;
mod pubsub_server;
mod qos;
mod rabbitmq;
mod redis_server;
mod redis_streams;
mod refusing;
mod sqs_gate;
mod sqs_server;
mod tls;
mod watching;
mod world;
