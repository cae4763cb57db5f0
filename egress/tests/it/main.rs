//! The proxy over real sockets: what comes through, what does not, and what is said about it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod audit;
mod binary;
mod cases;
mod forward;
mod limits;
mod malformed;
mod name_server;
mod names;
mod roles;
mod sources;
mod tunnel;
mod upstream;
mod world;
