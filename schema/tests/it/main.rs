//! The ledger against a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod catalogue;
mod delivery_rows;
mod dynamic_endpoints;
mod event_counts;
mod event_rows;
mod fixture;
mod leases;
mod migrations;
mod operations;
mod partitions;
mod plans;
mod reads;
mod searches;
