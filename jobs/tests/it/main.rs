//! The queues against a real Redis. Run by `./just test`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod board;
mod breakers;
mod connection_tests;
mod crash;
mod dead_letters;
mod encryption;
mod outage;
mod passes;
mod pushing;
mod rates;
mod redis_server;
mod running;
mod sightings;
mod source_states;
mod tokens;
mod topology;
mod turns;
mod view;
mod world;
