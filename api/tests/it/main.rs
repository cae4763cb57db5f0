//! The REST API's whole router with a real PostgreSQL and Redis. The roles' binaries are tested in `e2e/`.
#![allow(clippy::indexing_slicing, reason = "a field that is missing in an answer fails the test")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accepting;
mod bad_input;
mod board;
mod deliveries;
mod endpoints;
mod event_types;
mod harness;
mod meta_events;
mod onboard;
mod openapi;
mod portal;
mod portal_links;
mod portal_walk;
mod replays;
mod resources;
mod targets;
mod tenancy;
mod walk;
