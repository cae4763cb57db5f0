//! The proxy over real sockets: what comes through, what does not, and what is said about it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod audit;
mod binary;
mod cases;
mod certificates;
mod clients;
mod forward;
mod haproxy;
mod limits;
mod malformed;
mod name_server;
mod names;
mod projects;
mod roles;
mod sources;
mod tls;
mod tunnel;
mod upstream;
mod world;
