//! The ledger: tables, rows, queries, ids and migrations. The only crate that speaks SQL.
//!
//! Queries take a connection and return [`diesel::QueryResult`]; they log nothing, know no HTTP and enqueue nothing.
//! Every read of a project's data takes the project's id.

pub mod account_purge;
pub mod account_token;
pub mod activity;
pub mod api_key;
pub mod archive;
pub mod attempt_counter;
pub mod audit;
pub mod audit_log;
pub mod batch_report;
pub mod batch_run;
pub mod browser_session;
pub mod circuit_breaker;
pub mod connect;
pub mod deadline;
pub mod delivery_attempt;
pub mod delivery_target;
pub mod dynamic_endpoint;
pub mod endpoint;
pub mod endpoint_health;
pub mod endpoint_owner;
pub mod event;
pub mod event_count;
pub mod event_delivery;
pub mod event_type;
pub mod filter;
pub mod ids;
pub mod instance_retry;
pub mod instance_secret;
pub mod invite;
pub mod json;
pub mod lease;
pub mod ledger;
pub mod member;
pub mod meta_event;
pub mod migrations;
pub mod onboarding;
pub mod ordering;
pub mod organisation;
pub mod page;
pub mod partitions;
pub mod password;
pub mod plain_token;
pub mod pool;
pub mod portal_config;
pub mod portal_key;
pub mod portal_link;
pub mod project;
pub mod project_config;
pub mod rejected_message;
pub mod retention;
pub mod routing;
pub mod schedule;
pub mod sealed;
pub mod secret_purge;
pub mod server;
pub mod session;
pub mod source;
pub mod source_feed;
pub mod source_silence;
mod statement;
pub mod subscription;
#[rustfmt::skip]
mod tables;
pub mod test_request;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text_array;
pub mod user;
pub mod words;

/// Why a query failed.
pub type QueryError = diesel::result::Error;

/// What kind of refusal a [`QueryError`] is.
pub use diesel::result::DatabaseErrorKind;
