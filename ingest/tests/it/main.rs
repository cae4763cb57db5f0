//! Ingest against a real Mosquitto, a real PostgreSQL and a real Redis. Run by `./just test`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking, in its helpers too")]

mod accept;
mod broker;
mod following;
mod functions;
mod instances;
mod outages;
mod process;
mod program;
mod qos;
mod redis_server;
mod refusing;
mod tls;
mod watching;
mod world;
