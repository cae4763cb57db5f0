//! The REST API and the job board. Handlers are thin: authorise, parse, check, write or enqueue, reply; SQL is the schema's.

pub mod app;
pub mod auth;
pub mod board;
mod body;
mod cache;
pub mod config;
mod conventions;
mod deliveries;
mod endpoints;
pub mod error;
mod events;
mod health;
mod known_paths;
mod metrics;
mod portal;
mod portal_links;
mod projects;
mod query;
mod redaction;
mod reply;
pub mod router;
pub mod serve;
mod sources;
mod subscriptions;
mod version;
