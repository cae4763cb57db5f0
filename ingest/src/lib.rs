//! Consumes events from message brokers and only writes jobs to Redis. A message is acknowledged to its broker after
//! Redis holds its job, so what ingest has accepted cannot be lost, whatever stops when.

pub mod amqp;
pub mod backoff;
pub mod broker;
pub mod config;
pub mod connection_test;
pub mod fault;
pub mod feed;
pub mod follow;
pub mod intake;
pub mod kafka;
pub mod lease;
pub mod message;
pub mod metrics;
pub mod mqtt;
pub mod nats;
pub mod pubsub;
pub mod redis_streams;
pub mod redrive;
pub mod sqs;
pub mod status;
pub mod stop;
pub mod watch;
