//! The proxy over real sockets: what comes through, what does not, and what is said about it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod forward;
mod limits;
mod malformed;
mod names;
mod tunnel;
mod world;
