//! The ledger against a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod activity;
mod catalogue;
mod connections;
mod dashboard;
mod delivery_rows;
mod dynamic_endpoints;
mod event_counts;
mod event_rows;
mod fixture;
mod instance_retries;
mod leases;
mod migrations;
mod operations;
mod partitions;
mod plans;
mod reads;
mod reads_accounts;
mod reads_archives;
mod reads_lists;
mod reads_searches;
mod reads_windows;
mod rejected_messages;
mod retention;
mod rows_read;
mod schedules;
mod sealed;
mod searches;
mod silences;
