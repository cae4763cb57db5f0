//! The ledger against a real PostgreSQL.

mod delivery_rows;
mod event_rows;
mod fixture;
mod leases;
mod migrations;
mod partitions;
