//! The REST API and the job board. Handlers are thin: authorise, parse, check, write or enqueue, reply; SQL is the schema's.

mod accounts;
pub mod app;
pub mod auth;
pub mod board;
mod body;
mod cache;
pub mod config;
mod configuration;
mod conventions;
mod deliveries;
mod endpoints;
pub mod error;
mod events;
mod health;
mod known_paths;
mod metrics;
mod organisations;
mod projects;
mod query;
mod reply;
pub mod router;
pub mod serve;
mod sources;
mod subscriptions;
pub mod ui;
mod version;
