//! The REST API's whole router with a real PostgreSQL and Redis. The roles' binaries are tested in `e2e/`.
#![allow(clippy::indexing_slicing, reason = "a field that is missing in an answer fails the test")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accepting;
mod accounts;
mod audit_log;
mod bad_input;
mod batches;
mod board;
mod brokers;
mod conventions;
mod dashboard;
mod dashboard_admin;
mod dashboard_made;
mod dashboard_routes;
mod dashboard_setup;
mod deliveries;
mod delivery_options;
mod endpoints;
mod event_types;
mod examples;
mod filters;
mod functions;
mod harness;
mod ingest;
mod instance_retries;
mod limits;
mod malformed;
mod meta_events;
mod mirror;
mod onboard;
mod openapi;
mod organisations;
mod portal;
mod portal_links;
mod portal_walk;
mod project_keys;
mod queues;
mod recovery;
mod rejected_messages;
mod replays;
mod resources;
mod schedules;
mod sources;
mod targets;
mod tenancy;
mod walk;
